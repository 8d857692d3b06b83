package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var epoch = time.Date(2025, 1, 31, 12, 0, 0, 123_456_789, time.UTC)

const fakePayloadLimit = 256 << 10

// fakeService keeps everything in memory, by the rules of Service. What tests
// stage they put into its fields.
type fakeService struct {
	mu          sync.Mutex
	err         error // answers every call
	calls       int
	events      map[webhook.EventRef]webhook.Event
	states      map[webhook.EventRef][]webhook.Delivery
	attempts    map[webhook.EventRef][]webhook.Attempt
	explained   map[webhook.EventRef][]webhook.Explained
	deadLetters []webhook.DeadLetter
	keys        []webhook.APIKey // oldest first
	endpoints   map[webhook.EndpointRef]fakeEndpoint
	deleted     map[webhook.EndpointRef]bool
	health      map[webhook.EndpointRef]webhook.Health
	jobs        []webhook.Job // the first begun first
	brandHealth webhook.BrandHealth
	tested      webhook.Attempt
	checked     webhook.Check
	asked       []any // queries, rotations and refs, as they came
}

func newFake() *fakeService {
	return &fakeService{
		events:    map[webhook.EventRef]webhook.Event{},
		states:    map[webhook.EventRef][]webhook.Delivery{},
		attempts:  map[webhook.EventRef][]webhook.Attempt{},
		explained: map[webhook.EventRef][]webhook.Explained{},
		endpoints: map[webhook.EndpointRef]fakeEndpoint{},
		deleted:   map[webhook.EndpointRef]bool{},
		health:    map[webhook.EndpointRef]webhook.Health{},
	}
}

// enter counts a call, keeps what was asked, and answers the staged error. The caller unlocks.
func (f *fakeService) enter(asked ...any) error {
	f.mu.Lock()
	f.calls++
	f.asked = append(f.asked, asked...)
	return f.err
}

// lastAsked returns what the last call that keeps it asked for.
func (f *fakeService) lastAsked() any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		return nil
	}
	return f.asked[len(f.asked)-1]
}

func (f *fakeService) EventTypes() []webhook.EventType {
	return []webhook.EventType{
		{Name: "message.delivered", Group: "status", Description: "Arrived", Schema: []byte(`{"type":"object"}`), Example: []byte(`{"to":"15552223333"}`)},
		{Name: "message.failed", Group: "status", Description: "Did not arrive", Schema: []byte(`{"type":"object"}`), Example: []byte(`{"to":"15552223333"}`)},
		{Name: "message.read", Group: "status", Description: "Was read", Schema: []byte(`{"type":"object"}`), Example: []byte(`{"to":"15552223333"}`)},
	}
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
	if !slices.ContainsFunc(f.EventTypes(), func(t webhook.EventType) bool { return t.Name == e.Type }) {
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

func (f *fakeService) Event(_ context.Context, ref webhook.EventRef) (webhook.EventStatus, error) {
	err := f.enter()
	defer f.mu.Unlock()
	e, ok := f.events[ref]
	if err == nil && !ok {
		err = fmt.Errorf("get event %s: %w", ref, webhook.ErrNotFound)
	}
	return webhook.EventStatus{Event: e, Deliveries: f.states[ref]}, err
}

// event returns what was stored.
func (f *fakeService) event(brand, id string) webhook.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[webhook.EventRef{Brand: brand, ID: id}]
}
