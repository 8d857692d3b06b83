package httpapi_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// fakeLimit is how many endpoints a brand may have.
const fakeLimit = 10

// rotationTime is the fake's clock at every rotation; what ends after it, ends long after the test.
var rotationTime = time.Date(2125, 1, 31, 12, 0, 0, 0, time.UTC)

type fakeEndpoint struct{ asked, stored webhook.Endpoint }

func (f *fakeService) CreateEndpoint(_ context.Context, e webhook.Endpoint) (webhook.Endpoint, bool, error) {
	err := f.enter()
	defer f.mu.Unlock()
	if err == nil {
		err = f.checkEndpoint(e)
	}
	if err != nil {
		return webhook.Endpoint{}, false, err
	}
	if e.ID == "" {
		e.ID = fmt.Sprintf("ep_%032d", len(f.endpoints)+1)
	}
	known, taken := f.endpoints[e.Ref()]
	switch {
	case f.deleted[e.Ref()]:
		return webhook.Endpoint{}, false, webhook.ErrDeleted
	case taken && !sameRequest(known.asked, e):
		return webhook.Endpoint{}, false, webhook.ErrConflict
	case taken:
		return known.stored, false, nil
	case len(f.ofBrand(e.Brand)) >= fakeLimit:
		return webhook.Endpoint{}, false, webhook.ErrLimit
	}
	stored := withSecret(e)
	stored.CreatedAt, stored.UpdatedAt = epoch, epoch
	f.endpoints[e.Ref()] = fakeEndpoint{asked: e, stored: stored}
	return stored, true, nil
}

func (f *fakeService) checkEndpoint(e webhook.Endpoint) error {
	target, err := url.Parse(e.URL)
	switch {
	case e.URL == "":
		return webhook.Invalid("url", "is required")
	case err != nil || target.Host == "":
		return webhook.Invalid("url", "is not a valid URL")
	case target.Scheme != "https":
		return webhook.Invalid("url", "scheme must be https")
	case !slices.Contains([]string{"", "80", "443", "8443"}, target.Port()):
		return webhook.Invalid("url", "port must be one of 80, 443, 8443")
	}
	if err := checkFakeHeaders(e.Headers); err != nil {
		return err
	}
	return f.checkTypes(e)
}

func checkFakeHeaders(headers map[string]string) error {
	for name, value := range headers {
		folded := strings.ToLower(name)
		switch {
		case strings.ContainsAny(name, " :\r\n"):
			return webhook.Invalid("headers."+name, "name must be letters and digits")
		case folded == "host" || strings.HasPrefix(folded, "webhook-"):
			return webhook.Invalid("headers."+name, "is reserved")
		case strings.ContainsAny(value, "\r\n"):
			return webhook.Invalid("headers."+name, "value must not contain control characters")
		}
	}
	return nil
}

func (f *fakeService) checkTypes(e webhook.Endpoint) error {
	switch {
	case e.Purpose != "" && len(e.EventTypes) > 0:
		return webhook.Invalid("eventTypes", "must be absent when purpose is set: set one of the two to null")
	case e.Purpose == "" && len(e.EventTypes) == 0:
		return webhook.Invalid("eventTypes", "is required unless purpose is set")
	case !slices.Contains([]string{"", "status", "inbound"}, e.Purpose):
		return webhook.Invalid("purpose", `must be "status" or "inbound"`)
	}
	for _, pattern := range e.EventTypes {
		matches := func(t webhook.EventType) bool { return webhook.MatchType(pattern, t.Name) }
		if !slices.ContainsFunc(f.EventTypes(), matches) {
			return webhook.Invalid("eventTypes", `matches no event type; the nearest is "message.*"`)
		}
	}
	return nil
}

func sameRequest(a, b webhook.Endpoint) bool {
	same := slices.EqualFunc(a.Secrets, b.Secrets, webhook.EndpointSecret.SameKey)
	a.Secrets, b.Secrets = nil, nil
	return same && reflect.DeepEqual(a, b)
}

func withSecret(e webhook.Endpoint) webhook.Endpoint {
	if len(e.Secrets) == 0 {
		e.Secrets = []webhook.EndpointSecret{newFakeSecret(e)}
	}
	return e
}

func newFakeSecret(e webhook.Endpoint) webhook.EndpointSecret {
	if e.Signature == webhook.SignatureEd25519 {
		return webhook.EndpointSecret{Ed25519: signer.NewPrivateKey()}
	}
	return webhook.EndpointSecret{HMAC: signer.NewSecret()}
}

func (f *fakeService) ofBrand(brand string) []webhook.Endpoint {
	var found []webhook.Endpoint
	for ref, e := range f.endpoints {
		if ref.Brand == brand {
			found = append(found, e.stored)
		}
	}
	return found
}

func (f *fakeService) Endpoints(_ context.Context, brand string) ([]webhook.Endpoint, error) {
	err := f.enter()
	defer f.mu.Unlock()
	return f.ofBrand(brand), err
}

func (f *fakeService) Endpoint(_ context.Context, ref webhook.EndpointRef) (webhook.Endpoint, error) {
	err := f.enter()
	defer f.mu.Unlock()
	return f.find(ref, err)
}

