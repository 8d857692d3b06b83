package redisstore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// brands walks through all tags.
func (w *world) brands() []string {
	w.Helper()
	var all []string
	for tag := range w.Tags() {
		for after := ""; ; {
			some, next, err := w.Brands(w.Context(), tag, after)
			w.must(err)
			all = append(all, some...)
			if next == "" {
				break
			}
			after = next
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestEveryBrandIsListed(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	var want []string
	var events []webhook.Event
	for i := range 9000 { // more than a call answers of a tag
		e := w.event(fmt.Sprint("e", i))
		e.Brand = fmt.Sprint("brand", i)
		events, want = append(events, e), append(want, e.Brand)
	}
	w.must(w.Finish(t.Context(), events))
	w.endpoint("a")
	want = append(want, brand)
	slices.Sort(want)
	if got := w.brands(); !slices.Equal(got, want) {
		t.Errorf("%d brands are listed, want %d", len(got), len(want))
	}
}

// A process lists a brand again once an hour, so one that was listed lately stays, whatever is left of it.
func TestABrandOfWhichNothingIsLeftIsForgotten(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxAge: time.Hour, RetainDelivered: 10 * time.Minute})
	listed := func(want bool) {
		t.Helper()
		w.sweep()
		if got := slices.Contains(w.brands(), brand); got != want {
			t.Fatalf("listed: %t, want %t", got, want)
		}
	}
	w.admit(w.event("e1"))
	w.clock.pass(30 * time.Minute)
	listed(true) // its event is a marker
	w.wantBodies(map[string]string{"e1": "m"})
	w.clock.pass(40 * time.Minute)
	w.admit(w.event("e2")) // lists it again
	w.clock.pass(110 * time.Minute)
	listed(true)
	w.clock.pass(15 * time.Minute)
	listed(false)
	w.admit(w.event("e3"))
	listed(true)

	ref := w.endpoint("a")
	w.clock.pass(5 * time.Hour)
	listed(true)
	w.must(w.DeleteEndpoint(t.Context(), ref))
	listed(false)
}
