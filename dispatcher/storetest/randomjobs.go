package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var randomJobTests = map[string]func(*T){
	"RandomJobs/what is sent once more ends once for each time, and every account adds up": func(t *T) { walkJobs(t, false) },
	"RandomJobs/so it is with a forgetful queue":                                           func(t *T) { walkJobs(t, true) },
}

// jobWalk is a gateWalk whose deliveries are sent once more, cancelled and deleted by jobs and by hand.
type jobWalk struct {
	gateWalk
	jobs []string
	// accounts are what the jobs' should be, as the answers told.
	accounts map[string]*webhook.Account
	// of holds the job that reopened an event last; open is on its account still.
	of   map[string]string
	open map[string]bool
}

func walkJobs(t *T, forgetful bool) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &jobWalk{
		gateWalk: gateWalk{
			T: t, rand: rand.New(rand.NewPCG(seed, 3)), forgetful: forgetful, stale: true,
			tasks: map[string]gateTask{}, settled: map[string]webhook.State{},
		},
		accounts: map[string]*webhook.Account{}, of: map[string]string{}, open: map[string]bool{},
	}
	w.ref = t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = gateMost })
	for range 2 {
		id := t.job(webhook.JobSpec{Kind: webhook.JobResend}, "a").ID
		w.jobs, w.accounts[id] = append(w.jobs, id), &webhook.Account{}
	}
	for range 2 * gateSteps() {
		switch n := w.rand.IntN(100); {
		case n < 16:
			w.sendAgain()
		case n < 20:
			w.cancelOne()
		case n < 22:
			w.bury()
		case n < 25: // of few slots half is little
			w.update1(1+w.rand.IntN(2), webhook.RateLimit{}, false)
		case n < 40:
			w.finish(dead(webhook.DeathMaxAttempts))
		default:
			w.step()
		}
		w.audit()
	}
	w.drain()
	w.audit()
	for id, a := range w.accounts {
		if a.Open != 0 {
			w.broken("%s has %+v, and nothing is open", id, a)
		}
	}
}

// pick answers some events, each once.
func (w *jobWalk) pick() []webhook.Event {
	var some []webhook.Event
	for range 1 + w.rand.IntN(12) {
		if len(w.events) > 0 {
			some = append(some, w.events[w.rand.IntN(len(w.events))])
		}
	}
	slices.SortFunc(some, func(a, b webhook.Event) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	return slices.CompactFunc(some, func(a, b webhook.Event) bool { return a.ID == b.ID })
}

// sendAgain is a step of a job, perhaps one that is repeated, or somebody's hand.
func (w *jobWalk) sendAgain() {
	how := resending()
	if w.rand.IntN(3) > 0 {
		how = webhook.Reopening{
			Trigger: webhook.TriggerRecover, Job: w.jobs[w.rand.IntN(len(w.jobs))],
			States: []webhook.State{webhook.StateDead, webhook.StateNotSent, webhook.StateExpired, webhook.StateCancelled, webhook.StateNone},
		}
	}
	events := w.pick()
	refs := make([]webhook.DeliveryRef, len(events))
	for i, e := range events {
		refs[i] = w.refOf(e.ID, "a")
	}
	for round := range 1 + w.rand.IntN(2) {
		dry := how
		dry.DryRun = true
		would, _, err := w.Reopen(w.Context(), refs, dry)
		w.must(err)
		done, releases, err := w.Reopen(w.Context(), refs, how)
		w.must(err)
		w.said("send again %v by %q: %v", refs, how.Job, done)
		if !slices.Equal(would, done) {
			w.broken("the dry run said %v, and it was %v", would, done)
		}
		for i, what := range done {
			w.sent(events[i].ID, how, what, round)
		}
		for _, r := range releases {
			w.follow(r)
		}
	}
}

func (w *jobWalk) sent(event string, how webhook.Reopening, what webhook.Reopened, round int) {
	was, over := w.settled[event]
	switch {
	case what == webhook.ReopenedSent && over:
		if how.Job != "" && (w.of[event] == how.Job || !slices.Contains(how.States, was)) {
			w.broken("%s was %s, of %q, and %q sends it", event, was, w.of[event], how.Job)
		}
		if round > 0 {
			w.broken("%s is sent twice", event)
		}
		delete(w.settled, event)
		w.of[event], w.open[event] = how.Job, how.Job != ""
		if how.Job != "" {
			w.accounts[how.Job].Sent++
			w.accounts[how.Job].Open++
		}
	case what == webhook.ReopenedSent && !how.Hurry:
		w.broken("%s is open, and sent", event)
	case what == webhook.ReopenedOther && !over && w.of[event] != how.Job,
		what == webhook.ReopenedOpen && over, what == webhook.ReopenedGone, what == webhook.ReopenedNoBody:
		w.broken("%s was %q: %s", event, was, what)
	}
}

func (w *jobWalk) cancelOne() {
	for _, e := range w.pick() {
		cancelled, r, err := w.Cancel(w.Context(), w.refOf(e.ID, "a"))
		w.must(err)
		w.said("cancel %s: %v", e.ID, cancelled)
		if _, over := w.settled[e.ID]; over == cancelled {
			w.broken("%s is cancelled: %v, settled: %v", e.ID, cancelled, over)
		}
		w.end(e.ID, webhook.StateCancelled)
		w.follow(r)
	}
}

func (w *jobWalk) bury() {
	job := w.jobs[w.rand.IntN(len(w.jobs))]
	var ids []string
	want := 0
	for _, e := range w.pick() {
		ids = append(ids, e.ID)
		if w.settled[e.ID] == webhook.StateDead {
			want++
			w.settled[e.ID] = webhook.StateCancelled
		}
	}
	for range 2 {
		n, err := w.DeleteDead(w.Context(), w.ref, ids, job)
		w.must(err)
		w.said("delete %v: %d", ids, n)
		if n != want {
			w.broken("%d deleted of %v, want %d", n, ids, want)
		}
		w.accounts[job].Deleted += n
		want = 0
	}
}

// end has a delivery end on the account that it is on.
func (w *jobWalk) end(event string, state webhook.State) {
	if !w.open[event] {
		return
	}
	w.open[event] = false
	a := w.accounts[w.of[event]]
	a.Open--
	switch state {
	case webhook.StateDelivered:
		a.Delivered++
	case webhook.StateDead:
		a.Dead++
	default:
		a.Skipped++
	}
}

// audit holds the accounts against what was seen, and the states of what was settled against what they were.
func (w *jobWalk) audit() {
	w.Helper()
	w.check()
	for _, e := range w.events {
		if state, over := w.settled[e.ID]; over {
			w.end(e.ID, state)
			if d, err := w.Delivery(w.Context(), w.refOf(e.ID, "a")); err != nil || d.State != state {
				w.broken("%s was %s, and is %s, %v", e.ID, state, d.State, err)
			}
		}
	}
	for _, id := range w.jobs {
		j, err := w.Job(w.Context(), id)
		w.must(err)
		want := *w.accounts[id]
		want.Matched = want.Delivered + want.Dead + want.Skipped + want.Open + want.Deleted
		if j.Account != want {
			w.broken("account %s, want %s", fmt.Sprintf("%+v", j.Account), fmt.Sprintf("%+v", want))
		}
	}
	letters := 0
	for _, state := range w.settled {
		if state == webhook.StateDead {
			letters++
		}
	}
	if events, _, err := w.Died(w.Context(), w.ref, webhook.Span{}, "", 1000); err != nil || len(events) != letters {
		w.broken("%d dead letters, %v, want %d", len(events), err, letters)
	}
}
