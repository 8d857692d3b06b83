// Package storetest is the suite that every [webhook.Store] passes.
package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// Settings are what a store under test must be opened with.
type Settings struct {
	Now               func() time.Time
	MaxInFlight       int
	MaxAge            time.Duration
	EndpointsPerBrand int
}

// The suite's settings; the clock is the suite's own.
const (
	maxInFlight       = 3
	maxAge            = 75 * time.Hour
	endpointsPerBrand = 5
	// retainDeadLetters is the default, which the store must have.
	retainDeadLetters = 720 * time.Hour
)

// Run runs the suite, one test after the other. open returns an empty store
// with the given settings, whose locks run on the given clock.
func Run(t *testing.T, open func(t *testing.T, s Settings) webhook.Store) {
	t.Helper()
	suites := []map[string]func(*T){admitTests, claimTests, recordTests, endpointTests, updateTests, cancelTests,
		healthTests, gateTests, limitTests, keyTests, listTests, attemptLogTests, deadLetterTests, reopenTests, jobTests, reconcileTests, traceTests, randomTests, randomGateTests, randomJobTests}
	for _, suite := range suites {
		for name, test := range suite {
			t.Run(name, func(t *testing.T) {
				clock := &clock{now: time.Now().Truncate(time.Millisecond).UTC()}
				store := open(t, Settings{Now: clock.Now, MaxInFlight: maxInFlight, MaxAge: maxAge, EndpointsPerBrand: endpointsPerBrand})
				test(&T{T: t, Store: store, clock: clock, brand: "brand", revisions: map[webhook.EndpointRef]string{}})
			})
		}
	}
}

// T is one test with its store, its clock and its brand.
type T struct {
	*testing.T
	webhook.Store
	clock *clock
	brand string
	// revisions of endpoints, as the last claims told.
	revisions map[webhook.EndpointRef]string
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (t *T) now() time.Time { return t.clock.Now() }

// pass moves the store's clock.
func (t *T) pass(d time.Duration) {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.clock.now = t.clock.now.Add(d)
}

// endpoint creates an endpoint of the test's brand.
func (t *T) endpoint(id string, change ...func(*webhook.Endpoint)) webhook.EndpointRef {
	t.Helper()
	e := webhook.Endpoint{
		ID: id, Brand: t.brand, URL: "https://example.com/" + id, Purpose: webhook.PurposeStatus,
		Secrets:   []webhook.EndpointSecret{{HMAC: signer.NewSecret()}},
		CreatedAt: t.now(), UpdatedAt: t.now(),
	}
	for _, c := range change {
		c(&e)
	}
	if _, created, err := t.CreateEndpoint(t.Context(), e); err != nil || !created {
		t.Fatalf("CreateEndpoint(%s): created %v, %v", id, created, err)
	}
	return e.Ref()
}

// event returns an event of the test's brand, published now.
func (t *T) event(id string) webhook.Event {
	return webhook.Event{
		ID: id, Brand: t.brand, Type: "message.delivered",
		Payload: []byte(fmt.Sprintf(`{"id": %q, "n":1e2, "n":2}`, id)), PublishedAt: t.now(),
	}
}

// admit admits one event and finishes its fan-out.
func (t *T) admit(e webhook.Event, endpoints ...string) webhook.Admitted {
	t.Helper()
	a := t.admitOne(webhook.Fanout{Event: e, Endpoints: endpoints, AtOnce: true})
	if !a.Finished {
		t.must(t.Finish(t.Context(), []webhook.Event{e}))
	}
	return a
}

// admitOnly leaves the fan-out unfinished.
func (t *T) admitOnly(e webhook.Event, endpoints ...string) webhook.Admitted {
	t.Helper()
	return t.admitOne(webhook.Fanout{Event: e, Endpoints: endpoints})
}

func (t *T) admitOne(f webhook.Fanout) webhook.Admitted {
	t.Helper()
	a, err := t.Admit(t.Context(), []webhook.Fanout{f})
	t.must(err)
	if len(a) != 1 {
		t.Fatalf("Admit answered %d entries for one event", len(a))
	}
	return a[0]
}

// runOf admits one event to one endpoint that has a free slot.
func (t *T) runOf(id, endpoint string) webhook.Run {
	t.Helper()
	a := t.admit(t.event(id), endpoint)
	if len(a.Runs()) != 1 || a.Runs()[0].EventID != id {
		t.Fatalf("Admit(%s) released %v, want its own run", id, a.Runs())
	}
	return a.Runs()[0]
}

func (t *T) claim(run webhook.Run) webhook.Claim {
	t.Helper()
	c, err := t.Claim(t.Context(), run)
	t.must(err)
	return *c
}

func (t *T) wantClaim(run webhook.Run, want webhook.ClaimVerdict) webhook.Claim {
	t.Helper()
	c := t.claim(run)
	if c.Verdict != want {
		t.Fatalf("Claim(%s) = %d, want %d", run.ID(), c.Verdict, want)
	}
	return c
}

// settle records an attempt of run with its verdict.
func (t *T) settle(run webhook.Run, v webhook.Verdict) []webhook.Run {
	t.Helper()
	return t.record(t.attempt(run, v), run, v)
}

func (t *T) attempt(run webhook.Run, v webhook.Verdict) *webhook.Attempt {
	return &webhook.Attempt{
		ID: webhook.NewID(webhook.AttemptPrefix), Ref: run.DeliveryRef, Type: "message.delivered", Number: 1,
		Trigger: webhook.TriggerDelivery, StartedAt: t.now(), Duration: 1500 * time.Microsecond,
		URL: "https://example.com/", Status: 200, Outcome: v.Outcome, Reason: v.Reason, NextAttemptAt: v.NextAttemptAt,
	}
}

func (t *T) record(a *webhook.Attempt, run webhook.Run, v webhook.Verdict) []webhook.Run {
	t.Helper()
	freed, err := t.Record(t.Context(), &webhook.Settlement{Run: run, Attempt: a, Verdict: v})
	runs := freed.Runs
	t.must(err)
	return runs
}

func delivered() webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK, State: webhook.StateDelivered, Counts: true}
}

