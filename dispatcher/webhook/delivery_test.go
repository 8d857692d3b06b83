package webhook_test

import (
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestStateOpen(t *testing.T) {
	for state, want := range map[webhook.State]bool{
		webhook.StateWaiting:   true,
		webhook.StateRunning:   true,
		webhook.StateRetrying:  true,
		webhook.StateDelivered: false,
		webhook.StateDead:      false,
		webhook.StateExpired:   false,
		webhook.StateCancelled: false,
		webhook.StateNotSent:   false,
		"":                     false,
	} {
		if got := state.Open(); got != want {
			t.Errorf("%q is open: %t", state, got)
		}
	}
}

func TestDeliveryRef(t *testing.T) {
	ref := webhook.DeliveryRef{Brand: "acme", EventID: "evt_1", EndpointID: "ep_1"}
	if want := (webhook.EventRef{Brand: "acme", ID: "evt_1"}); ref.Event() != want {
		t.Errorf("event %+v", ref.Event())
	}
	if want := (webhook.EndpointRef{Brand: "acme", ID: "ep_1"}); ref.Endpoint() != want {
		t.Errorf("endpoint %+v", ref.Endpoint())
	}
}

func TestRunID(t *testing.T) {
	ref := webhook.DeliveryRef{Brand: "acme", EventID: "evt_1", EndpointID: "ep_1"}
	for _, row := range []struct {
		run  webhook.Run
		want string
	}{
		{webhook.Run{DeliveryRef: ref, Number: 1, Queue: "live-0"}, "acme:evt_1:ep_1:1"},
		{webhook.Run{DeliveryRef: ref, Number: 1, Queue: "live-3"}, "acme:evt_1:ep_1:1"}, // shards may change
		{webhook.Run{DeliveryRef: ref, Number: 1_000_000}, "acme:evt_1:ep_1:1000000"},
		{webhook.Run{DeliveryRef: ref}, "acme:evt_1:ep_1:0"},
	} {
		if got := row.run.ID(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}
