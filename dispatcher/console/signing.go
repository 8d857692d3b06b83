package console

import (
	"net/http"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// signingView is how an endpoint's webhooks are signed.
type signingView struct {
	Scheme string
	// Hint are the last characters of the current secret; Public is the public key, of ed25519 alone.
	Hint, Public string
	// Old are the secrets that sign beside it.
	Old []oldSecret
}

type oldSecret struct {
	Hint   string
	EndsAt time.Time
}

func signingOf(e webhook.Endpoint) signingView {
	is := signingView{Scheme: e.Signature}
	for i, s := range e.Secrets {
		switch {
		case i == 0:
			is.Hint, is.Public, is.Scheme = hintOf(s), s.Ed25519.Public().String(), s.Signature()
		case now().Before(s.EndsAt):
			is.Old = append(is.Old, oldSecret{hintOf(s), s.EndsAt})
		}
	}
	return is
}

// hintOf relies on one key being set and the hint of the other being empty.
func hintOf(s webhook.EndpointSecret) string { return s.HMAC.Hint() + s.Ed25519.Hint() }

// secretView is a secret that was just made.
type secretView struct {
	ID string
	// Secret is what a receiver verifies with: of ed25519 the public key, which is no secret.
	Secret  string
	Ed25519 bool
	// Old are those that sign on.
	Old []oldSecret
}

// showSecret shows a secret, this once. There is no page that shows it again.
func (v *visit) showSecret(e webhook.Endpoint, status int) error {
	body := secretView{ID: e.ID, Old: signingOf(e).Old}
	if len(e.Secrets) > 0 {
		made := e.Secrets[0]
		body.Secret, body.Ed25519 = made.HMAC.Reveal(), !made.Ed25519.IsZero()
		if body.Ed25519 {
			body.Secret = made.Ed25519.Public().String()
		}
	}
	return v.show("secret", view{Title: "Secret of " + e.ID, Tab: "overview", Status: status, Body: body})
}

// overlaps are how long an old secret may sign on, as the form says it.
var overlaps = map[string]time.Duration{
	"none": -1, "1h": time.Hour, "24h": webhook.DefaultOverlap, "72h": 72 * time.Hour, "168h": webhook.MaxOverlap,
}

func (v *visit) askToRotate() error { return v.ask("rotate", "Rotate the secret of ") }

func (v *visit) rotate() error {
	e, err := v.theEndpoint()
	if err != nil {
		return err
	}
	if err := v.post(); err != nil {
		return err
	}
	overlap, ok := overlaps[v.sent.Get("overlap")]
	if !ok {
		return webhook.Invalid("overlap", "must be one of those in the form")
	}
	if v.sent.Get("hint") != signingOf(e).Hint { // the same form again, or another's
		return webhook.Invalid("secret", "was rotated since the form was shown")
	}
	rotated, err := v.h.Service.RotateSecret(v.r.Context(), e.Ref(), webhook.Rotation{Overlap: overlap})
	if err != nil {
		return err
	}
	return v.showSecret(rotated, http.StatusOK)
}

// receiverView is a server that verifies, in one language.
type receiverView struct{ Language, Install, Source string }

// verify shows how to verify, with the servers that the tests of signer run.
func (v *visit) verify() error {
	source := signer.Receivers()
	return v.show("verify", view{Title: "Verify webhooks", Tab: "overview", Body: []receiverView{
		{"Go", "go get github.com/standard-webhooks/standard-webhooks/libraries", source["go"]},
		{"Python", "pip install standardwebhooks", source["python"]},
		{"JavaScript", "npm install standardwebhooks", source["javascript"]},
	}})
}
