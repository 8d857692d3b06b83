package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

const (
	// soakMaxAge and soakRetention are how long an event is open at most, and kept then: their sum is how long its id stays in Redis.
	soakMaxAge, soakRetention = 3 * time.Minute, 2 * time.Minute
	// soakSettled is the shortest soak of which two thirds come after the first of these ids are gone, and a minute more.
	soakSettled = 3 * (soakMaxAge + soakRetention + time.Minute)
	// soakDrain bounds how long all that is open may take in the end. A killed worker's part takes 40 s.
	soakDrain = 3 * time.Minute
	// soakBurst are the events by which it is found out how many a second this machine carries.
	soakBurst = 3000

	sampleEvery   = 10 * time.Second
	progressEvery = time.Minute
)

// soakFlags make everything that ends after days end after minutes.
var soakFlags = []string{
	"--retry-max-age=" + soakMaxAge.String(), "--retention-delivered=" + soakRetention.String(), "--retention-attempts=" + soakRetention.String(),
	"--retry-initial-interval=500ms", "--retry-multiplier=2", "--retry-max-interval=8s",
	"--breaker-open-for=2s", "--breaker-max-open-for=10s", "--delivery-timeout=4s",
}

// soak is a deployment on one Redis, some of which is killed now and then. Of the APIs and of the workers the first never is.
type soak struct {
	*testing.T
	server   *redistest.Server
	admin    redis.UniversalClient
	stations []*station
	books    *soakBooks
	load     *soakLoad
	faults   soakFaults
	growth   growth

	errands []errand
	// over: nothing is done any more that does harm.
	over  bool
	began time.Time
}

