package dispatcher

import (
	"bytes"
	"cmp"
	"context"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Publish accepts an event: when it returns nil, the event is stored and will
// be delivered to every endpoint of its brand that wants its type. An empty ID
// is made. Publishing the same id with the same type and payload again answers
// Duplicate, and finishes what was left unfinished, where the reconciler would not.
//
// Errors: a [webhook.FieldError] (ErrInvalid) that names the field;
// [webhook.ErrConflict] when the id is taken by other content;
// [webhook.ErrUnavailable], within two seconds, when Redis does not answer, or
// not enough of it has the event that Config.Durable is kept: then it is unknown
// whether the event was stored, and publishing it again with the same id is safe;
// [webhook.ErrFull] among these, when nothing was stored because Redis is full up
// to Config.PublishWatermark.
func (d *Dispatcher) Publish(ctx context.Context, e webhook.Event) (webhook.Receipt, error) {
	results, err := d.PublishBatch(ctx, []webhook.Event{e})
	if err != nil {
		return webhook.Receipt{}, err
	}
	return results[0].Receipt, results[0].Err
}

// PublishBatch accepts many events in a handful of round trips and answers in
// their order, each with its receipt or its own error. An error of the whole is
// [webhook.ErrUnavailable] (repeating with the same ids is safe) or a
// [webhook.FieldError] for an empty or too large batch.
func (d *Dispatcher) PublishBatch(ctx context.Context, events []webhook.Event) ([]webhook.Result, error) {
	if len(events) == 0 || len(events) > d.cfg.BatchEvents {
		return nil, webhook.Invalid("events", "must be 1 to %d events", d.cfg.BatchEvents)
	}
	b := d.accept(ctx, events)
	if len(b.fanouts) == 0 {
		return b.results, nil
	}
	if !d.prompt { // may go on after the answer, when the payloads are the caller's again
		ownPayloads(b.fanouts)
	}
	admitted, err := within(ctx, d, "publish", func(ctx context.Context) ([]webhook.Result, error) {
		if err := d.gauge.room(ctx); err != nil {
			return nil, err
		}
		for i := range b.fanouts {
			if err := d.match(ctx, &b.fanouts[i]); err != nil {
				return nil, err
			}
		}
		return d.admitTogether(ctx, b.fanouts)
	})
	d.countPublished(b.fanouts, admitted, err)
	b.spans.End(admitted, err)
	if err != nil {
		return nil, err
	}
	for i, result := range admitted {
		b.results[b.of[i]] = result
	}
	return b.results, nil
}

// ownPayloads copies the payloads, so that they are ours for as long as it takes.
func ownPayloads(fanouts []webhook.Fanout) {
	for i := range fanouts {
		fanouts[i].Event.Payload = bytes.Clone(fanouts[i].Event.Payload)
	}
}

// batch is a publish on its way: the fan-outs to do and whose results they are.
type batch struct {
	results []webhook.Result
	fanouts []webhook.Fanout
	// of[i] is the index in results of fanouts[i].
	of []int
	// spans are those of the fan-outs, or none.
	spans telemetry.Publishes
}

// accept validates every event; those that break a rule have their result.
func (d *Dispatcher) accept(ctx context.Context, events []webhook.Event) *batch {
	b := &batch{results: make([]webhook.Result, len(events)), fanouts: make([]webhook.Fanout, 0, len(events)), of: make([]int, 0, len(events))}
	now := time.Now().Truncate(time.Millisecond).UTC()
	for i, e := range events {
		e.PublishedAt, e.Payload = now, bytes.Trim(e.Payload, " \t\r\n")
		if err := d.check(ctx, e); err != nil {
			b.results[i].Err = err
			continue
		}
		if e.ID == "" {
			e.ID = webhook.NewID(webhook.EventPrefix)
		}
		b.spans, e.Trace = d.tracer.Publish(ctx, b.spans, e)
		b.fanouts, b.of = append(b.fanouts, webhook.Fanout{Event: e, Durable: true, AtOnce: true}), append(b.of, i)
	}
	return b
}

func (d *Dispatcher) check(ctx context.Context, e webhook.Event) error {
	if err := e.Validate(d.cfg.PayloadBytes); err != nil {
		return err
	}
	if !e.ExpiresAt.IsZero() && !e.ExpiresAt.After(e.PublishedAt) {
		return webhook.Invalid("expiresAt", "must be in the future")
	}
	if err := d.catalog.Publishable(e.Type); err != nil {
		return err
	}
	if d.catalog.Warns() && !d.looked.more(e) {
		return nil
	}
	warning, err := d.catalog.CheckEvent(e.Type, e.Payload)
	if warning != nil && d.warned.first("type "+e.Type, e.PublishedAt) {
		d.log.WarnContext(ctx, "payload breaks its schema; said once a minute a type", "brand", e.Brand, "type", e.Type, "rule", warning)
	}
	return err
}

const (
	// looksOfOne is how many payloads of a brand's type are held against its schema in a second where that is only to be said:
	// what is wrong with them is wrong with more than one, and a look takes longer than all else that is asked of an event.
	looksOfOne = 20
	// looksOfAll bounds those of all brands.
	looksOfAll = 1000
)

// looked counts the looks of this second.
type looked struct {
	mu     sync.Mutex
	second int64
	all    int
	of     map[string]int // brand and type
}

// more tells whether there is to be one more.
func (l *looked) more(e webhook.Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := e.PublishedAt.Unix(); second > l.second {
		l.second, l.all, l.of = second, 0, map[string]int{}
	}
	what := e.Brand + " " + e.Type
	if l.all >= looksOfAll || l.of[what] >= looksOfOne {
		return false
	}
	l.all++
	l.of[what]++
	return true
}

// onceAMinute keeps a repeated warning from flooding the log.
type onceAMinute struct{ last sync.Map }

// first tells whether the subject was not warned of within the last minute.
func (o *onceAMinute) first(subject string, now time.Time) bool {
	last, known := o.last.Load(subject)
	if known && now.Sub(last.(time.Time)) < time.Minute {
		return false
	}
	o.last.Store(subject, now)
	return true
}

// admit writes down, enqueues what has a slot, and finishes the fan-outs; it answers in their order.
func (d *Dispatcher) admit(ctx context.Context, fanouts []webhook.Fanout) ([]webhook.Result, error) {
	admitted, err := d.store.Admit(ctx, fanouts)
	if err != nil {
		return nil, err
	}
	results, finished := make([]webhook.Result, len(fanouts)), make([]webhook.Event, 0, len(fanouts))
	var runs []webhook.Run
	var wakeups []*webhook.Wakeup
	for i, a := range admitted {
		e := fanouts[i].Event
		results[i] = webhook.Result{Receipt: webhook.Receipt{ID: e.ID, Duplicate: a.Duplicate, Endpoints: a.Endpoints}, Err: a.Err}
		if a.FannedOut && !a.Finished {
			finished = append(finished, e)
		}
		for _, r := range a.Releases {
			runs, wakeups = append(runs, r.Runs...), append(wakeups, r.Wakeup)
		}
	}
	if err := d.handOver(ctx, runs, finished); err != nil {
		return nil, err
	}
	for _, w := range wakeups {
		d.arrange(ctx, w)
	}
	return results, nil
}

// handOver enqueues and finishes the fan-outs, at the same time, as nothing
// hangs on the order: what has a slot and no task is re-driven.
func (d *Dispatcher) handOver(ctx context.Context, runs []webhook.Run, finished []webhook.Event) error {
	if len(runs) == 0 {
		return d.store.Finish(ctx, finished)
	}
	if len(finished) == 0 {
		return d.queue.Enqueue(ctx, runs)
	}
	enqueued := make(chan error, 1)
	go func() { enqueued <- d.queue.Enqueue(ctx, runs) }()
	err := d.store.Finish(ctx, finished)
	return cmp.Or(<-enqueued, err)
}

func (d *Dispatcher) match(ctx context.Context, f *webhook.Fanout) error {
	endpoints, err := d.matcher.endpoints(ctx, f.Event.Brand)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		if d.catalog.Matches(e, f.Event.Type) {
			f.Endpoints = append(f.Endpoints, e.ID)
		}
	}
	return nil
}
