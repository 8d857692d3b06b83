package console

import (
	"reflect"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestPickedDeadLettersAreOneJobAnEndpoint(t *testing.T) {
	spec := webhook.JobSpec{Kind: webhook.JobResend, Brand: "acme", PerSecond: 2, Span: webhook.Span{Since: time.Unix(1, 0)}, EndpointID: "filtered"}
	got := pickedOf(spec, []string{"b/e1", "a/e1", "b/e2", "nonsense"})
	want := []webhook.JobSpec{
		{Kind: webhook.JobResend, Brand: "acme", PerSecond: 2, EndpointID: "a", EventIDs: []string{"e1"}},
		{Kind: webhook.JobResend, Brand: "acme", PerSecond: 2, EndpointID: "b", EventIDs: []string{"e1", "e2"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestProgressOfAJob(t *testing.T) {
	is := jobViewOf(webhook.Job{State: webhook.JobDone, Account: webhook.Account{Matched: 10, Delivered: 5, Dead: 2, Skipped: 1, Open: 2}})
	want := []bar{{Name: "good", From: 0, Wide: 500}, {Name: "bad", From: 500, Wide: 200}, {Name: "off", From: 700, Wide: 100}, {Name: "busy", From: 800, Wide: 200}}
	if !reflect.DeepEqual(is.Bars, want) || !is.Moves {
		t.Errorf("%+v, moves %v", is.Bars, is.Moves)
	}
	if is := jobViewOf(webhook.Job{State: webhook.JobDone}); is.Moves {
		t.Error("a job whose deliveries all have an outcome moves")
	}
}

func TestPace(t *testing.T) {
	for text, want := range map[string]float64{"": 0, " 2.5 ": 2.5} {
		if got, err := paceOf(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "-1", "fast", "NaN"} {
		if got, err := paceOf(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
