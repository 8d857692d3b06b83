package dispatcher_test

import (
	"errors"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// A brand whose jobs take days leaves room for those of others.
func TestJobsOfABrandLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, once)
	allDead(t, d, d.Receiver(t, "loud", webhook.PurposeStatus), numbered("e", 20)...)
	var loud []string
	for range 14 {
		j, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobResend, Brand: "loud", PerSecond: 0.001})
		if err != nil {
			t.Fatal(err)
		}
		loud = append(loud, j.ID)
	}
	quiet, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobResend, Brand: "quiet"})
	if err != nil {
		t.Fatal(err)
	}
	awaitJob(t, d, quiet.ID)
	begun := 0
	for _, id := range loud {
		j, err := d.Job(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if j.Sent > 0 {
			begun++
		}
	}
	if begun == 0 || begun > 10 {
		t.Errorf("%d jobs of one brand are worked on in a process, want 10 at most", begun)
	}
}

// A process that has what happens now alone leaves the jobs to those that work replays.
func TestJobsAreWorkedOnWhereReplaysAre(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	live := onServer(t, server, once, func(c *dispatcher.Config) { c.Serve = []string{"live-0", "live-1", "live-2", "live-3"} })
	r := live.Receiver(t, "acme", webhook.PurposeStatus)
	allDead(t, live, r, numbered("e", 3)...)
	j, err := live.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobDelete, Brand: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // each is more than a worker of jobs waits before it looks
		time.Sleep(time.Second)
		if j, err = live.Job(t.Context(), j.ID); err != nil || j.State != webhook.JobRunning {
			t.Fatalf("%s, %v", j.State, err)
		}
	}
	onServer(t, server, once, func(c *dispatcher.Config) { c.Serve = []string{"bulk-1"} })
	if j = awaitJob(t, live, j.ID); j.Deleted != 3 {
		t.Errorf("%d of 3 deleted", j.Deleted)
	}
}

// However many of its jobs ended since, a brand has 20 that run, and begins 200 an hour. What erases it is not among them.
func TestJobsOfABrandAreBounded(t *testing.T) {
	t.Parallel()
	cfg := dispatchertest.Config()
	cfg.Redis = dispatchertest.Embedded(t)
	d, err := dispatcher.New(cfg) // it does not run: no job ends
	if err != nil {
		t.Fatal(err)
	}
	start := func(kind webhook.JobKind, brand string) (webhook.Job, error) {
		return d.StartJob(t.Context(), webhook.JobSpec{Kind: kind, Brand: brand})
	}
	begun := 0
	for ; begun < 19; begun++ {
		if _, err := start(webhook.JobDelete, "acme"); err != nil {
			t.Fatal(err)
		}
	}
	for ; begun < 199; begun++ {
		j, err := start(webhook.JobDelete, "acme")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.CancelJob(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
	last, err := start(webhook.JobDelete, "acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := start(webhook.JobDelete, "acme"); !errors.Is(err, webhook.ErrBusy) {
		t.Errorf("the 21st that runs: %v", err)
	}
	if _, err := d.CancelJob(t.Context(), last.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := start(webhook.JobDelete, "acme"); !errors.Is(err, webhook.ErrBusy) {
		t.Errorf("the 201st of an hour: %v", err)
	}
	if _, err := start(webhook.JobErase, "acme"); err != nil {
		t.Errorf("erase: %v", err)
	}
	if _, err := start(webhook.JobDelete, "other"); err != nil {
		t.Errorf("of another brand: %v", err)
	}
}

// What is erased has no jobs that go on.
func TestEraseEndsJobs(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, once)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	allDead(t, d, r, numbered("e", 3)...)
	slow, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobResend, Brand: "acme", PerSecond: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	r.Wait(t, 4)
	erase, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobErase, Brand: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if erase = awaitJob(t, d, erase.ID); erase.State != webhook.JobDone {
		t.Errorf("erase is %s", erase.State)
	}
	if slow, err = d.Job(t.Context(), slow.ID); err != nil || slow.State != webhook.JobCancelled {
		t.Errorf("the other job is %s, %v", slow.State, err)
	}
}
