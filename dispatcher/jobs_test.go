package dispatcher_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

func refuse(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }

// once has a dispatcher give up after the first attempt.
func once(c *dispatcher.Config) { c.Retry.MaxAttempts = 1 }

func publishIDs(t *testing.T, d *dispatchertest.Dispatcher, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := d.Publish(t.Context(), event(id)); err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%02d", prefix, i)
	}
	return ids
}

func idsOf(received []dispatchertest.Received) []string {
	var ids []string
	for _, r := range received {
		ids = append(ids, r.ID())
	}
	slices.Sort(ids)
	return ids
}

// awaitJob waits until a job has ended and nothing of it is open.
func awaitJob(t *testing.T, d *dispatchertest.Dispatcher, id string) webhook.Job {
	t.Helper()
	var j webhook.Job
	dispatchertest.Eventually(t, func() bool {
		var err error
		j, err = d.Job(t.Context(), id)
		return err == nil && j.State != webhook.JobRunning && j.Open == 0
	})
	return j
}

func wantAccount(t *testing.T, j webhook.Job, want webhook.Account) {
	t.Helper()
	if diff := cmp.Diff(want, j.Account); diff != "" {
		t.Error(diff)
	}
}

func TestResend(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, once)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	other := d.Receiver(t, "acme", webhook.PurposeInbound)
	ref := webhook.EventRef{Brand: "acme", ID: "e"}
	publishIDs(t, d, "e")
	first := d.WaitDelivered(t, "acme", "e")
	stands, err := d.Resend(t.Context(), ref, "")
	if err != nil || len(stands) != 1 || stands[0].Ref.EndpointID != r.Endpoint.ID {
		t.Fatalf("resent %+v, %v", stands, err)
	}
	got := r.Wait(t, 2)
	if got[0].ID() != got[1].ID() || string(got[0].Body) != string(got[1].Body) || got[1].Header.Get(webhook.HeaderAttempt) != "1" {
		t.Errorf("resent %s %q, attempt %s", got[1].ID(), got[1].Body, got[1].Header.Get(webhook.HeaderAttempt))
	}
	again := d.WaitDelivered(t, "acme", "e")
	if !again.Deliveries[0].UpdatedAt.After(first.Deliveries[0].UpdatedAt) {
		t.Errorf("still delivered at %s", first.Deliveries[0].UpdatedAt)
	}
	attempts, err := d.Attempts(t.Context(), webhook.AttemptQuery{Brand: "acme", EventID: "e", Slice: webhook.Slice{Limit: 10}})
	if err != nil || len(attempts.Items) != 2 || attempts.Items[0].Trigger != webhook.TriggerResend || attempts.Items[1].Trigger != webhook.TriggerDelivery {
		t.Errorf("attempts %+v, %v", attempts.Items, err)
	}

	if _, err := d.Resend(t.Context(), ref, other.Endpoint.ID); err != nil { // where it never went
		t.Error(err)
	}
	if got := other.Wait(t, 1); got[0].ID() != "e" {
		t.Errorf("got %s", got[0].ID())
	}
	for _, c := range []struct {
		ref      webhook.EventRef
		endpoint string
	}{{webhook.EventRef{Brand: "acme", ID: "unknown"}, ""}, {ref, "unknown"}, {webhook.EventRef{Brand: "other", ID: "e"}, ""}} {
		if _, err := d.Resend(t.Context(), c.ref, c.endpoint); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("%v to %q: %v", c.ref, c.endpoint, err)
		}
	}
}

// What is tried in an hour is tried now, by the same delivery.
func TestResendOfARetryIsDueNow(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Retry.InitialInterval, c.Retry.MaxInterval = time.Hour, time.Hour })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(refuse)
	publishIDs(t, d, "e")
	d.WaitState(t, "acme", "e", webhook.StateRetrying)
	r.Answer(nil)
	if _, err := d.Resend(t.Context(), webhook.EventRef{Brand: "acme", ID: "e"}, ""); err != nil {
		t.Fatal(err)
	}
	d.WaitDelivered(t, "acme", "e")
	if got := r.Received(); len(got) != 2 || got[1].Header.Get(webhook.HeaderAttempt) != "2" {
		t.Errorf("%d webhooks", len(got))
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Retry.InitialInterval, c.Retry.MaxInterval = time.Hour, time.Hour })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(refuse)
	publishIDs(t, d, "e")
	d.WaitState(t, "acme", "e", webhook.StateRetrying)
	ref := webhook.EventRef{Brand: "acme", ID: "e"}
	stands, err := d.Cancel(t.Context(), ref, "")
	if err != nil || len(stands) != 1 || stands[0].State != webhook.StateCancelled {
		t.Fatalf("cancelled %+v, %v", stands, err)
	}
	if _, err := d.Cancel(t.Context(), ref, "unknown"); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("an unknown endpoint: %v", err)
	}
	r.Answer(nil)
	if _, err := d.Resend(t.Context(), ref, ""); err != nil {
		t.Fatal(err)
	}
	d.WaitDelivered(t, "acme", "e")
}

