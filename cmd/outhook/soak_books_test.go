package main

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

const (
	soakBrands = 5
	// soakGroups are brands and purposes. The events of a group go to the same endpoints, so many.
	soakGroups, soakFanout = 2 * soakBrands, 2
	eventPrefix            = "e"
)

// soakBooks are kept by those outside: what was accepted, and what was received.
type soakBooks struct {
	receivers []*soakReceiver
	// now and most are how many are being served at a time.
	now, most atomic.Int64
	// open is how many deliveries are accepted and not received yet.
	open atomic.Int64

	mu       sync.Mutex
	accepted []bool // by number
}

// soakReceiver is one endpoint.
type soakReceiver struct {
	books                    *soakBooks
	server                   *httptest.Server
	group                    int
	brand, endpoint, purpose string

	mu    sync.Mutex
	mood  string
	share float64 // of what comes in is met by the mood
	// first are the times of the first 2xx, ms of Unix, 0 for none yet, by number within the group; again those of others.
	first []int64
	again []again
}

type again struct {
	number int
	at     time.Time
}

func newSoakBooks(t *testing.T) *soakBooks {
	b := &soakBooks{}
	for group := range soakGroups {
		for i := range soakFanout {
			r := &soakReceiver{books: b, group: group, brand: brandName(group % soakBrands), purpose: webhook.PurposeStatus}
			if group >= soakBrands {
				r.purpose = webhook.PurposeInbound
			}
			r.endpoint = fmt.Sprintf("%s-%d", r.purpose, i)
			r.server = httptest.NewServer(r)
			t.Cleanup(func() {
				r.server.CloseClientConnections() // what hangs
				r.server.Close()
			})
			b.receivers = append(b.receivers, r)
		}
	}
	return b
}

func (r *soakReceiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	now := r.books.now.Add(1)
	defer r.books.now.Add(-1)
	for most := r.books.most.Load(); now > most && !r.books.most.CompareAndSwap(most, now); most = r.books.most.Load() {
	}
	if _, err := io.Copy(io.Discard, q.Body); err != nil {
		return
	}
	r.mu.Lock()
	mood, is := moods[r.mood]
	is = is && rand.Float64() < r.share
	r.mu.Unlock()
	if is && !mood(w, q) || q.Context().Err() != nil { // whoever asked is gone
		return
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(q.Header.Get(signer.HeaderID), eventPrefix)); err == nil {
		r.note(n)
	}
}

// note is about an event that is being answered with 2xx.
func (r *soakReceiver) note(n int) {
	now, i := time.Now(), n/soakGroups
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.first) <= i {
		r.first = append(r.first, 0)
	}
	if r.first[i] == 0 {
		r.books.open.Add(-1) // what is not accepted yet will be, as it is repeated
		r.first[i] = now.UnixMilli()
		return
	}
	r.again = append(r.again, again{n, now})
}

// accept lists an event that was promised to be delivered.
func (b *soakBooks) accept(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.accepted) <= n {
		b.accepted = append(b.accepted, false)
	}
	b.accepted[n] = true
	b.open.Add(soakFanout)
}

// sicken has one endpoint be ill for a while, some of what it gets or all.
func (b *soakBooks) sicken(s *soak) {
	r := b.receivers[rand.N(len(b.receivers))]
	names := slices.Sorted(maps.Keys(moods))
	r.feel(names[rand.N(len(names))], 0.3+rand.Float64())
	s.in(2*time.Second+rand.N(10*time.Second), func() { r.feel("", 0) })
}

func (r *soakReceiver) feel(mood string, share float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mood, r.share = mood, share
}

// cure has all endpoints be well.
func (b *soakBooks) cure() {
	for _, r := range b.receivers {
		r.feel("", 0)
	}
}

// gone is a delivery that was not received, or more than once.
type gone struct {
	brand, event, endpoint string
	first, again           time.Time
}

func (r *soakReceiver) delivery(n int) gone {
	return gone{brand: r.brand, event: eventPrefix + fmt.Sprint(n), endpoint: r.endpoint}
}

// missing are the accepted deliveries that no receiver has answered with a 2xx.
func (b *soakBooks) missing() (all []gone) {
	b.mu.Lock()
	accepted := slices.Clone(b.accepted)
	b.mu.Unlock()
	for _, r := range b.receivers {
		r.mu.Lock()
		for n := r.group; n < len(accepted); n += soakGroups {
			if i := n / soakGroups; accepted[n] && (i >= len(r.first) || r.first[i] == 0) {
				all = append(all, r.delivery(n))
			}
		}
		r.mu.Unlock()
	}
	return all
}

func (b *soakBooks) received() bool { return len(b.missing()) == 0 }

// repeats are the 2xx beyond the first of each delivery.
func (b *soakBooks) repeats() (all []gone) {
	for _, r := range b.receivers {
		r.mu.Lock()
		for _, a := range r.again {
			d := r.delivery(a.number)
			d.first, d.again = time.UnixMilli(r.first[a.number/soakGroups]), a.at
			all = append(all, d)
		}
		r.mu.Unlock()
	}
	return all
}

// counts answers the events accepted, the deliveries received, and what was received again.
func (b *soakBooks) counts() (accepted, received, repeats int) {
	b.mu.Lock()
	for _, ok := range b.accepted {
		if ok {
			accepted++
		}
	}
	b.mu.Unlock()
	for _, r := range b.receivers {
		r.mu.Lock()
		for _, at := range r.first {
			if at > 0 {
				received++
			}
		}
		repeats += len(r.again)
		r.mu.Unlock()
	}
	return accepted, received, repeats
}
