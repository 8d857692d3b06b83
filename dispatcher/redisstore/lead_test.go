package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// leads asks whether a process is the one that speaks for all, for an hour.
func leads(t *testing.T, s *redisstore.Store, owner string) bool {
	t.Helper()
	is, err := s.Lead(t.Context(), owner, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// TestLead: the first is it for as long as it asks, and then another.
func TestLead(t *testing.T) {
	t.Parallel()
	onServerAndCluster(t, func(t *testing.T, s *redisstore.Store, _ *clock) {
		if !leads(t, s, "a") || leads(t, s, "b") || !leads(t, s, "a") {
			t.Error("not the first")
		}
		if ended, err := s.Lead(t.Context(), "a", time.Millisecond); err != nil || !ended {
			t.Fatal(ended, err)
		}
		for deadline := time.Now().Add(30 * time.Second); !leads(t, s, "b"); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("its time does not end")
			}
		}
		if leads(t, s, "a") {
			t.Error("two are it")
		}
		for _, owner := range []string{"a", "b"} { // who is not it ends nothing
			if err := s.Unlead(t.Context(), owner); err != nil {
				t.Fatal(err)
			}
			if is := leads(t, s, "c"); is != (owner == "b") {
				t.Errorf("after %s left, c is it: %t", owner, is)
			}
		}
	})
}

// TestLeadInAFullRedis: who is it remains it, and where nobody can become it, everybody is.
func TestLeadInAFullRedis(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "about the memory of one")
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	s, admin := open(t, redisstore.Config{Redis: server.Client(t)}), server.Admin(t)
	if !leads(t, s, "a") {
		t.Fatal("not the first")
	}
	if err := admin.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if !leads(t, s, "a") || leads(t, s, "b") {
		t.Error("full: not the one that was it")
	}
	if err := admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if !leads(t, s, "b") || !leads(t, s, "c") {
		t.Error("full, and nobody says how all stand")
	}
}

// TestOpenEndpoints: each that has open deliveries is answered, part by part.
func TestOpenEndpoints(t *testing.T) {
	t.Parallel()
	onServerAndCluster(t, func(t *testing.T, s *redisstore.Store, now *clock) {
		const endpoints = 90
		var ids []string
		for i := range endpoints {
			ids = append(ids, fmt.Sprint("ep", i))
			create(t, s, endpointOf(ids[i]))
		}
		if _, err := s.Admit(t.Context(), fanoutOf(eventOf("e1", now.Now()), ids...)); err != nil {
			t.Fatal(err)
		}
		found := map[webhook.EndpointRef]bool{}
		for tag := range s.Tags() {
			for place, more := "", true; more; more = place != "" {
				refs, next, err := s.OpenEndpoints(t.Context(), tag, place)
				if err != nil {
					t.Fatal(err)
				}
				for _, ref := range refs {
					found[ref] = true
				}
				place = next
			}
		}
		for _, id := range ids {
			if ref := endpointOf(id).Ref(); !found[ref] {
				t.Errorf("%s is missing", ref)
			}
		}
		if len(found) != endpoints {
			t.Errorf("%d endpoints", len(found))
		}
	})
}
