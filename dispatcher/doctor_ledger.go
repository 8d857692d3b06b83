package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// overdueFor is how late the reconciler may be: it looks every five seconds.
	overdueFor = 30 * time.Second
	// nearDeath is the share of retry.maxAge from which on a delivery is soon given up.
	nearDeath = 0.8
	// overAge is how long after retry.maxAge a delivery should have ended.
	overAge = time.Minute
)

// reconciler looks whether endpoints with open deliveries, and fan-outs, are looked after.
func (v *visit) reconciler(ctx context.Context) error {
	const check = "reconciler"
	agenda, err := v.d.doctor.store.Agenda(ctx, openMost)
	if err != nil {
		return err
	}
	v.agenda = &agenda
	const advice = "start a worker, each has a reconciler; if one runs, its log says what keeps it: look for reconciler"
	late := 0
	for _, e := range agenda.Endpoints {
		if v.now.Sub(e.At) > overdueFor {
			late++
		}
	}
	before := len(v.findings)
	if late > 0 {
		first := agenda.Endpoints[0]
		v.bad(check, fmt.Sprintf("%s%s with open deliveries overdue: nobody has looked after %s for %s", atLeast(late, openMost), counted(late, "endpoint"),
			first, roughly(v.now.Sub(first.At))), advice)
	}
	if age := v.now.Sub(agenda.UnfinishedSince); agenda.Unfinished > 0 && age > overdueFor {
		v.bad(check, fmt.Sprintf("the fan-out of %s is not finished, the oldest for %s: some of the endpoints may not have it",
			counted(agenda.Unfinished, "event"), roughly(age)), advice)
	}
	if len(v.findings) == before {
		v.ok(check, fmt.Sprintf("%s with open deliveries, none overdue", counted(agenda.Total, "endpoint")))
	}
	return nil
}

func atLeast(n, most int) string {
	if n >= most {
		return "at least "
	}
	return ""
}

// orphans looks for open deliveries whose task is lost.
func (v *visit) orphans(ctx context.Context) error {
	const check = "orphans"
	if v.agenda == nil {
		return nil
	}
	runs, err := v.suspects(ctx)
	if err != nil {
		return err
	}
	lost, causes, err := v.lost(ctx, runs)
	if err != nil {
		return err
	}
	extent := v.extent()
	if len(lost) == 0 {
		v.ok(check, fmt.Sprintf("none; %s looked for%s", counted(len(runs), "task"), extent))
		return nil
	}
	texts := make([]string, len(lost))
	for i, run := range lost {
		texts[i] = fmt.Sprintf("event %s for %s (%s)", run.EventID, run.Endpoint(), causes[run])
	}
	text := fmt.Sprintf("%s without a task that somebody will run%s: %s", counted(len(lost), "open delivery"), extent, named(texts))
	if v.census == nil || v.census.Workers == 0 {
		v.bad(check, text, "start a worker: its reconciler gives them a new one within 10 s")
		return nil
	}
	v.warn(check, text, "run outhook doctor again in 15 s: the reconciler gives them a new one within 10 s; if they are there still, look for reconciler in the workers' log")
	return nil
}

// suspects are runs that the queue must know.
func (v *visit) suspects(ctx context.Context) ([]webhook.Run, error) {
	refs := make([]webhook.EndpointRef, len(v.agenda.Endpoints))
	for i, e := range v.agenda.Endpoints {
		refs[i] = e.EndpointRef
	}
	looks, err := v.d.doctor.store.LookAtOpen(ctx, refs, redisstore.LookMost)
	if err != nil {
		return nil, err
	}
	v.looks = looks
	var runs []webhook.Run
	for _, l := range looks {
		runs = append(runs, l.Suspects...)
	}
	return runs, nil
}

// lost are those of the runs that the queue does not know and the ledger, asked once more, still has: else an attempt ended
// in between.
func (v *visit) lost(ctx context.Context, runs []webhook.Run) ([]webhook.Run, map[webhook.Run]webhook.TaskState, error) {
	states, err := v.d.queue.Inspect(ctx, runs)
	if err != nil {
		return nil, nil, err
	}
	causes := map[webhook.Run]webhook.TaskState{}
	var of []webhook.EndpointRef
	for i, run := range runs {
		if states[i] != webhook.TaskAlive {
			causes[run] = states[i]
			of = append(of, run.Endpoint())
		}
	}
	again, err := v.d.doctor.store.LookAtOpen(ctx, slices.Compact(of), redisstore.LookMost) // the runs of an endpoint stand together
	if err != nil {
		return nil, nil, err
	}
	var lost []webhook.Run
	for _, l := range again {
		for _, run := range l.Suspects {
			if _, unknown := causes[run]; unknown {
				lost = append(lost, run)
			}
		}
	}
	return lost, causes, nil
}

// extent says what was looked at, unless that was everything.
func (v *visit) extent() string {
	if v.agenda.Total > len(v.agenda.Endpoints) {
		return fmt.Sprintf(" (looked at %d of %d endpoints with open deliveries, and at the first ones of each)", len(v.agenda.Endpoints), v.agenda.Total)
	}
	for _, l := range v.looks {
		if l.More {
			return " (looked at the first ones of each endpoint)"
		}
	}
	return ""
}

// oldestOpen tells which delivery is open longest.
func (v *visit) oldestOpen(context.Context) error {
	const check = "oldest open"
	if v.looks == nil {
		return nil
	}
	oldest := -1
	for i, l := range v.looks {
		if l.OldestEvent != "" && (oldest < 0 || l.Oldest.Before(v.looks[oldest].Oldest)) {
			oldest = i
		}
	}
	if oldest < 0 {
		v.ok(check, "nothing is open")
		return nil
	}
	maxAge := v.d.cfg.Retry.MaxAge
	ref, event, age := v.agenda.Endpoints[oldest].EndpointRef, v.looks[oldest].OldestEvent, v.now.Sub(v.looks[oldest].Oldest)
	text := fmt.Sprintf("%s: event %s for %s%s", roughly(max(0, age)), event, ref, v.extent())
	advice := fmt.Sprintf("why it is not delivered: outhook event explain %s --brand %s", event, ref.Brand)
	switch {
	case age > maxAge+overAge:
		v.bad(check, text+fmt.Sprintf("; it should have been given up after retry.maxAge, %s", roughly(maxAge)), "a worker gives it up; if one runs, look for reconciler in its log")
	case float64(age) > nearDeath*float64(maxAge):
		v.warn(check, text+fmt.Sprintf("; it is given up in %s (retry.maxAge)", roughly(max(0, maxAge-age))), advice)
	default:
		v.ok(check, text)
	}
	return nil
}