// An endpoint missed everything that one can miss: it failed, was disabled, and was not there.
func TestRecover(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := onServer(t, server, once)
	began := time.Now().Add(-time.Second)
	witness := d.Receiver(t, "acme", webhook.PurposeStatus)
	publishIDs(t, d, numbered("before", 10)...)
	d.WaitDelivered(t, "acme", "before09")
	late := d.Receiver(t, "acme", webhook.PurposeStatus)
	late.Answer(refuse)
	publishIDs(t, d, numbered("failed", 30)...)
	for _, id := range numbered("failed", 30) {
		awaitDead(t, d, id, late.Endpoint.ID)
	}
	disable := func(reason string) {
		if _, err := d.UpdateEndpoint(t.Context(), late.Endpoint.Ref(), func(e *webhook.Endpoint) error { e.DisabledReason = reason; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	disable(webhook.DisabledManually)
	publishIDs(t, d, numbered("disabled", 10)...)
	disable("")
	late.Answer(nil)
	publishIDs(t, d, numbered("after", 10)...)
	late.Wait(t, 40)

	spec := webhook.JobSpec{Kind: webhook.JobRecover, Brand: "acme", EndpointID: late.Endpoint.ID, Span: webhook.Span{Since: began}}
	if n, err := d.CountJob(t.Context(), spec); err != nil || n != 50 {
		t.Fatalf("would match %d, %v", n, err)
	}
	j, err := d.StartJob(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	wantAccount(t, awaitJob(t, d, j.ID), webhook.Account{Matched: 50, Sent: 50, Delivered: 50})
	want := slices.Concat(numbered("after", 10), numbered("before", 10), numbered("disabled", 10), numbered("failed", 30), numbered("failed", 30))
	slices.Sort(want)
	if diff := cmp.Diff(want, idsOf(late.Received())); diff != "" {
		t.Error(diff)
	}
	if n := len(witness.Received()); n != 60 {
		t.Errorf("the other endpoint got %d, want 60", n)
	}
	if n, err := d.CountJob(t.Context(), spec); err != nil || n != 0 {
		t.Errorf("would match %d again, %v", n, err)
	}
	found, err := d.Attempts(t.Context(), webhook.AttemptQuery{Brand: "acme", EndpointID: late.Endpoint.ID, Slice: webhook.Slice{Limit: 1}})
	if err != nil || found.Items[0].Trigger != webhook.TriggerRecover {
		t.Errorf("attempts %+v, %v", found.Items, err)
	}
}

func awaitDead(t *testing.T, d *dispatchertest.Dispatcher, event, endpoint string) {
	t.Helper()
	dispatchertest.Eventually(t, func() bool {
		status, err := d.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: event})
		return err == nil && slices.ContainsFunc(status.Deliveries, func(x webhook.Delivery) bool {
			return x.Ref.EndpointID == endpoint && x.State == webhook.StateDead
		})
	})
}

// withDead runs a dispatcher with so many dead letters, of events e00, e01, ….
func withDead(t *testing.T, n int) (*dispatchertest.Dispatcher, *dispatchertest.Receiver) {
	t.Helper()
	d := dispatchertest.Start(t, once)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	r.Answer(refuse)
	publishIDs(t, d, numbered("e", n)...)
	for _, id := range numbered("e", n) {
		d.WaitState(t, "acme", id, webhook.StateDead)
	}
	return d, r
}

func TestDeadLetterJobs(t *testing.T) {
	t.Parallel()
	d, r := withDead(t, 12)
	run := func(spec webhook.JobSpec) webhook.Job {
		spec.Brand = "acme"
		j, err := d.StartJob(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		return awaitJob(t, d, j.ID)
	}
	r.Answer(nil)
	wantAccount(t, run(webhook.JobSpec{Kind: webhook.JobResend, EventIDs: []string{"e00", "e03", "unknown"}}), webhook.Account{Matched: 2, Sent: 2, Delivered: 2})
	wantAccount(t, run(webhook.JobSpec{Kind: webhook.JobDelete, EventIDs: []string{"e01", "e03"}}), webhook.Account{Matched: 1, Deleted: 1})
	if n, err := d.CountJob(t.Context(), webhook.JobSpec{Kind: webhook.JobDelete, Brand: "acme"}); err != nil || n != 9 {
		t.Errorf("would delete %d, %v", n, err)
	}
	r.Answer(refuse)
	wantAccount(t, run(webhook.JobSpec{Kind: webhook.JobResend, EndpointID: r.Endpoint.ID}), webhook.Account{Matched: 9, Sent: 9, Dead: 9})
	wantAccount(t, run(webhook.JobSpec{Kind: webhook.JobDelete}), webhook.Account{Matched: 9, Deleted: 9})
	left, err := d.DeadLetters(t.Context(), webhook.DeadLetterQuery{Brand: "acme", Slice: webhook.Slice{Limit: 10}})
	if err != nil || len(left.Items) != 0 {
		t.Errorf("left %v, %v", left.Items, err)
	}
}

// An event that two finished at the same time stands in the list twice, and is counted once.
func TestWhatStandsTwiceInTheListIsCountedOnce(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t)
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Redis = rdb })
	began := time.Now().Add(-time.Minute)
	publishIDs(t, d, "e1", "e2")
	e := event("e1")
	store, err := redisstore.New(redisstore.Config{Redis: rdb, Keys: redisstore.NewKeyRing(), QueueFor: func(webhook.EndpointRef) string { return "live-0" }})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Finish(t.Context(), []webhook.Event{e}); err != nil {
		t.Fatal(err)
	}
	late := d.Receiver(t, "acme", webhook.PurposeStatus)
	spec := webhook.JobSpec{Kind: webhook.JobRecover, Brand: "acme", EndpointID: late.Endpoint.ID, Span: webhook.Span{Since: began}}
	if n, err := d.CountJob(t.Context(), spec); err != nil || n != 2 {
		t.Errorf("would match %d, %v", n, err)
	}
}

