package dispatcher

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// TestEndpoint sends one signed sample now, outside the queue, as a delivery
// would be sent, disabled or not, and answers the attempt. It changes nothing of
// the endpoint, is not repeated, and stands in the attempts with TriggerTest. An
// empty eventType is the first of the catalogue that the endpoint wants. Once
// begun it goes on when ctx ends, for as long as an attempt may take.
//
// Errors: [webhook.FieldError] of "type"; [webhook.ErrNotFound];
// [webhook.ErrBusy] when the brand has several under way, or the
// endpoint's rate limit leaves no room for a second; [webhook.ErrUnavailable].
func (d *Dispatcher) TestEndpoint(ctx context.Context, ref webhook.EndpointRef, eventType string) (webhook.Attempt, error) {
	if !d.trials.enter(ref.Brand) {
		return webhook.Attempt{}, webhook.ErrBusy
	}
	defer d.trials.leave(ref.Brand)
	endpoint, err := d.Endpoint(ctx, ref)
	if err != nil {
		return webhook.Attempt{}, err
	}
	sample, err := d.sampleFor(endpoint, eventType)
	if err != nil {
		return webhook.Attempt{}, err
	}
	wait, err := within(ctx, d, "test", func(ctx context.Context) (time.Duration, error) {
		return d.store.Spend(ctx, ref, testWait)
	})
	if err != nil {
		return webhook.Attempt{}, err
	}
	if wait > 0 && !sleep(ctx, wait) {
		return webhook.Attempt{}, ctx.Err()
	}
	ctx = context.WithoutCancel(ctx)
	claim := webhook.Claim{Number: 1, Trigger: webhook.TriggerTest, Event: sample, Endpoint: &endpoint, OpenedAt: sample.PublishedAt}
	span := d.tracer.Test(ctx, &claim)
	defer span.Close()
	a, _, err := d.post(ctx, &claim, span, webhook.Schedule{MaxAttempts: 1}, true)
	if err != nil {
		return webhook.Attempt{}, err
	}
	_, err = within(ctx, d, "record test", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, d.store.RecordTest(ctx, *a)
	})
	if err != nil { // it was sent all the same
		d.log.WarnContext(ctx, "attempt of a test is not kept", "brand", ref.Brand, "endpoint", ref.ID, "error", err)
	}
	return *a, nil
}

// testWait is how long a test waits for a token of the endpoint's rate limit.
const testWait = time.Second

// sampleFor is the catalogue's example of a type that the endpoint wants.
func (d *Dispatcher) sampleFor(endpoint webhook.Endpoint, eventType string) (webhook.Event, error) {
	for _, t := range d.catalog.Types() {
		if d.catalog.Matches(endpoint, t.Name) && (eventType == "" || eventType == t.Name) {
			return webhook.Event{
				ID: webhook.NewID(webhook.EventPrefix), Brand: endpoint.Brand, Type: t.Name, Payload: t.Example,
				PublishedAt: time.Now().Truncate(time.Millisecond).UTC(),
			}, nil
		}
	}
	if eventType == "" {
		return webhook.Event{}, webhook.Invalid("type", "is required: the endpoint wants no type of the catalogue")
	}
	if _, known := d.catalog.Lookup(eventType); !known {
		return webhook.Event{}, d.catalog.Publishable(eventType)
	}
	return webhook.Event{}, webhook.Invalid("type", "must be one that the endpoint wants: it wants %s", strings.Join(endpoint.Patterns(), ", "))
}

// CheckURL looks at a URL as a delivery would, without an event. Errors:
// [webhook.FieldError] of "url" when it is empty; [webhook.ErrBusy].
func (d *Dispatcher) CheckURL(ctx context.Context, brand, url string) (webhook.Check, error) {
	if url == "" {
		return webhook.Check{}, webhook.Invalid("url", "is required")
	}
	if !d.trials.enter(brand) {
		return webhook.Check{}, webhook.ErrBusy
	}
	defer d.trials.leave(brand)
	return d.egress.Check(ctx, url), nil
}

// trialsMost is how many tests and checks of a brand may be under way in this
// process: each may take as long as an attempt, and costs its target a request.
const trialsMost = 4

// trials counts the tests and checks under way. The zero value is ready.
type trials struct {
	mu    sync.Mutex
	count map[string]int
}

func (t *trials) enter(brand string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count[brand] >= trialsMost {
		return false
	}
	if t.count == nil {
		t.count = map[string]int{}
	}
	t.count[brand]++
	return true
}

func (t *trials) leave(brand string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count[brand]--; t.count[brand] == 0 {
		delete(t.count, brand)
	}
}
