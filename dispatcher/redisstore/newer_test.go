package redisstore_test

import (
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// newer makes a hash another version's.
func (w *world) newer(key string) {
	w.Helper()
	w.must(w.rdb.HSet(w.Context(), key, "v", "9").Err())
}

// A delivery whose record is a newer version's is neither attempted, nor given another run, nor given up by age.
func TestARecordOfANewerVersionIsLeftAlone(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a", serial)
	run := w.run("running", "a")
	waiting := w.event("waiting")
	waiting.ExpiresAt = w.clock.Now().Add(time.Hour)
	w.admit(waiting, "a")
	records := keysOf(t, w.rdb, "d")
	if len(records) != 2 {
		t.Fatalf("records %v", records)
	}
	var before []string
	for _, key := range records {
		w.newer(key)
		before = append(before, w.dump(key))
	}
	w.clock.pass(100 * time.Hour) // beyond any age
	if _, err := w.Claim(t.Context(), run); err == nil || notThat(err) {
		t.Errorf("claim: %v, want an error about the format", err)
	}
	if r, err := w.Redrive(t.Context(), run); err != nil || len(r.Runs) > 0 {
		t.Errorf("redrive: %+v, %v", r, err)
	}
	if b, err := w.Inspect(t.Context(), ref); err != nil || len(b.Doomed)+len(b.Suspects)+len(b.Release.Runs) > 0 {
		t.Errorf("inspect: %+v, %v", b, err)
	}
	w.sweep()
	for i, key := range records {
		if w.dump(key) != before[i] {
			t.Errorf("%s was changed", key)
		}
	}
	if d := w.health(ref); d.InFlight != 1 || d.Waiting != 1 {
		t.Errorf("%+v", d)
	}
	w.wantBodies(map[string]string{"running": "1", "waiting": "1"})
}

func (w *world) health(ref webhook.EndpointRef) webhook.Health {
	w.Helper()
	found, err := w.Health(w.Context(), []webhook.EndpointRef{ref})
	w.must(err)
	return found[0]
}

// What a newer version settled may mean something else: its event's body stays.
func TestTheBodyOfANewersDeliveryStays(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	for _, id := range []string{"ours", "theirs"} {
		w.settle(w.run(id, "a"), delivered())
	}
	w.newer(w.keyEnding("d:acme:a:theirs"))
	w.clock.pass(100 * time.Hour)
	w.sweep()
	w.wantBodies(map[string]string{"ours": "m", "theirs": "1"})
}

// A job of a newer version is nobody's here, stays in the list, and keeps no other from being taken.
func TestAJobOfANewerVersionIsLeftAlone(t *testing.T) {
	for name, spoil := range map[string]func(w *world, key string){
		"job":      func(w *world, key string) { w.newer(key) },
		"spec":     func(w *world, key string) { w.must(w.rdb.HSet(w.Context(), key, "spec", `9{}`).Err()) },
		"progress": func(w *world, key string) { w.must(w.rdb.HSet(w.Context(), key, "at", `9{}`).Err()) },
		"state": func(w *world, key string) {
			w.must(w.rdb.HSet(w.Context(), key, "v", "9", "state", "paused").Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			w.endpoint("a")
			for i, id := range []string{"theirs", "ours"} {
				at := w.clock.Now().Add(time.Duration(i) * time.Second)
				w.must(w.CreateJob(t.Context(), webhook.Job{
					ID: id, JobSpec: webhook.JobSpec{Kind: webhook.JobResend, Brand: brand}, State: webhook.JobRunning, StartedAt: at,
				}, []string{"a"}))
			}
			key := w.keyEnding("j:theirs")
			spoil(w, key)
			before := w.dump(key)
			if taken, ok, err := w.TakeJob(t.Context(), "me"); err != nil || !ok || taken.ID != "ours" {
				t.Errorf("took %+v, %t, %v", taken, ok, err)
			}
			if taken, ok, err := w.TakeJob(t.Context(), "me too"); err != nil || ok {
				t.Errorf("took %+v, %t, %v", taken, ok, err)
			}
			if w.dump(key) != before {
				t.Error("it was changed")
			}
			if n := w.rdb.ZCard(t.Context(), w.keyEnding("running")).Val(); n != 2 {
				t.Errorf("%d run", n)
			}
		})
	}
}
