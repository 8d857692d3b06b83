package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var jobTests = map[string]func(*T){
	"Job/is what was asked for": func(t *T) {
		want := t.job(webhook.JobSpec{
			Kind: webhook.JobRecover, EndpointID: "a", EventIDs: []string{"e1"}, PerSecond: 2.5,
			Span: webhook.Span{Since: t.now().Add(-time.Hour), Until: t.now()},
		}, "a")
		got, err := t.Job(t.Context(), want.ID)
		t.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if _, err := t.Job(t.Context(), "job_unknown"); !errors.Is(err, webhook.ErrNotFound) {
			t.Fatalf("an unknown one: %v", err)
		}
	},
	"Job/has one owner at a time": func(t *T) {
		j := t.job(webhook.JobSpec{Kind: webhook.JobResend}, "a", "b")
		taken := t.take("one", j.ID)
		if !slices.Equal(taken.Endpoints, []string{"a", "b"}) || taken.Progress != (webhook.JobProgress{}) {
			t.Fatalf("taken %+v", taken)
		}
		t.take("two", "")
		p := webhook.JobProgress{Endpoint: 1, Phase: 2, After: "3-4", Skipped: 5, Deleted: 6}
		t.save(j.ID, "two", p, false)
		t.save(j.ID, "one", p, true)
		t.pass(8 * time.Second)
		t.save(j.ID, "one", p, true) // it is its owner's for another while
		t.pass(8 * time.Second)
		t.take("two", "")
		t.pass(8 * time.Second)
		if got := t.take("two", j.ID); got.Progress != p {
			t.Fatalf("progress %+v, want %+v", got.Progress, p)
		}
		t.save(j.ID, "one", webhook.JobProgress{}, false)
		p.Left = true
		t.save(j.ID, "two", p, true)
		t.take("three", j.ID)
	},
	"Job/one that was left comes behind those that wait": func(t *T) {
		first := t.job(webhook.JobSpec{Kind: webhook.JobResend})
		t.take("one", first.ID)
		second := t.job(webhook.JobSpec{Kind: webhook.JobResend})
		t.save(first.ID, "one", webhook.JobProgress{Left: true}, true)
		t.take("two", second.ID)
		t.take("three", first.ID)
	},
	"Job/are counted by brand": func(t *T) {
		t.job(webhook.JobSpec{Kind: webhook.JobResend})
		t.pass(time.Hour)
		ended := t.job(webhook.JobSpec{Kind: webhook.JobResend})
		t.must(t.CancelJob(t.Context(), ended.ID))
		t.must(t.CreateJob(t.Context(), webhook.Job{ID: webhook.NewID(webhook.JobPrefix),
			JobSpec: webhook.JobSpec{Kind: webhook.JobResend, Brand: t.brand + "-b"}, StartedAt: t.now()}, nil))
		running, begun, err := t.CountJobs(t.Context(), t.brand, t.now())
		t.must(err)
		if running != 1 || begun != 1 {
			t.Fatalf("%d run, %d begun, want 1 and 1", running, begun)
		}
	},
	"Job/ends": func(t *T) {
		j := t.job(webhook.JobSpec{Kind: webhook.JobResend})
		t.take("one", j.ID)
		t.pass(time.Second)
		t.save(j.ID, "one", webhook.JobProgress{Skipped: 2, Deleted: 1, Done: true}, true)
		t.save(j.ID, "one", webhook.JobProgress{}, false)
		t.must(t.CancelJob(t.Context(), j.ID))
		got, err := t.Job(t.Context(), j.ID)
		t.must(err)
		if got.State != webhook.JobDone || !got.FinishedAt.Equal(t.now()) || got.Account != (webhook.Account{Matched: 3, Skipped: 2, Deleted: 1}) {
			t.Fatalf("ended %+v", got)
		}
		t.pass(time.Hour)
		t.take("two", "")
	},
	"Job/that is cancelled is nobody's": func(t *T) {
		j := t.job(webhook.JobSpec{Kind: webhook.JobResend})
		t.take("one", j.ID)
		t.must(t.CancelJob(t.Context(), j.ID))
		t.save(j.ID, "one", webhook.JobProgress{}, false)
		t.pass(time.Hour)
		t.take("two", "")
		if got, err := t.Job(t.Context(), j.ID); err != nil || got.State != webhook.JobCancelled || got.FinishedAt.IsZero() {
			t.Fatalf("cancelled %+v, %v", got, err)
		}
		if err := t.CancelJob(t.Context(), "job_unknown"); !errors.Is(err, webhook.ErrNotFound) {
			t.Fatalf("an unknown one: %v", err)
		}
	},
	"Job/accounts for what became of what it sent": func(t *T) {
		ref := t.endpoint("a")
		var names []string
		for i := range 5 {
			id := fmt.Sprint("e", i)
			t.settle(t.runOf(id, "a"), dead(webhook.DeathMaxAge))
			names = append(names, id+":a")
		}
		j := t.job(webhook.JobSpec{Kind: webhook.JobResend}, "a")
		how := webhook.Reopening{Trigger: webhook.TriggerResend, States: []webhook.State{webhook.StateDead}, Job: j.ID}
		t.reopen(how, webhook.ReopenedSent, names...)
		t.wantAccount(j.ID, webhook.Account{Matched: 5, Sent: 5, Open: 5})
		for i, v := range []webhook.Verdict{delivered(), dead(webhook.DeathMaxAttempts), t.retryIn(time.Hour)} {
			t.settleOnce(fmt.Sprint("e", i), v)
		}
		t.cancel("e3", true)
		want := webhook.Account{Matched: 5, Sent: 5, Delivered: 1, Dead: 1, Skipped: 1, Open: 2}
		t.wantAccount(j.ID, want)
		// What becomes of it later is on no account, or on another one's.
		t.reopen(resending(), webhook.ReopenedSent, "e0:a", "e1:a")
		t.settleOnce("e0", delivered())
		t.wantAccount(j.ID, want)
		n, err := t.DeleteDead(t.Context(), ref, []string{"e1", "unknown"}, j.ID)
		t.must(err)
		if n != 0 {
			t.Fatalf("deleted %d, but it is open", n)
		}
		t.settleOnce("e1", dead(webhook.DeathMaxAge))
		if n, err = t.DeleteDead(t.Context(), ref, []string{"e1", "unknown"}, j.ID); err != nil || n != 1 {
			t.Fatalf("deleted %d, %v", n, err)
		}
		want.Matched, want.Deleted = 6, 1
		t.wantAccount(j.ID, want)
		t.wantDead()
		t.wantState("e1", "a", webhook.StateCancelled)
	},
	"Jobs/of a brand or of all, the last begun first, in pages": func(t *T) {
		own := t.brand
		var want []string
		for i := range 5 {
			t.brand = []string{own, "other"}[i%2]
			want = append(want, t.job(webhook.JobSpec{Kind: webhook.JobResend}).ID)
			t.pass(time.Second)
		}
		slices.Reverse(want)
		t.brand = own
		t.wantJobs("", want...)
		t.wantJobs(own, want[0], want[2], want[4])
		t.wantJobs("third")
	},
	"Died/in the order of death, while some are resent": func(t *T) {
		ref := t.endpoint("a")
		var want []string
		since := t.now()
		for i := range 12 {
			id := fmt.Sprintf("e%02d", i)
			t.settle(t.runOf(id, "a"), dead(webhook.DeathMaxAge))
			if want = append(want, id); i%4 == 3 {
				t.pass(time.Millisecond)
			}
		}
		var got []string
		for after := ""; ; {
			events, next, err := t.Died(t.Context(), ref, webhook.Span{Since: since, Until: t.now()}, after, 3)
			t.must(err)
			got = append(got, events...)
			for _, id := range events {
				t.reopen(resending(), webhook.ReopenedSent, id+":a")
			}
			if after = next; after == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("died %v, want %v", got, want)
		}
	},
	"Published/in the order of the list, by time": func(t *T) {
		t.endpoint("a")
		for i := range 5 {
			t.admit(t.event(fmt.Sprint("e", i)), "a")
		}
		var got []string
		for after := ""; ; {
			events, next, err := t.Published(t.Context(), t.brand, webhook.Span{}, after, 2)
			t.must(err)
			for _, e := range events {
				got = append(got, e.ID+" "+e.Type)
			}
			if after = next; after == "" {
				break
			}
		}
		if len(got) != 5 || got[0] != "e0 message.delivered" || got[4] != "e4 message.delivered" {
			t.Fatalf("published %v", got)
		}
	},
}

