package dispatcher_test

import (
	"errors"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// Nothing of a brand stays but tombstones and what says that it was erased; another brand keeps everything.
func TestEraseBrand(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := onServer(t, server, once)
	good, bad := d.Receiver(t, "acme", webhook.PurposeStatus), d.Receiver(t, "acme", webhook.PurposeStatus)
	bad.Answer(refuse)
	other := d.Receiver(t, "other", webhook.PurposeStatus)
	ids := numbered("e", 25)
	publishIDs(t, d, ids...)
	if _, err := d.Publish(t.Context(), eventOf("other", "e00")); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		awaitDead(t, d, id, bad.Endpoint.ID)
	}
	good.Wait(t, len(ids))
	if err := d.DeleteEndpoint(t.Context(), bad.Endpoint.Ref()); err != nil { // before, by somebody
		t.Fatal(err)
	}
	if _, err := d.TestEndpoint(t.Context(), good.Endpoint.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	for _, brand := range []string{"acme", "other"} {
		if _, _, err := d.CreateKey(t.Context(), webhook.APIKey{Brand: brand}); err != nil {
			t.Fatal(err)
		}
	}
	spec := webhook.JobSpec{Kind: webhook.JobErase, Brand: "acme"}
	if n, err := d.CountJob(t.Context(), spec); err != nil || n != len(ids) {
		t.Fatalf("would erase %d, %v", n, err)
	}
	j, err := d.StartJob(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	wantAccount(t, awaitJob(t, d, j.ID), webhook.Account{Matched: len(ids), Deleted: len(ids)})
	tests := 0
	for _, key := range redistest.Keys(t, server.Admin(t), "oh:*:acme*") {
		switch kind := strings.Split(key, ":")[2]; kind {
		case "p": // the tombstone
		case "d": // of the test, which is no delivery of an event
			tests++
		default:
			t.Errorf("%s is left", key)
		}
	}
	if tests > 1 {
		t.Errorf("%d records are left", tests)
	}
	if _, err := d.Event(t.Context(), webhook.EventRef{Brand: "acme", ID: "e00"}); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("an event: %v", err)
	}
	keys, err := d.Keys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].Brand != "other" {
		t.Errorf("keys %+v, %v", keys, err)
	}
	other.Wait(t, 1)
	d.WaitDelivered(t, "other", "e00")
	again := d.Receiver(t, "acme", webhook.PurposeStatus) // the brand may begin anew
	publishIDs(t, d, "e00")
	again.Wait(t, 1)
}
