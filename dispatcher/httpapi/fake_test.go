package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

var epoch = time.Date(2025, 1, 31, 12, 0, 0, 123_456_789, time.UTC)

const fakePayloadLimit = 256 << 10

// fakeService keeps everything in memory, by the rules of Service.
type fakeService struct {
	mu        sync.Mutex
	err       error // answers every call
	calls     int
	events    map[webhook.EventRef]webhook.Event
	endpoints map[webhook.EndpointRef]fakeEndpoint
	attempts  map[webhook.EventRef][]webhook.Attempt
	states    map[webhook.EventRef][]webhook.Delivery
}

type fakeEndpoint struct{ asked, stored webhook.Endpoint }

func newFake() *fakeService {
	return &fakeService{
		events:    map[webhook.EventRef]webhook.Event{},
		endpoints: map[webhook.EndpointRef]fakeEndpoint{},
		attempts:  map[webhook.EventRef][]webhook.Attempt{},
		states:    map[webhook.EventRef][]webhook.Delivery{},
	}
}

// enter counts a call and answers the staged error. The caller unlocks.
func (f *fakeService) enter() error {
	f.mu.Lock()
	f.calls++
	return f.err
}

func (f *fakeService) Publish(_ context.Context, e webhook.Event) (webhook.Receipt, error) {
	err := f.enter()
	defer f.mu.Unlock()
	if err != nil {
		return webhook.Receipt{}, err
	}
	return f.publish(e)
}

func (f *fakeService) publish(e webhook.Event) (webhook.Receipt, error) {
	if err := e.Validate(fakePayloadLimit); err != nil {
		return webhook.Receipt{}, err
	}
	if !strings.HasPrefix(e.Type, "message.") {
		return webhook.Receipt{}, webhook.Invalid("type", "is not in the catalogue")
	}
	if e.ID == "" {
		e.ID = fmt.Sprintf("evt_%032d", len(f.events)+1)
	}
	old, known := f.events[e.Ref()]
	if known && (old.Type != e.Type || !bytes.Equal(old.Payload, e.Payload)) {
		return webhook.Receipt{}, fmt.Errorf("publish: %w", webhook.ErrConflict)
	}
	if !known {
		e.PublishedAt = epoch
		f.events[e.Ref()] = e
	}
	return webhook.Receipt{ID: e.ID, Duplicate: known, Endpoints: f.matching(e)}, nil
}

func (f *fakeService) matching(e webhook.Event) []string {
	var ids []string
	for ref, endpoint := range f.endpoints {
		if ref.Brand == e.Brand && endpoint.stored.Wants(e.Type) {
			ids = append(ids, ref.ID)
		}
	}
	return slices.Sorted(slices.Values(ids))
}

func (f *fakeService) PublishBatch(_ context.Context, events []webhook.Event) ([]webhook.Result, error) {
	err := f.enter()
	defer f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	results := make([]webhook.Result, len(events))
	for i, e := range events {
		results[i].Receipt, results[i].Err = f.publish(e)
	}
	return results, nil
}

func (f *fakeService) CreateEndpoint(_ context.Context, e webhook.Endpoint) (webhook.Endpoint, bool, error) {
	err := f.enter()
	defer f.mu.Unlock()
	if err != nil {
		return webhook.Endpoint{}, false, err
	}
	if !strings.HasPrefix(e.URL, "https://") {
		return webhook.Endpoint{}, false, webhook.Invalid("url", "must be an https URL")
	}
	if e.ID == "" {
		e.ID = fmt.Sprintf("ep_%032d", len(f.endpoints)+1)
	}
	if known, ok := f.endpoints[e.Ref()]; ok {
		if !sameRequest(known.asked, e) {
			return webhook.Endpoint{}, false, webhook.ErrConflict
		}
		return known.stored, false, nil
	}
	stored := withSecret(e)
	stored.CreatedAt, stored.UpdatedAt = epoch, epoch
	f.endpoints[e.Ref()] = fakeEndpoint{asked: e, stored: stored}
	return stored, true, nil
}

func sameRequest(a, b webhook.Endpoint) bool {
	same := slices.EqualFunc(a.Secrets, b.Secrets, func(x, y webhook.EndpointSecret) bool {
		return x.HMAC.Equal(y.HMAC) && x.Ed25519.Equal(y.Ed25519)
	})
	a.Secrets, b.Secrets = nil, nil
	return same && reflect.DeepEqual(a, b)
}

func withSecret(e webhook.Endpoint) webhook.Endpoint {
	switch {
	case len(e.Secrets) > 0:
	case e.Signature == webhook.SignatureEd25519:
		e.Secrets = []webhook.EndpointSecret{{Ed25519: signer.NewPrivateKey()}}
	default:
		e.Secrets = []webhook.EndpointSecret{{HMAC: signer.NewSecret()}}
	}
	return e
}

func (f *fakeService) Endpoints(_ context.Context, brand string) ([]webhook.Endpoint, error) {
	err := f.enter()
	defer f.mu.Unlock()
	var found []webhook.Endpoint
	for ref, e := range f.endpoints {
		if ref.Brand == brand {
			found = append(found, e.stored)
		}
	}
	return found, err
}

func (f *fakeService) Endpoint(_ context.Context, ref webhook.EndpointRef) (webhook.Endpoint, error) {
	err := f.enter()
	defer f.mu.Unlock()
	e, ok := f.endpoints[ref]
	if err == nil && !ok {
		err = fmt.Errorf("get endpoint %s: %w", ref, webhook.ErrNotFound)
	}
	return e.stored, err
}

func (f *fakeService) Event(_ context.Context, ref webhook.EventRef) (webhook.EventStatus, error) {
	err := f.enter()
	defer f.mu.Unlock()
	e, ok := f.events[ref]
	if err == nil && !ok {
		err = fmt.Errorf("get event %s: %w", ref, webhook.ErrNotFound)
	}
	return webhook.EventStatus{Event: e, Deliveries: f.states[ref]}, err
}

func (f *fakeService) Attempts(_ context.Context, ref webhook.EventRef, endpointID string) ([]webhook.Attempt, error) {
	err := f.enter()
	defer f.mu.Unlock()
	if _, ok := f.events[ref]; err == nil && !ok {
		err = webhook.ErrNotFound
	}
	var found []webhook.Attempt
	for _, a := range f.attempts[ref] {
		if endpointID == "" || a.Ref.EndpointID == endpointID {
			found = append(found, a)
		}
	}
	return found, err
}

// event returns what was stored.
func (f *fakeService) event(brand, id string) webhook.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[webhook.EventRef{Brand: brand, ID: id}]
}