func (t *T) retryIn(d time.Duration) webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeRetrying, Reason: webhook.ReasonHTTPStatus,
		State: webhook.StateRetrying, Counts: true, NextAttemptAt: t.now().Add(d)}
}

func dead(reason webhook.DeathReason) webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeDead, Reason: webhook.ReasonHTTPStatus,
		State: webhook.StateDead, DeathReason: reason, Counts: true}
}

func (t *T) refOf(event, endpoint string) webhook.DeliveryRef {
	return webhook.DeliveryRef{Brand: t.brand, EventID: event, EndpointID: endpoint}
}

func (t *T) wantState(event, endpoint string, want webhook.State) webhook.Delivery {
	t.Helper()
	d, err := t.Delivery(t.Context(), t.refOf(event, endpoint))
	t.must(err)
	if d.State != want {
		t.Fatalf("delivery of %s to %s is %s, want %s", event, endpoint, d.State, want)
	}
	return d
}

// wantRuns compares the released events, in order.
func (t *T) wantRuns(runs []webhook.Run, events ...string) {
	t.Helper()
	got := []string{}
	for _, r := range runs {
		got = append(got, r.EventID)
		if r.Number < 1 || r.Queue == "" || r.Brand != t.brand {
			t.Errorf("run %+v lacks its number, queue or brand", r)
		}
	}
	if strings.Join(got, " ") != strings.Join(events, " ") {
		t.Fatalf("released %v, want %v", got, events)
	}
}

func (t *T) attempts(event, endpoint string) []webhook.Attempt {
	t.Helper()
	a, err := t.Attempts(t.Context(), t.refOf(event, endpoint))
	t.must(err)
	return a
}

func (t *T) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
