package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

func receiptOf(r webhook.Receipt) Receipt {
	deliveries := make([]ReceiptDelivery, len(r.Endpoints))
	for i, id := range r.Endpoints {
		deliveries[i].EndpointID = id
	}
	return Receipt{ID: r.ID, Duplicate: r.Duplicate, Deliveries: deliveries}
}

// endpointOf leaves the secret out; see revealed.
func endpointOf(e webhook.Endpoint) Endpoint {
	out := Endpoint{
		ID: e.ID, URL: e.URL, Purpose: e.Purpose, EventTypes: e.EventTypes,
		Description: e.Description, Metadata: e.Metadata, Headers: e.Headers,
		MaxInFlight: e.MaxInFlight, TimeoutMs: e.Timeout.Milliseconds(), Signature: e.Signature,
		Disabled: e.DisabledReason != "", DisabledReason: e.DisabledReason,
		CreatedAt: Time{e.CreatedAt}, UpdatedAt: Time{e.UpdatedAt},
	}
	if out.Disabled {
		out.DisabledAt, out.DisabledAnswer = Time{e.DisabledAt}, e.DisabledAnswer
	}
	if e.RateLimit.PerSecond > 0 {
		out.RateLimit = &RateLimit{PerSecond: e.RateLimit.PerSecond, Burst: e.RateLimit.Burst}
	}
	if out.Signature == "" {
		out.Signature = webhook.SignatureHMAC
	}
	if len(e.Secrets) > 0 {
		current := e.Secrets[0]
		out.SecretHint = hint(current)
		out.PublicKey = current.Ed25519.Public().String()
		out.OldSecrets = oldSecretsOf(e.Secrets[1:], time.Now())
	}
	return out
}

// hint relies on one key being set and the hint of the other being empty.
func hint(s webhook.EndpointSecret) string { return s.HMAC.Hint() + s.Ed25519.Hint() }

// oldSecretsOf leaves out those that have ended and are still kept.
func oldSecretsOf(secrets []webhook.EndpointSecret, now time.Time) []OldSecret {
	var out []OldSecret
	for _, s := range secrets {
		if now.Before(s.EndsAt) {
			out = append(out, OldSecret{SecretHint: hint(s), EndsAt: Time{s.EndsAt}})
		}
	}
	return out
}

func healthOf(h webhook.Health) *EndpointHealth {
	var history []BreakerChange
	for _, change := range h.History {
		history = append(history, BreakerChange{Breaker: string(change.State), At: Time{change.At}})
	}
	return &EndpointHealth{
		BreakerHistory: history,
		Breaker:        string(h.Breaker), OpenUntil: Time{h.OpenUntil}, WaitingFor: string(h.WaitingFor), WaitingUntil: Time{h.WaitingUntil},
		Limit: h.Limit, InFlight: h.InFlight, Waiting: h.Waiting, Retrying: h.Retrying,
		OldestWaitingAt: Time{h.OldestWaitingAt}, LastHour: trafficOf(h.LastHour),
	}
}

func trafficOf(t webhook.Traffic) Traffic {
	return Traffic{
		Attempts: t.Attempts, Delivered: t.Delivered, MeanMs: t.Mean.Milliseconds(), MaxMs: t.Max.Milliseconds(), Busy: t.Busy,
	}
}

// revealed adds the secret of an endpoint that was just created or given a new one. A receiver of
// ed25519 signatures needs the public key only, so no private key is ever shown.
func revealed(e webhook.Endpoint) Endpoint {
	out := endpointOf(e)
	if len(e.Secrets) > 0 {
		out.Secret = e.Secrets[0].HMAC.Reveal()
	}
	return out
}

// eventOf leaves the payload out, to be spliced in; see encodeWith.
func eventOf(s webhook.EventStatus) Event {
	return Event{
		ID: s.Event.ID, Type: s.Event.Type, Brand: s.Event.Brand,
		PublishedAt: Time{s.Event.PublishedAt}, ExpiresAt: Time{s.Event.ExpiresAt},
		Deliveries: deliveriesOf(s.Deliveries),
	}
}