// TestSoak goes on for OUTHOOK_TEST_SOAK, 20m for example, at half of the rate that it finds this machine to carry, or at
// OUTHOOK_TEST_PER_SECOND events a second if that is less. Endpoints are ill now and then, workers, API processes and Redis are
// killed and terminated. In the end everything that was accepted has been received, nothing came twice but for a killed worker,
// and memory, goroutines, descriptors and keys are no more than they were in the middle.
//
//	OUTHOOK_TEST_SOAK=20m go test -count 1 -timeout 40m -v -run 'TestSoak$' ./cmd/outhook
//
// It is no part of CI: what grows does not show within a minute, and of the rest each has a test of its own there.
func TestSoak(t *testing.T) {
	text := os.Getenv("OUTHOOK_TEST_SOAK")
	if text == "" {
		t.Skip("set OUTHOOK_TEST_SOAK to how long it is to go on, such as 20m")
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	s := startSoak(t)
	s.load.begin(s.Context(), s.rate())
	s.harm()
	s.unless(sampleEvery, sampleEvery, s.sample)
	s.every(progressEvery, progressEvery, s.progress)
	s.attend(func() bool { return time.Since(s.began) >= length })
	s.end()
	s.account()
	s.growth.log(t)
	if length < soakSettled {
		t.Logf("too short for a verdict on growth: it takes %s", soakSettled)
		return
	}
	s.growth.judge(t)
}

func startSoak(t *testing.T) *soak {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	s := &soak{T: t, server: server, admin: server.Admin(t), books: newSoakBooks(t)}
	s.load = newSoakLoad(t, s.books)
	for _, role := range []string{"api", "api", "worker", "worker", "worker"} {
		s.stations = append(s.stations, &station{role: role})
		s.open(len(s.stations) - 1)
	}
	s.load.register(s.books)
	return s
}

// rate is half of what this machine carries, all processes running, unless it is asked for less.
func (s *soak) rate() float64 {
	s.load.burst(500) // connections, caches, limits that adapt
	began := time.Now()
	s.load.burst(soakBurst)
	capacity := soakBurst / time.Since(began).Seconds()
	perSecond := capacity / 2
	if most, err := strconv.ParseFloat(os.Getenv("OUTHOOK_TEST_PER_SECOND"), 64); err == nil {
		perSecond = min(perSecond, most)
	}
	s.Logf("this machine carries %.0f events a second now, each to %d endpoints; %.0f are published", capacity, soakFanout, perSecond)
	s.began = time.Now()
	return perSecond
}

// errand is something that the test's own goroutine does at its time, one after the other.
type errand struct {
	at time.Time
	do func()
}

func (s *soak) in(pause time.Duration, do func()) {
	s.errands = append(s.errands, errand{time.Now().Add(pause), do})
	slices.SortStableFunc(s.errands, func(a, b errand) int { return a.at.Compare(b.at) })
}

// every does it again and again, after so long at the least and at the most.
func (s *soak) every(least, most time.Duration, do func()) {
	s.in(least+rand.N(most-least+1), func() {
		do()
		s.every(least, most, do)
	})
}

// attend does what is due until it is done.
func (s *soak) attend(done func() bool) {
	for !done() {
		if len(s.errands) > 0 && !s.errands[0].at.After(time.Now()) {
			due := s.errands[0]
			s.errands = s.errands[1:]
			due.do()
			continue
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *soak) progress() {
	published, received, repeats := s.books.counts()
	s.Logf("%s: %d published, %d of %d deliveries received, %d of them again; killed and terminated: %s",
		time.Since(s.began).Round(time.Second), published, received, published*soakFanout, repeats, s.faults)
}

// end brings everything back, and waits until nothing is open.
func (s *soak) end() {
	s.Helper()
	s.over = true
	s.books.cure()
	s.attend(s.whole)
	s.load.stop()
	stopped, settled := time.Now(), false
	s.every(time.Second, time.Second, func() { settled = s.books.received() && s.nothingOpen() })
	s.attend(func() bool { return settled || time.Since(stopped) > soakDrain })
	s.Logf("drained: %v, %s after the last publish", settled, time.Since(stopped).Round(time.Second))
}

func (s *soak) nothingOpen() bool {
	for brand := range soakBrands {
		h, err := s.load.api().BrandHealth(s.Context(), brandName(brand))
		if err != nil || h.InFlight+h.Waiting+h.Retrying > 0 {
			return false
		}
	}
	return true
}

// account holds what was received against what was accepted.
func (s *soak) account() {
	s.Helper()
	s.progress()
	lost := s.books.missing()
	for i, d := range lost {
		if i == 10 {
			break
		}
		s.Errorf("accepted and not received: %s of %s for %s: %s", d.event, d.brand, d.endpoint, s.explain(d))
	}
	var unexplained []string
	for _, r := range s.books.repeats() {
		if !s.faults.explain(r.first) {
			unexplained = append(unexplained, fmt.Sprintf("%s of %s for %s: %s and %s", r.event, r.brand, r.endpoint,
				r.first.Sub(s.began).Round(time.Millisecond), r.again.Sub(s.began).Round(time.Millisecond)))
		}
	}
	given := s.givenUp()
	_, received, repeats := s.books.counts()
	s.Logf("lost %d, given up %d, received %d, again %d, most in flight %d; publishes repeated: %v; held back for %s", len(lost), given, received,
		repeats, s.books.most.Load(), s.load.answers(), s.load.held.Round(time.Second))
	s.Logf("faults: %s; endpoints ill: %v", s.faults, slices.Sorted(maps.Keys(moods)))
	if len(lost) > 0 || given > 0 || len(unexplained) > 0 {
		s.Errorf("lost %d, given up %d; sent again though no worker was killed: %d, such as %q", len(lost), given, len(unexplained),
			unexplained[:min(len(unexplained), 20)])
	}
}

// explain is what the API says of a delivery.
func (s *soak) explain(d gone) string {
	found, err := s.load.api().Explain(s.Context(), d.brand, d.event)
	if err != nil {
		return err.Error()
	}
	for _, x := range found.Items {
		if x.EndpointID == d.endpoint {
			return x.Explanation
		}
	}
	return "it knows no such endpoint"
}

// givenUp counts dead letters, up to a page of each brand. There are none, as nothing is ill for so long.
func (s *soak) givenUp() (n int) {
	s.Helper()
	for brand := range soakBrands {
		found, err := s.load.api().DeadLetters(s.Context(), brandName(brand), httpapi.DeadLetterQuery{})
		if err != nil {
			s.Fatal(err)
		}
		for _, d := range found.Items {
			s.Logf("dead letter: %+v", d)
		}
		n += len(found.Items)
	}
	return n
}
