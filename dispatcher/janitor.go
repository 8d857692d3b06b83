package dispatcher

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// past is the part of the store that the janitor keeps in bounds. Errors wrap [webhook.ErrUnavailable]; what is done twice,
// or by two at the same time, does no harm.
type past interface {
	// Turn gives one process its turn at the brands of a tag, for so long.
	Turn(ctx context.Context, tag int, owner string, lasts time.Duration) (ok bool, err error)
	// Brands answers some of the brands of a tag, from after the place on; next is empty at the end.
	Brands(ctx context.Context, tag int, after string) (brands []string, next string, err error)
	// Sweep does a part of what a brand's past needs; more says that there is more to do now.
	Sweep(ctx context.Context, brand string) (more bool, err error)
}

const (
	// sweepMost and sweepLeast bound how long the janitor takes for a round through all tags.
	sweepMost, sweepLeast = time.Hour, 2 * time.Second
	// roundsKept is how many rounds there are at the least while something is kept.
	roundsKept = 24
	// stepPause comes after each step, so that Redis has time for others.
	stepPause = 5 * time.Millisecond
)

// sweepEvery is how long a round takes: the shorter the less long things are kept.
func (c Config) sweepEvery() time.Duration {
	round := sweepMost
	for _, kept := range []time.Duration{c.RetainDelivered, c.RetainAttempts, c.RetainDeadLetters} {
		if kept > 0 { // else it is the default, of days
			round = min(round, kept/roundsKept)
		}
	}
	return max(round, sweepLeast)
}

// sweep drops what is past its time, tag by tag, until ctx ends. Every worker does; a lock keeps them off each other's tags.
func (d *Dispatcher) sweep(ctx context.Context) {
	round := d.cfg.sweepEvery()
	for {
		for _, tag := range rand.Perm(d.store.Tags()) {
			if !sleep(ctx, round/time.Duration(d.store.Tags())) {
				return
			}
			if err := d.sweepTag(ctx, tag, round*3/4); err != nil {
				d.noteJanitor(ctx, err)
			}
		}
	}
}

func (d *Dispatcher) sweepTag(ctx context.Context, tag int, lasts time.Duration) error {
	ok, err := d.past.Turn(ctx, tag, "", lasts)
	if err != nil || !ok {
		return err
	}
	return d.eachBrands(ctx, tag, func(brands []string) error {
		for _, brand := range brands {
			for more := true; more; {
				if more, err = d.past.Sweep(ctx, brand); err != nil {
					return err
				}
				if !sleep(ctx, stepPause) {
					return ctx.Err()
				}
			}
		}
		return nil
	})
}

// eachBrands goes through the brands of a tag, some at a time.
func (d *Dispatcher) eachBrands(ctx context.Context, tag int, do func(brands []string) error) error {
	for after := ""; ; {
		brands, next, err := d.past.Brands(ctx, tag, after)
		if err != nil {
			return err
		}
		if err := do(brands); err != nil || next == "" {
			return err
		}
		after = next
	}
}

// noteJanitor logs once a minute what is wrong, but for the want of Redis, which others tell of.
func (d *Dispatcher) noteJanitor(ctx context.Context, err error) {
	if err == nil || errors.Is(err, webhook.ErrUnavailable) || ctx.Err() != nil || !d.warned.first("janitor", time.Now()) {
		return
	}
	d.log.ErrorContext(ctx, "janitor goes on later; said once a minute", "error", err)
}