func deliveriesOf(found []webhook.Delivery) []Delivery {
	out := make([]Delivery, len(found))
	for i, d := range found {
		out[i] = deliveryOf(d)
	}
	return out
}

func deliveryOf(d webhook.Delivery) Delivery {
	return Delivery{
		EventID: d.Ref.EventID, EndpointID: d.Ref.EndpointID,
		State: string(d.State), WaitingFor: string(d.WaitingFor), WaitingUntil: Time{d.WaitingUntil}, Position: d.Position, Attempts: d.Attempts,
		NextAttemptAt: Time{d.NextAttemptAt}, DeathReason: string(d.DeathReason), UpdatedAt: Time{d.UpdatedAt},
	}
}

func explanationOf(x webhook.Explanation) Explanation {
	out := Explanation{
		EventID: x.Event.ID, Type: x.Event.Type, PublishedAt: Time{x.Event.PublishedAt}, ExpiresAt: Time{x.Event.ExpiresAt},
		Items: make([]Explained, len(x.Endpoints)),
	}
	for i, e := range x.Endpoints {
		out.Items[i] = Explained{
			EndpointID: e.EndpointID, Matched: e.Matched, Explanation: e.Text, LastAttempt: keptAttemptOf(e.LastAttempt),
		}
		if e.Delivery != nil {
			delivery := deliveryOf(*e.Delivery)
			out.Items[i].Delivery = &delivery
		}
	}
	return out
}

func deadLetterOf(d webhook.DeadLetter) DeadLetter {
	return DeadLetter{Delivery: deliveryOf(d.Delivery), Type: d.Type, LastAttempt: keptAttemptOf(d.LastAttempt)}
}

// keptAttemptOf answers nil for none.
func keptAttemptOf(a *webhook.Attempt) *Attempt {
	if a == nil {
		return nil
	}
	out := attemptOf(*a)
	return &out
}

func checkOf(c webhook.Check) Check {
	out := Check{
		URL: c.URL, Reachable: c.Reachable, CertificateEndsAt: Time{c.CertificateEndsAt},
		Phases: make([]CheckPhase, len(c.Phases)),
	}
	if c.Status != 0 {
		out.Status = &c.Status
	}
	for i, p := range c.Phases {
		out.Phases[i] = CheckPhase{Name: p.Name, Result: string(p.Result), DurationMs: p.Duration.Milliseconds(), Detail: p.Detail}
	}
	return out
}

func attemptOf(a webhook.Attempt) Attempt {
	out := Attempt{
		ID: a.ID, EventID: a.Ref.EventID, EndpointID: a.Ref.EndpointID, Type: a.Type,
		Number: a.Number, Trigger: string(a.Trigger),
		StartedAt: Time{a.StartedAt}, DurationMs: a.Duration.Milliseconds(),
		Phases: AttemptPhases{
			DNSMs: a.Phases.DNS.Milliseconds(), ConnectMs: a.Phases.Connect.Milliseconds(),
			TLSMs: a.Phases.TLS.Milliseconds(), FirstByteMs: a.Phases.FirstByte.Milliseconds(),
		},
		Request: AttemptRequest{URL: a.URL, Headers: sentHeaders(a)},
		Outcome: string(a.Outcome), Reason: string(a.Reason), Response: responseOf(a),
		NextAttemptAt: Time{a.NextAttemptAt},
	}
	if a.Status != 0 {
		out.Status = &a.Status
	}
	return out
}

// sentHeaders are the ones that can be told from the attempt.
func sentHeaders(a webhook.Attempt) map[string]string {
	return map[string]string{
		signer.HeaderID:         a.Ref.EventID,
		signer.HeaderTimestamp:  strconv.FormatInt(a.StartedAt.Unix(), 10),
		webhook.HeaderEventType: a.Type,
		webhook.HeaderAttempt:   strconv.Itoa(a.Number),
	}
}

func responseOf(a webhook.Attempt) *AttemptResponse {
	if len(a.ResponseHeader) == 0 && len(a.ResponseBody) == 0 {
		return nil
	}
	return &AttemptResponse{Headers: joined(a.ResponseHeader), Body: string(a.ResponseBody)}
}

func joined(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		out[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return out
}
