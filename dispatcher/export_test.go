package dispatcher

import (
	"context"
	"time"

	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Joining is how many publishes wait to be admitted together.
func (d *Dispatcher) Joining() int { return d.joint.Waiting() }

// Looks is how many of these payloads are looked at, one after the other.
func Looks(events ...webhook.Event) (n int) {
	var l looked
	for _, e := range events {
		if l.more(e) {
			n++
		}
	}
	return n
}

// LedgerWalk is the walk behind the metrics of what is open, and WalkOn a part of it.
type LedgerWalk = ledgerWalk

// WalkOn goes on with a walk.
func WalkOn(ctx context.Context, w *LedgerWalk, store openStore, now time.Time, most time.Duration) (*telemetry.Ledger, error) {
	return w.on(ctx, store, now, most)
}
