package dispatcher

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// However many jobs of a process give way, they ask together, and do a little in turn.
func TestJobsGiveWayTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pressure
		asked, trickles := 0, 0
		ask := func(context.Context) (int, error) { asked++; return pendingMost + 1, nil }
		for began := time.Now(); time.Since(began) < time.Second; time.Sleep(5 * time.Millisecond) {
			for range 40 {
				if n, err := p.behind(t.Context(), ask); n != pendingMost+1 || err != nil {
					t.Fatal(n, err)
				}
				if p.trickle() {
					trickles++
				}
			}
		}
		if asked != 20 || trickles != 10 {
			t.Errorf("asked %d times and did a little %d times within a second", asked, trickles)
		}
	})
}

// What could not be found out is asked again at once.
func TestPressureOfNoAnswer(t *testing.T) {
	var p pressure
	if _, err := p.behind(t.Context(), func(context.Context) (int, error) { return 0, webhook.ErrUnavailable }); err == nil {
		t.Error("no error")
	}
	if n, err := p.behind(t.Context(), func(context.Context) (int, error) { return 7, nil }); n != 7 || err != nil {
		t.Error(n, err)
	}
}
