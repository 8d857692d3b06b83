package dispatcher

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/pipeline"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// jointFlights is how many joint admissions are under way at once.
	jointFlights = 2
	// jointMost bounds the publishes of one, each of at most lightWork events and deliveries and lightBytes of payloads: a
	// thousand of the former, and a megabyte, which hold up the next for no longer than a large batch of one caller does.
	jointMost  = 64
	lightWork  = 16
	lightBytes = 16 << 10
)

// joined is one publish of several that are admitted together.
type joined struct {
	fanouts []webhook.Fanout
	results []webhook.Result
	err     error
}

// canJoin tells whether publishes may go together: only where all of them depend on the same server, and none waits for it to
// become durable, which takes as long for many as for one, and would have those wait twice that come meanwhile.
func canJoin(cfg Config) bool {
	_, single := cfg.Redis.(*redis.Client)
	return single && !cfg.Durable.On()
}

// admitTogether is admit. What is light goes together with what others publish at the same time; a lone one goes at once. A large one
// would hold up the others, and gains nothing.
func (d *Dispatcher) admitTogether(ctx context.Context, fanouts []webhook.Fanout) ([]webhook.Result, error) {
	if d.joint == nil || !isLight(fanouts) {
		return d.admit(ctx, fanouts)
	}
	ownPayloads(fanouts) // who leaves has his back while the others' go on
	own := &joined{fanouts: fanouts}
	switch err := d.joint.Do(ctx, own); {
	case errors.Is(err, pipeline.ErrBroken):
		return nil, fmt.Errorf("publish: %w", err)
	case err != nil:
		return nil, fmt.Errorf("publish: %w: %w", webhook.ErrUnavailable, err)
	}
	return own.results, own.err
}

func isLight(fanouts []webhook.Fanout) bool {
	work, size := len(fanouts), 0
	for _, f := range fanouts {
		work += len(f.Endpoints)
		size += len(f.Event.Payload)
	}
	return work <= lightWork && size <= lightBytes
}

// admitJoined admits what several publish as if one did. An error is everybody's, unless Redis answers that it is a mistake: what one
// has stored under a key is not to fail the others, so each is admitted once more, alone. What was written down then answers
// that it is a duplicate.
func (d *Dispatcher) admitJoined(ctx context.Context, all []*joined) {
	var fanouts []webhook.Fanout
	for _, j := range all {
		fanouts = append(fanouts, j.fanouts...)
	}
	// The client may stay longer than its context says: then it is left behind, as by one who goes alone.
	results, err := within(ctx, d, "publish", func(ctx context.Context) ([]webhook.Result, error) { return d.admit(ctx, fanouts) })
	if err != nil && len(all) > 1 && !errors.Is(err, webhook.ErrUnavailable) {
		for i := range all {
			d.admitJoined(ctx, all[i:i+1])
		}
		return
	}
	for _, j := range all {
		j.err = err
		if err == nil {
			j.results, results = results[:len(j.fanouts):len(j.fanouts)], results[len(j.fanouts):]
		}
	}
}
