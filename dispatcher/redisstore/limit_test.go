package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// An endpoint that has its whole limit keeps it when one in ten is slow: the round's mean is that of all.
func TestAFewSlowOnesDoNotHalveAFullLimit(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 8 })
	var runs []webhook.Run
	for i := range 220 {
		runs = append(runs, w.admit(w.event(fmt.Sprint("e", i)), "a").Runs()...)
	}
	for i := range 200 {
		set := settlementOf(runs[i], delivered(), w.clock.Now())
		set.Verdict.Signal, set.Revision = webhook.SignalGood, w.claim(runs[i], webhook.ClaimGo).Revision
		set.Attempt.Duration = 20 * time.Millisecond
		if i > 20 && i%10 == 0 {
			set.Attempt.Duration = 3 * time.Second
		}
		freed, err := w.Record(t.Context(), set)
		w.must(err)
		runs = append(runs, freed.Runs...)
		health, err := w.Health(t.Context(), []webhook.EndpointRef{ref})
		w.must(err)
		if i > 20 && health[0].Limit != 8 {
			t.Fatalf("after %d: limit %d", i, health[0].Limit)
		}
	}
}
