package dispatcher_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// books are kept by those outside: the publisher's list of what was accepted,
// and what each receiver answered with a 2xx. Nothing in them is ours.
type books struct {
	mu       sync.Mutex
	accepted map[webhook.EventRef]time.Time
	accounts []*account
	// refusals counts the publishes that were not answered with nil, longest is that of the slowest.
	refusals int
	longest  time.Duration
	// last is when a publish was accepted last.
	last time.Time
}

// account is what one endpoint received.
type account struct {
	*dispatchertest.Receiver
	brand string

	mu    sync.Mutex
	posts map[string][]post
}

// post is one POST: when it began, its number in smobi-attempt, and whether it was answered with a 2xx.
type post struct {
	at      time.Time
	attempt string
	ok      bool
}

// events publish; a dispatcher and an API client do.
type events interface {
	Publish(context.Context, webhook.Event) (webhook.Receipt, error)
}

func newBooks() *books { return &books{accepted: map[webhook.EventRef]time.Time{}} }

// eventOf is event for another brand.
func eventOf(brand, id string) webhook.Event {
	e := event(id)
	e.Brand = brand
	return e
}

// endpoint opens an account of a new endpoint of the brand, which answers as
// answer says; nil is 200.
func (b *books) endpoint(t *testing.T, d *dispatchertest.Dispatcher, brand string, answer http.HandlerFunc, change ...func(*webhook.Endpoint)) *account {
	t.Helper()
	a := b.open(brand, d.Receiver(t, brand, webhook.PurposeStatus, change...))
	a.Receiver.Answer(func(w http.ResponseWriter, req *http.Request) { a.serve(w, req, answer) })
	return a
}

func (b *books) open(brand string, r *dispatchertest.Receiver) *account {
	a := &account{Receiver: r, brand: brand, posts: map[string][]post{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts = append(b.accounts, a)
	return a
}

func (a *account) serve(w http.ResponseWriter, req *http.Request, answer http.HandlerFunc) {
	id := req.Header.Get(signer.HeaderID)
	a.mu.Lock()
	n := len(a.posts[id])
	a.posts[id] = append(a.posts[id], post{at: time.Now(), attempt: req.Header.Get(webhook.HeaderAttempt)})
	a.mu.Unlock()
	noted := &status{ResponseWriter: w, code: http.StatusOK}
	if answer != nil {
		answer(noted, req)
	}
	if noted.code/100 != 2 || req.Context().Err() != nil { // whoever asked is gone
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.posts[id][n].ok = true
}

// status remembers what was answered.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// of returns the POSTs of one event, in order.
func (a *account) of(id string) []post {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.posts[id])
}

// publish publishes until it is accepted, as a caller does who keeps the id; an
// error is that of ctx, or one that no repetition would help.
func (b *books) publish(ctx context.Context, to events, e webhook.Event) error {
	for {
		begun := time.Now()
		_, err := to.Publish(ctx, e)
		b.note(time.Since(begun), err)
		if err == nil {
			b.accept(e.Ref())
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, webhook.ErrUnavailable) {
			return cmp.Or(ctx.Err(), err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// note counts the answer to a publish.
func (b *books) note(took time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.longest = max(b.longest, took)
	if err != nil {
		b.refusals++
	}
}

// accept lists an event that was promised to be delivered.
func (b *books) accept(ref webhook.EventRef) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted[ref], b.last = time.Now(), time.Now()
}

// load publishes perSecond events of the brand each second until ctx ends, and
// returns when all are accepted. Those that Redis keeps waiting do not hold up the rest.
func (b *books) load(ctx context.Context, t *testing.T, to events, brand string, perSecond int) {
	t.Helper()
	var open sync.WaitGroup
	defer open.Wait()
	pace := time.NewTicker(time.Second / time.Duration(perSecond))
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
		open.Go(func() {
			e := eventOf(brand, fmt.Sprintf("e%06d", i))
			if err := b.publish(t.Context(), to, e); err != nil {
				t.Errorf("%s was not accepted: %v", e.ID, err)
			}
		})
	}
}

// missing are the accepted deliveries that no receiver has answered with a 2xx.
func (b *books) missing() []webhook.DeliveryRef {
	b.mu.Lock()
	accepted, accounts := slices.Collect(maps.Keys(b.accepted)), slices.Clone(b.accounts)
	b.mu.Unlock()
	var missing []webhook.DeliveryRef
	for _, a := range accounts {
		a.mu.Lock()
		for _, ref := range accepted {
			if ref.Brand == a.brand && !slices.ContainsFunc(a.posts[ref.ID], func(p post) bool { return p.ok }) {
				missing = append(missing, webhook.DeliveryRef{Brand: ref.Brand, EventID: ref.ID, EndpointID: a.Endpoint.ID})
			}
		}
		a.mu.Unlock()
	}
	return missing
}

// balance waits until every accepted delivery is received, and answers how many
// came more than once. One that has ended otherwise, as d shows it, is not lost,
// but these tests have it end well.
func (b *books) balance(t *testing.T, d *dispatchertest.Dispatcher, within time.Duration) (duplicates int) {
	t.Helper()
	deadline := time.Now().Add(within)
	var open []webhook.DeliveryRef
	ended := map[webhook.State]int{}
	for time.Now().Before(deadline) {
		if open = b.missing(); len(open) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	lost := 0
	for _, ref := range open {
		state := stateOf(t, d, ref)
		if state == webhook.StateDead || state == webhook.StateExpired || state == webhook.StateCancelled {
			ended[state]++
			continue
		}
		if lost++; lost <= 10 {
			t.Errorf("accepted and not received: %s, which is %q", ref, state)
		}
	}
	deliveries, duplicates, most := b.count()
	t.Logf("books: %d events accepted, %d deliveries received, %v given up, lost %d; duplicates %d, at most %d POSTs of one",
		len(b.accepted), deliveries, ended, lost, duplicates, most)
	if len(ended) > 0 {
		t.Errorf("deliveries were given up: %v", ended)
	}
	if lost > 0 {
		t.Fatalf("%d deliveries were accepted and are lost", lost)
	}
	return duplicates
}

func stateOf(t *testing.T, d *dispatchertest.Dispatcher, ref webhook.DeliveryRef) webhook.State {
	t.Helper()
	found, err := d.Event(t.Context(), webhook.EventRef{Brand: ref.Brand, ID: ref.EventID})
	if err != nil {
		t.Logf("%s: %v", ref, err)
	}
	for _, delivery := range found.Deliveries {
		if delivery.Ref == ref {
			return delivery.State
		}
	}
	return ""
}

// count answers the deliveries received, the 2xx beyond the first of each, and
// the most POSTs that one took.
func (b *books) count() (deliveries, duplicates, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.accounts {
		a.mu.Lock()
		for _, posts := range a.posts {
			n := 0
			for _, p := range posts {
				if p.ok {
					n++
				}
			}
			deliveries, duplicates, most = deliveries+min(n, 1), duplicates+max(n-1, 0), max(most, len(posts))
		}
		a.mu.Unlock()
	}
	return deliveries, duplicates, most
}

// answers tells how many publishes were refused for want of Redis, and how long
// the slowest took, refused or accepted.
func (b *books) answers() (refused int, slowest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusals, b.longest
}

// percentile of some durations, which it sorts; 0 without any.
func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(p*float64(len(all))))]
}