// find answers err, if there is one already.
func (f *fakeService) find(ref webhook.EndpointRef, err error) (webhook.Endpoint, error) {
	e, ok := f.endpoints[ref]
	if err == nil && !ok {
		err = fmt.Errorf("endpoint %s: %w", ref, webhook.ErrNotFound)
	}
	return e.stored, err
}

// UpdateEndpoint calls change twice, as if another change had come between.
func (f *fakeService) UpdateEndpoint(_ context.Context, ref webhook.EndpointRef, change func(*webhook.Endpoint) error) (webhook.Endpoint, error) {
	err := f.enter()
	defer f.mu.Unlock()
	stands, err := f.find(ref, err)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	var changed webhook.Endpoint
	for range 2 {
		changed = stands
		changed.Headers, changed.Metadata = maps.Clone(stands.Headers), maps.Clone(stands.Metadata)
		if err := change(&changed); err != nil {
			return webhook.Endpoint{}, err
		}
	}
	if err := f.checkEndpoint(changed); err != nil {
		return webhook.Endpoint{}, err
	}
	changed.UpdatedAt = epoch.Add(time.Minute)
	f.endpoints[ref] = fakeEndpoint{asked: f.endpoints[ref].asked, stored: changed}
	return changed, nil
}

func (f *fakeService) DeleteEndpoint(_ context.Context, ref webhook.EndpointRef) error {
	err := f.enter()
	defer f.mu.Unlock()
	if _, err = f.find(ref, err); err != nil {
		return err
	}
	delete(f.endpoints, ref)
	f.deleted[ref] = true
	return nil
}

func (f *fakeService) RotateSecret(_ context.Context, ref webhook.EndpointRef, r webhook.Rotation) (webhook.Endpoint, error) {
	err := f.enter(r)
	defer f.mu.Unlock()
	e, err := f.find(ref, err)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	if r.Secret.HMAC.IsZero() && r.Secret.Ed25519.IsZero() {
		r.Secret = newFakeSecret(e)
	}
	if r.Secret.HMAC.IsZero() != (e.Signature == webhook.SignatureEd25519) {
		return webhook.Endpoint{}, webhook.Invalid("secret", "must be of the kind of the endpoint's signature")
	}
	if e.Secrets, err = rotated(e.Secrets, r); err != nil {
		return webhook.Endpoint{}, err
	}
	f.endpoints[ref] = fakeEndpoint{asked: f.endpoints[ref].asked, stored: e}
	return e, nil
}

func rotated(secrets []webhook.EndpointSecret, r webhook.Rotation) ([]webhook.EndpointSecret, error) {
	switch {
	case r.Overlap < 0:
		return []webhook.EndpointSecret{r.Secret}, nil
	case len(secrets) > webhook.MaxOldSecrets:
		return nil, webhook.ErrLimit
	case r.Overlap == 0:
		r.Overlap = webhook.DefaultOverlap
	}
	old := slices.Clone(secrets)
	old[0].EndsAt = rotationTime.Add(r.Overlap)
	return append([]webhook.EndpointSecret{r.Secret}, old...), nil
}

func (f *fakeService) Health(_ context.Context, refs []webhook.EndpointRef) ([]webhook.Health, error) {
	err := f.enter(refs)
	defer f.mu.Unlock()
	found := make([]webhook.Health, len(refs))
	for i, ref := range refs {
		found[i] = f.health[ref]
		found[i].Limit = max(found[i].Limit, 4)
	}
	return found, err
}

// TestEndpoint answers the staged attempt, as one of what was asked for.
func (f *fakeService) TestEndpoint(_ context.Context, ref webhook.EndpointRef, eventType string) (webhook.Attempt, error) {
	err := f.enter()
	defer f.mu.Unlock()
	e, err := f.find(ref, err)
	if err != nil {
		return webhook.Attempt{}, err
	}
	for _, t := range f.EventTypes() {
		if eventType == "" && e.Wants(t.Name) {
			eventType = t.Name
		}
	}
	if !e.Wants(eventType) {
		return webhook.Attempt{}, webhook.Invalid("type", "is not one that the endpoint wants")
	}
	a := f.tested
	a.Ref = webhook.DeliveryRef{Brand: ref.Brand, EventID: a.Ref.EventID, EndpointID: ref.ID}
	a.Type, a.Trigger = eventType, webhook.TriggerTest
	return a, nil
}

// CheckURL answers the staged check, as one of the URL.
func (f *fakeService) CheckURL(_ context.Context, brand, address string) (webhook.Check, error) {
	err := f.enter([]string{brand, address})
	defer f.mu.Unlock()
	c := f.checked
	c.URL = address
	return c, err
}

// disable stages an endpoint of acme as one that an attempt disabled for a reason.
func (f *fakeService) disable(id, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ref := webhook.EndpointRef{Brand: "acme", ID: id}
	e := f.endpoints[ref]
	e.stored.DisabledReason, e.stored.DisabledAt, e.stored.DisabledAnswer = reason, epoch, "timeout"
	f.endpoints[ref] = e
}

// endOldSecrets stages the old secrets of an endpoint of acme as ended.
func (f *fakeService) endOldSecrets(id string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.endpoints[webhook.EndpointRef{Brand: "acme", ID: id}]
	for i := 1; i < len(e.stored.Secrets); i++ {
		e.stored.Secrets[i].EndsAt = at
	}
}
