package dispatcher_test

import (
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// allDead publishes events to an endpoint that gives each up at once.
func allDead(t *testing.T, d *dispatchertest.Dispatcher, r *dispatchertest.Receiver, ids ...string) {
	t.Helper()
	r.Answer(refuse)
	for _, id := range ids {
		if _, err := d.Publish(t.Context(), eventOf(r.Endpoint.Brand, id)); err != nil {
			t.Fatal(err)
		}
	}
	dispatchertest.Eventually(t, func() bool {
		found, err := d.DeadLetters(t.Context(), webhook.DeadLetterQuery{Brand: r.Endpoint.Brand, Slice: webhook.Slice{Limit: 200}})
		return err == nil && len(found.Items) == len(ids)
	})
	r.Answer(nil)
}

// The pace holds for chosen events too.
func TestPaceOfChosenEvents(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, once)
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	ids := numbered("e", 10)
	allDead(t, d, r, ids...)
	j, err := d.StartJob(t.Context(), webhook.JobSpec{Kind: webhook.JobResend, Brand: "acme", EventIDs: ids, PerSecond: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Wait(t, len(ids)+1)
	if _, err := d.CancelJob(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if j = awaitJob(t, d, j.ID); j.Matched == 0 || j.Matched == len(ids) {
		t.Errorf("account %+v", j.Account)
	}
}
