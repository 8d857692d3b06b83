package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// recordedWithin is how long after its answer an attempt is certainly recorded, on a busy machine, once Redis is there.
const recordedWithin = 3 * time.Second

// answeredWithin is how long after a worker was killed a receiver may answer what was under way to it: for as long as an attempt
// may take, by soakFlags.
const answeredWithin = 4 * time.Second

// station is a place in the deployment, which one process after another takes.
type station struct {
	role string
	// now is nil while there is none, and while one ends.
	now *child
}

// soakFaults are those that were staged so far.
type soakFaults struct {
	// kills are those of workers.
	kills   []time.Time
	away    []absence
	counted map[string]int
}

// absence of Redis; to is zero while it goes on.
type absence struct{ from, to time.Time }

func (f *soakFaults) count(what string) {
	if f.counted == nil {
		f.counted = map[string]int{}
	}
	f.counted[what]++
}

func (f soakFaults) String() string {
	var all []string
	for what, n := range f.counted {
		all = append(all, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// explain tells whether a worker was killed while what was answered then was under way, or before it was certainly recorded. Redis
// is back.
func (f soakFaults) explain(answered time.Time) bool {
	sure := answered.Add(recordedWithin)
	for _, away := range f.away {
		if away.from.Before(sure) && away.to.After(answered) {
			sure = away.to.Add(recordedWithin)
		}
	}
	return slices.ContainsFunc(f.kills, func(at time.Time) bool {
		return at.After(answered.Add(-answeredWithin)) && at.Before(sure)
	})
}

// open starts a process at a station.
func (s *soak) open(i int) {
	s.Helper()
	at := s.stations[i]
	at.now = startServe(s.T, s.server.Addr(), append([]string{"--role=" + at.role}, soakFlags...)...)
	if at.role == "api" {
		client, err := httpapi.NewClient(at.now.api, testKey, s.load.http)
		if err != nil {
			s.Fatal(err)
		}
		s.load.balance(i, client)
	}
}

// whole tells whether everything runs.
func (s *soak) whole() bool {
	return !s.redisAway() && !slices.ContainsFunc(s.stations, func(at *station) bool { return at.now == nil })
}

func (s *soak) redisAway() bool {
	away := s.faults.away
	return len(away) > 0 && away[len(away)-1].to.IsZero()
}

// harm plans what goes wrong from now on. The first API and the first worker are spared.
func (s *soak) harm() {
	s.unless(12*time.Second, 30*time.Second, func() { s.strike(3 + rand.N(2)) })
	s.unless(20*time.Second, 50*time.Second, func() { s.strike(1) })
	s.unless(45*time.Second, 110*time.Second, s.strikeRedis)
	s.unless(3*time.Second, 8*time.Second, func() { s.books.sicken(s) })
}

// unless does it again and again until it is over.
func (s *soak) unless(least, most time.Duration, do func()) {
	s.every(least, most, func() {
		if !s.over {
			do()
		}
	})
}

// strike ends a process; another one takes its place later.
func (s *soak) strike(i int) {
	s.Helper()
	at := s.stations[i]
	c := at.now
	if c == nil {
		return
	}
	at.now = nil
	if rand.N(3) == 0 {
		s.faults.count(at.role + " SIGTERM")
		c.terminate(s.T)
		s.seeOff(i, c, time.Now())
		return
	}
	s.faults.count(at.role + " SIGKILL")
	_ = c.cmd.Process.Kill()
	if <-c.exited; at.role == "worker" {
		s.faults.kills = append(s.faults.kills, time.Now())
	}
	s.succeed(i)
}

// succeed has a new process at a station after a while. Until then nobody listens there, and whoever publishes notices.
func (s *soak) succeed(i int) {
	s.in(2*time.Second+rand.N(4*time.Second), func() { s.open(i) })
}

// seeOff waits until a process that was terminated has drained.
func (s *soak) seeOff(i int, c *child, since time.Time) {
	s.Helper()
	select {
	case <-c.exited:
	default:
		s.in(100*time.Millisecond, func() { s.seeOff(i, c, since) })
		return
	}
	if code := c.exit(); code != exitDone || len(c.logged("drained")) != 1 {
		s.Errorf("%s: terminated at %s, exit code %d after %s", s.stations[i].role, since.Sub(s.began).Round(time.Second), code,
			time.Since(since).Round(time.Second))
	}
	s.succeed(i)
}

// strikeRedis ends Redis, which comes back on its own file.
func (s *soak) strikeRedis() {
	s.Helper()
	if s.redisAway() {
		return
	}
	away := absence{from: time.Now()}
	if rand.N(2) == 0 {
		s.faults.count("Redis SHUTDOWN")
		_ = s.admin.Shutdown(s.Context()) // broken off, as nobody answers
	} else {
		s.faults.count("Redis SIGKILL")
		// With everysec Redis puts off writing while a sync goes on, and a kill then loses what it has answered. What Redis loses
		// is not looked for here.
		if err := s.admin.ConfigSet(s.Context(), "appendfsync", "no").Err(); err != nil {
			s.Fatal(err)
		}
	}
	s.server.Kill()
	s.faults.away = append(s.faults.away, away)
	s.in(time.Second+rand.N(4*time.Second), func() {
		s.server.Restart(s.T)
		s.faults.away[len(s.faults.away)-1].to = time.Now()
	})
}

// survivors fails the test when a process ended that nobody ended.
func (s *soak) survivors() {
	s.Helper()
	for i, at := range s.stations {
		if at.now == nil {
			continue
		}
		select {
		case <-at.now.exited:
			s.Fatalf("%s %d ended by itself", at.role, i)
		default:
		}
	}
}

// moods are how an endpoint can be ill; each tells whether it answers 2xx all the same.
var moods = map[string]func(http.ResponseWriter, *http.Request) bool{
	"busy": func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", fmt.Sprint(1+rand.N(3)))
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	},
	"slow": func(_ http.ResponseWriter, q *http.Request) bool {
		select {
		case <-time.After(time.Second + rand.N(time.Second)):
		case <-q.Context().Done():
		}
		return true
	},
	"hangs": func(_ http.ResponseWriter, q *http.Request) bool {
		<-q.Context().Done()
		return false
	},
	"closes": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
}

func TestFaultsExplainWhatCameTwice(t *testing.T) {
	began := time.Now()
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	tests := []struct {
		name     string
		answered float64
		want     bool
	}{
		{"long before any kill", 1, false},
		{"before a kill", 9, true},
		{"under way at a kill", 10.5, true},
		{"begun after a kill", 14.5, false},
		{"before Redis went, which came back before the next kill", 19.5, true},
		{"while Redis was away", 25, true},
		{"while Redis was away, no kill since", 45, false},
	}
	f := soakFaults{
		kills: []time.Time{at(10), at(32)},
		away:  []absence{{at(20), at(30)}, {at(44), at(46)}},
	}
	for _, tt := range tests {
		if got := f.explain(at(tt.answered)); got != tt.want {
			t.Errorf("%s: explained %v", tt.name, got)
		}
	}
}
