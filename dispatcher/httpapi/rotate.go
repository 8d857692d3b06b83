package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

func (s *server) secretRoutes() {
	register(s, route{
		id: "rotateSecret", method: http.MethodPost, path: "/endpoints/{id}/secret/rotate", summary: "Give an endpoint a new secret",
		holds:   ofFields,
		note:    "The secret until now signs beside the new one until the overlap ends.",
		request: reflect.TypeFor[RotateRequest](), optional: true, example: RotateRequest{OverlapMs: new(int64(3_600_000))},
		answers: []routeAnswer{{
			status: http.StatusOK, body: reflect.TypeFor[Endpoint](), example: exampleRotated(),
			note: "The new secret is given once; of ed25519, the public key is what a receiver needs",
		}},
		conflicts: "Too many old secrets sign already: wait until one ends, or end them with an overlap of 0",
	}, s.rotateSecret)
}

func (s *server) rotateSecret(ctx context.Context, in *itemWriteInput) (*reply, error) {
	ref, rotation, err := readFor(s, in, decodeRotation)
	if err != nil {
		return nil, err
	}
	e, err := s.Service.RotateSecret(ctx, ref, rotation)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, revealed(e))
}

func decodeRotation(raw []byte) (webhook.Rotation, error) {
	var r webhook.Rotation
	err := eachMember(raw, inUTF8(func(name string, value []byte) error {
		switch name {
		case "overlapMs":
			return decodeOverlap(name, value, &r.Overlap)
		case "secret":
			return decodeSecret(name, value, &r.Secret)
		}
		return webhook.Invalid(shown(name), ruleUnknown)
	}))
	return r, err
}

// decodeOverlap makes 0, which would mean the default, negative: no overlap.
func decodeOverlap(name string, value []byte, overlap *time.Duration) error {
	const highest = int64(webhook.MaxOverlap / time.Millisecond)
	if isNull(value) {
		return nil
	}
	var ms int64
	if err := decode(name, value, &ms, ruleWhole); err != nil {
		return err
	}
	switch {
	case ms < 0 || ms > highest:
		return webhook.Invalid(name, "must be between 0 and %d", highest)
	case ms == 0:
		*overlap = -1
	default:
		*overlap = time.Duration(ms) * time.Millisecond
	}
	return nil
}

// decodeSecret tells the kind by the prefix. Whether it is that of the endpoint
// is the service's to say.
func decodeSecret(name string, value []byte, secret *webhook.EndpointSecret) error {
	var text string
	err := decodeGiven(name, value, &text)
	if err != nil || isNull(value) {
		return err
	}
	kind := webhook.SignatureHMAC
	switch {
	case strings.HasPrefix(text, "whsec_"):
		secret.HMAC, err = signer.ParseSecret(text)
	case strings.HasPrefix(text, "whsk_"):
		kind = webhook.SignatureEd25519
		secret.Ed25519, err = signer.ParsePrivateKey(text)
	default:
		return webhook.Invalid(name, "must begin with whsec_ or, for ed25519, whsk_")
	}
	if err != nil {
		return webhook.Invalid(name, "%s", secretRule(kind, err))
	}
	return nil
}