// job keeps a job of the test's brand, begun now.
func (t *T) job(spec webhook.JobSpec, endpoints ...string) webhook.Job {
	t.Helper()
	spec.Brand = t.brand
	j := webhook.Job{ID: webhook.NewID(webhook.JobPrefix), JobSpec: spec, State: webhook.JobRunning, StartedAt: t.now()}
	t.must(t.CreateJob(t.Context(), j, endpoints))
	return j
}

// take wants that job for an owner, or none.
func (t *T) take(owner, want string) webhook.TakenJob {
	t.Helper()
	got, ok, err := t.TakeJob(t.Context(), owner)
	t.must(err)
	if ok != (want != "") || got.ID != want {
		t.Fatalf("%s takes %q, %v, want %q", owner, got.ID, ok, want)
	}
	return got
}

func (t *T) save(id, owner string, p webhook.JobProgress, want bool) {
	t.Helper()
	ok, err := t.SaveJob(t.Context(), id, owner, p)
	t.must(err)
	if ok != want {
		t.Fatalf("%s saves: %v, want %v", owner, ok, want)
	}
}

func (t *T) wantAccount(id string, want webhook.Account) {
	t.Helper()
	got, err := t.Job(t.Context(), id)
	t.must(err)
	if diff := cmp.Diff(want, got.Account); diff != "" {
		t.Fatal(diff)
	}
}

// settleOnce records an attempt of a delivery whose second run is out.
func (t *T) settleOnce(event string, v webhook.Verdict) {
	t.Helper()
	for number := 2; number < 10; number++ {
		run := webhook.Run{DeliveryRef: t.refOf(event, "a"), Number: number, Queue: "q"}
		if t.claim(run).Verdict == webhook.ClaimGo {
			t.settle(run, v)
			return
		}
	}
	t.Fatalf("no run of %s is out", event)
}

func (t *T) wantJobs(brand string, want ...string) {
	t.Helper()
	var got []string
	for after := ""; ; {
		page, err := t.Jobs(t.Context(), webhook.JobQuery{Brand: brand, Slice: webhook.Slice{Limit: 2, After: after}})
		t.must(err)
		for _, j := range page.Items {
			got = append(got, j.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("jobs %v, want %v", got, want)
	}
}