// A cancelled job sends nothing more; what it sent goes on.
func TestCancelJob(t *testing.T) {
	t.Parallel()
	const deaths = 10
	d, r := withDead(t, deaths)
	r.Answer(nil)
	j, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobResend, Brand: "acme", PerSecond: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Wait(t, deaths+1)
	j, err = d.CancelJob(t.Context(), j.ID)
	if err != nil || j.State != webhook.JobCancelled || j.FinishedAt.IsZero() {
		t.Fatalf("cancelled %+v, %v", j, err)
	}
	j = awaitJob(t, d, j.ID)
	if j.Delivered != j.Matched || j.Matched == 0 || j.Matched == deaths {
		t.Errorf("account %+v", j.Account)
	}
	left, err := d.DeadLetters(t.Context(), webhook.DeadLetterQuery{Brand: "acme", Slice: webhook.Slice{Limit: 20}})
	if err != nil || len(left.Items) != deaths-j.Matched {
		t.Errorf("%d dead letters left of %d, matched %d, %v", len(left.Items), deaths, j.Matched, err)
	}
}

func TestJobsThatCannotBe(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	now := time.Now()
	for _, c := range []struct {
		spec webhook.JobSpec
		want error
	}{
		{webhook.JobSpec{Kind: webhook.JobRecover, EndpointID: "unknown", Span: webhook.Span{Since: now.Add(-time.Hour)}}, webhook.ErrNotFound},
		{webhook.JobSpec{Kind: webhook.JobRecover, EndpointID: r.Endpoint.ID}, webhook.ErrInvalid},
		{webhook.JobSpec{Kind: webhook.JobRecover, EndpointID: r.Endpoint.ID, Span: webhook.Span{Since: now.Add(time.Hour)}}, webhook.ErrInvalid},
		{webhook.JobSpec{Kind: webhook.JobRecover, Span: webhook.Span{Since: now.Add(-time.Hour)}}, webhook.ErrInvalid},
		{webhook.JobSpec{Kind: webhook.JobResend, PerSecond: -1}, webhook.ErrInvalid},
		{webhook.JobSpec{Kind: webhook.JobResend, EndpointID: "unknown"}, webhook.ErrNotFound},
		{webhook.JobSpec{Kind: webhook.JobDelete, Span: webhook.Span{Since: now, Until: now.Add(-time.Hour)}}, webhook.ErrInvalid},
		{webhook.JobSpec{Kind: "other"}, webhook.ErrInvalid},
	} {
		c.spec.Brand = "acme"
		if _, err := d.StartJob(t.Context(), c.spec); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.spec, err, c.want)
		}
		if _, err := d.CountJob(t.Context(), c.spec); !errors.Is(err, c.want) {
			t.Errorf("count %+v: %v, want %v", c.spec, err, c.want)
		}
	}
	if found, err := d.Jobs(t.Context(), webhook.JobQuery{Slice: webhook.Slice{Limit: 10}}); err != nil || len(found.Items) != 0 {
		t.Errorf("jobs %+v, %v", found.Items, err)
	}
}

// Where an event was sent later it is explained as any other.
func TestExplainOfWhatWasSentLater(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	publishIDs(t, d, "e")
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	ref := webhook.EventRef{Brand: "acme", ID: "e"}
	if x, err := d.Explain(t.Context(), ref); err != nil || len(x.Endpoints) != 1 || x.Endpoints[0].Matched {
		t.Fatalf("explained %+v, %v", x, err)
	}
	if _, err := d.Resend(t.Context(), ref, r.Endpoint.ID); err != nil {
		t.Fatal(err)
	}
	r.Wait(t, 1)
	d.WaitDelivered(t, "acme", "e")
}
