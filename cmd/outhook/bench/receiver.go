package bench

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/signer"
)

// receiver answers 200 at once and notes what arrived when. Endpoint n is the path /n, event n has the id "e" and n.
type receiver struct {
	mu sync.Mutex
	// seen is when each event first arrived, by endpoint and number, in nanoseconds since 1970. Of a great many endpoints, each gets few.
	seen map[int]map[int]int64
	tally
	requests int
	// reached is closed when so many have arrived.
	want    int
	reached chan struct{}

	manners
	// released is closed when what hangs may go on.
	released chan struct{}
}

// tally is what has arrived so far.
type tally struct {
	// Arrived counts each event once an endpoint, Again what came more than once.
	Arrived, Again int
	// LastAt is when the last new one arrived, in nanoseconds since 1970.
	LastAt int64
	// Held are requests that are not answered yet, and Most is how many that were at once; what hangs is not counted as arrived.
	Held, Most int
}

// manners say how a receiver misbehaves. The zero value is not at all.
type manners struct {
	// Hang names endpoints that do not answer; HangAll is every one.
	Hang    []int
	HangAll bool
	// Slow is how long the answer to what arrives takes.
	Slow time.Duration
	// Lose has every so manieth arrival answered, but not counted: a run that goes wrong, for tests.
	Lose int
}

func newReceiver() *receiver {
	return &receiver{seen: map[int]map[int]int64{}, released: make(chan struct{})}
}

// receiver plays the role.
func (c Child) receiver(ctx context.Context) error {
	r := newReceiver()
	var servers []*http.Server
	defer func() {
		for _, s := range servers {
			_ = s.Close()
		}
	}()
	open := func(_ context.Context, listeners int) ([]string, error) {
		var urls []string
		for range listeners {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			s := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
			servers, urls = append(servers, s), append(urls, "http://"+l.Addr().String())
			go func() { _ = s.Serve(l) }() // ends with Close
		}
		return urls, nil
	}
	return c.obey(ctx, orders{
		"open": can(open), "await": can(r.await), "tally": can(r.count), "times": can(r.times), "forget": can(r.forget), "behave": can(r.behave),
	})
}

// ServeHTTP takes one webhook.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now().UnixNano()
	_, _ = io.Copy(io.Discard, req.Body)
	endpoint, errPath := strconv.Atoi(strings.TrimPrefix(req.URL.Path, "/"))
	event, errID := strconv.Atoi(strings.TrimPrefix(req.Header.Get(signer.HeaderID), "e"))
	if errPath != nil || errID != nil || event < 0 {
		http.Error(w, "not of this bench", http.StatusBadRequest)
		return
	}
	if hold, slow := r.note(endpoint, event, at); hold != nil {
		wait(req.Context(), hold, slow)
		r.letGo()
	}
}

// note returns what to wait for before the answer, nil for nothing, and for how long, 0 for ever.
func (r *receiver) note(endpoint, event int, at int64) (<-chan struct{}, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.HangAll || slices.Contains(r.Hang, endpoint) {
		return r.hold(), 0
	}
	r.requests++
	if r.Lose == 0 || r.requests%r.Lose != 0 {
		r.arrive(endpoint, event, at)
	}
	if r.Slow > 0 {
		return r.hold(), r.Slow
	}
	return nil, 0
}

// hold counts one that is not answered yet, and returns what ends that before its time.
func (r *receiver) hold() <-chan struct{} {
	r.Held++
	r.Most = max(r.Most, r.Held)
	return r.released
}

// wait returns when hold is closed, ctx has ended or, unless it is 0, most is over.
func wait(ctx context.Context, hold <-chan struct{}, most time.Duration) {
	var over <-chan time.Time
	if most > 0 {
		over = time.After(most)
	}
	select {
	case <-hold:
	case <-over:
	case <-ctx.Done():
	}
}

func (r *receiver) arrive(endpoint, event int, at int64) {
	times := r.seen[endpoint]
	if times == nil {
		times = map[int]int64{}
		r.seen[endpoint] = times
	}
	if _, known := times[event]; known {
		r.Again++
		return
	}
	times[event], r.LastAt = at, at
	r.Arrived++
	if r.reached != nil && r.Arrived >= r.want {
		close(r.reached)
		r.reached = nil
	}
}

func (r *receiver) letGo() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Held--
}

// awaited says how many arrivals are waited for, and for how long.
type awaited struct {
	Arrived int
	Within  time.Duration
}

// await answers once so many have arrived, or when the time is over.
func (r *receiver) await(ctx context.Context, a awaited) (tally, error) {
	reached := r.expect(a.Arrived)
	timer := time.NewTimer(a.Within)
	defer timer.Stop()
	select {
	case <-reached:
	case <-timer.C:
	case <-ctx.Done():
		return tally{}, ctx.Err()
	}
	return r.count(ctx, none{})
}

func (r *receiver) expect(arrived int) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	reached := make(chan struct{})
	if r.Arrived >= arrived {
		close(reached)
		return reached
	}
	r.want, r.reached = arrived, reached
	return reached
}

func (r *receiver) count(context.Context, none) (tally, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally, nil
}

// times answers when each event arrived at each endpoint.
func (r *receiver) times(context.Context, none) (map[int]map[int]int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[int]map[int]int64{}
	for endpoint, times := range r.seen {
		all[endpoint] = maps.Clone(times)
	}
	return all, nil
}

// forget counts from 0. What was seen stays known: it may come again.
func (r *receiver) forget(context.Context, none) (none, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally = tally{Held: r.Held, Most: r.Held}
	return none{}, nil
}

// behave changes the manners, and lets go on what hung.
func (r *receiver) behave(_ context.Context, m manners) (none, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.manners = m
	close(r.released)
	r.released = make(chan struct{})
	return none{}, nil
}
