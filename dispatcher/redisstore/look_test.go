package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// onServerAndCluster runs a test on a store of each, with a clock that stands still.
func onServerAndCluster(t *testing.T, test func(*testing.T, *redisstore.Store, *clock)) {
	t.Helper()
	for name, connect := range map[string]func(*testing.T) redis.UniversalClient{
		"server":  func(t *testing.T) redis.UniversalClient { return redistest.Start(t).Client(t) },
		"cluster": func(t *testing.T) redis.UniversalClient { return redistest.StartCluster(t).Client(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newClock()
			test(t, open(t, redisstore.Config{Redis: connect(t), Now: now.Now, EndpointsPerBrand: 100}), now)
		})
	}
}

// TestLook follows deliveries of many endpoints through what is due, suspected and oldest.
func TestLook(t *testing.T) {
	t.Parallel()
	onServerAndCluster(t, func(t *testing.T, s *redisstore.Store, now *clock) {
		const endpoints = 70
		var ids []string
		for i := range endpoints {
			ids = append(ids, fmt.Sprint("ep", i))
			create(t, s, endpointOf(ids[i]))
		}
		look := func(most int) (redisstore.Agenda, []redisstore.OpenLook) {
			t.Helper()
			agenda, err := s.Agenda(t.Context(), most)
			if err != nil {
				t.Fatal(err)
			}
			var refs []webhook.EndpointRef
			for _, e := range agenda.Endpoints {
				refs = append(refs, e.EndpointRef)
			}
			looks, err := s.LookAtOpen(t.Context(), refs, redisstore.LookMost)
			if err != nil || len(looks) != len(refs) {
				t.Fatal(looks, err)
			}
			return agenda, looks
		}
		if agenda, _ := look(10); agenda.Total+agenda.Unfinished+len(agenda.Endpoints) != 0 {
			t.Fatalf("of nothing: %+v", agenda)
		}
		begun := now.Now()
		if _, err := s.Admit(t.Context(), fanoutOf(eventOf("e1", begun), ids...)); err != nil {
			t.Fatal(err)
		}
		agenda, looks := look(10)
		if agenda.Total != endpoints || len(agenda.Endpoints) != 10 || agenda.Unfinished != 1 || !agenda.UnfinishedSince.Equal(begun) {
			t.Errorf("of much: %+v", agenda)
		}
		for _, l := range looks {
			if len(l.Suspects) != 0 || l.OldestEvent != "e1" || !l.Oldest.Equal(begun) || l.More {
				t.Errorf("at once: %+v", l)
			}
		}
		now.pass(6 * time.Second)
		agenda, looks = look(1000)
		for i, l := range looks {
			if len(l.Suspects) != 1 || l.Suspects[0].EventID != "e1" || l.Suspects[0].Endpoint() != agenda.Endpoints[i].EndpointRef || l.Suspects[0].Queue == "" {
				t.Errorf("later: %+v", l)
			}
		}
		if i := len(agenda.Endpoints); i != endpoints || agenda.Endpoints[0].At.After(agenda.Endpoints[i-1].At) {
			t.Errorf("%d endpoints: %+v", i, agenda.Endpoints)
		}
	})
}

// TestLookAtMuch sees both ends of what is open.
func TestLookAtMuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redisstore.Config{MaxInFlight: 300})
	ref := w.endpoint("ep")
	w.must(w.rdb.HSet(t.Context(), redistest.Keys(t, w.rdb, "*:p:acme:ep")[0], "al", 300).Err())
	for i := range 120 {
		w.admit(w.event(fmt.Sprint("e", i)), "ep")
	}
	record := redistest.Keys(t, w.rdb, "*:d:acme:ep:e119")[0]
	old := w.clock.Now().Add(-time.Hour)
	w.must(w.rdb.HSet(t.Context(), record, "pub", old.UnixMilli()).Err())
	w.clock.pass(time.Minute)
	w.must(w.rdb.ZIncrBy(t.Context(), redistest.Keys(t, w.rdb, "*:o:acme:ep")[0], 1000, "e119").Err()) // the last of them
	looks, err := w.LookAtOpen(t.Context(), []webhook.EndpointRef{ref}, redisstore.LookMost)
	if err != nil || len(looks) != 1 {
		t.Fatal(looks, err)
	}
	if l := looks[0]; l.Open != 120 || l.Waiting != 0 || !l.OpenUntil.IsZero() {
		t.Errorf("%d open, %d wait, breaker until %s", l.Open, l.Waiting, l.OpenUntil)
	}
	if l := looks[0]; !l.More || len(l.Suspects) != 50 || l.OldestEvent != "e119" || !l.Oldest.Equal(old) {
		t.Errorf("%d suspects, oldest %s of %s, more: %t", len(l.Suspects), l.OldestEvent, l.Oldest, l.More)
	}
}

// TestOverview walks over endpoints of every kind.
func TestOverview(t *testing.T) {
	t.Parallel()
	onServerAndCluster(t, func(t *testing.T, s *redisstore.Store, _ *clock) {
		for i := range 30 {
			create(t, s, endpointOf(fmt.Sprint("ep", i)))
		}
		if err := s.DeleteEndpoint(t.Context(), webhook.EndpointRef{Brand: brand, ID: "ep3"}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.UpdateEndpoint(t.Context(), webhook.EndpointRef{Brand: brand, ID: "ep4"}, disabling); err != nil {
			t.Fatal(err)
		}
		found, err := s.Overview(t.Context(), time.Minute)
		if err != nil || found.Endpoints != 29 || len(found.Failing) != 0 || len(found.Unreadable) != 0 || !found.Complete {
			t.Errorf("%+v, %v", found, err)
		}
		if len(found.Keys) != 1 || found.Keys[0].Endpoints != 29 || found.Keys[0].Wrong || found.Keys[0].Missing {
			t.Errorf("keys %+v", found.Keys)
		}
		found, err = s.Overview(t.Context(), 0)
		if err != nil || found.Complete || found.Endpoints != 0 {
			t.Errorf("without time: %+v, %v", found, err)
		}
	})
}
