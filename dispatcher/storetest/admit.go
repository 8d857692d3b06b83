package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var admitTests = map[string]func(*T){
	"Admit/keeps the event byte for byte": func(t *T) {
		t.endpoint("a")
		t.endpoint("b")
		e := t.event("e1")
		e.Payload = []byte("{\"x\" :1e2,\"x\":\"<\u2028😀\"}\n")
		e.ExpiresAt = t.now().Add(time.Hour)
		a := t.admit(e, "a", "b")
		if a.Duplicate || a.Err != nil || len(a.Runs()) != 2 || !slices.Equal(a.Endpoints, []string{"a", "b"}) {
			t.Fatalf("Admit = %+v, want two runs", a)
		}
		got, endpoints, err := t.Event(t.Context(), e.Ref())
		t.must(err)
		if string(got.Payload) != string(e.Payload) || got.Type != e.Type || !got.PublishedAt.Equal(e.PublishedAt) ||
			!got.ExpiresAt.Equal(e.ExpiresAt) || got.Ref() != e.Ref() || !slices.Equal(endpoints, []string{"a", "b"}) {
			t.Fatalf("Event = %+v for %v", got, endpoints)
		}
	},
	"Admit/without an endpoint the event is kept": func(t *T) {
		if a := t.admit(t.event("e1")); a.Err != nil || len(a.Runs()) != 0 {
			t.Fatalf("Admit = %+v", a)
		}
		_, _, err := t.Event(t.Context(), t.event("e1").Ref())
		t.must(err)
	},
	"Admit/beyond the limit deliveries wait in order of publish": func(t *T) {
		t.endpoint("a")
		for i := range maxInFlight {
			t.runOf(fmt.Sprint("run", i), "a")
		}
		late, early := t.event("late"), t.event("early")
		early.PublishedAt = late.PublishedAt.Add(-time.Second)
		t.wantRuns(t.admit(late, "a").Runs())
		t.wantRuns(t.admit(early, "a").Runs())
		if d := t.wantState("early", "a", webhook.StateWaiting); d.Position != 1 || d.WaitingFor != "slot" {
			t.Fatalf("early = %+v, want first in the line for a slot", d)
		}
		if d := t.wantState("late", "a", webhook.StateWaiting); d.Position != 2 {
			t.Fatalf("late = %+v, want second in the line", d)
		}
	},
	"Admit/again after the end is a duplicate": func(t *T) {
		t.endpoint("a")
		e := t.event("e1")
		t.admit(e, "a")
		e.PublishedAt = t.now().Add(time.Minute)
		again := t.admit(e, "a", "other")
		if !again.Duplicate || len(again.Runs()) != 0 || !slices.Equal(again.Endpoints, []string{"a"}) {
			t.Fatalf("Admit again = %+v, want a duplicate for the first endpoints", again)
		}
	},
	"Admit/again before the end finishes the stored fan-out": func(t *T) {
		t.endpoint("a")
		t.endpoint("b")
		e := t.event("e1")
		first := t.admitOnly(e, "a", "b")
		e.PublishedAt = t.now().Add(time.Minute)
		again := t.admitOnly(e)
		if !again.Duplicate || !slices.Equal(again.Runs(), first.Runs()) {
			t.Fatalf("Admit again = %+v, want the runs %v", again, first.Runs())
		}
	},
	"Admit/again after a task was done adds nothing": func(t *T) {
		t.endpoint("a")
		first := t.admitOnly(t.event("e1"), "a")
		t.settle(first.Runs()[0], delivered())
		t.wantRuns(t.admitOnly(t.event("e1"), "a").Runs())
		t.wantState("e1", "a", webhook.StateDelivered)
	},
	"Admit/again while it waits at a disabled endpoint leaves it waiting": func(t *T) {
		ref := t.endpoint("a", func(e *webhook.Endpoint) { e.MaxInFlight = 1 })
		first := t.runOf("first", "a")
		t.wantRuns(t.admitOnly(t.event("e1"), "a").Runs())
		t.disable(ref)
		t.wantRuns(t.admit(t.event("e1"), "a").Runs())
		t.wantState("e1", "a", webhook.StateWaiting)
		t.settle(first, delivered())
		released := t.enable(ref)
		t.wantRuns(released, "e1")
		t.wantClaim(released[0], webhook.ClaimGo)
	},
	"Admit/twice in one call is a duplicate": func(t *T) {
		t.endpoint("a")
		f := webhook.Fanout{Event: t.event("e1"), Endpoints: []string{"a"}}
		answers, err := t.Admit(t.Context(), []webhook.Fanout{f, f})
		t.must(err)
		if answers[0].Duplicate || !answers[1].Duplicate || !slices.Equal(answers[1].Endpoints, f.Endpoints) {
			t.Fatalf("Admit = %+v, want the second a duplicate", answers)
		}
		t.wantRuns(answers[0].Runs(), "e1")
		t.wantRuns(answers[1].Runs())
	},
	"Admit/another payload or type is a conflict": func(t *T) {
		t.admit(t.event("e1"))
		payload, kind := t.event("e1"), t.event("e1")
		payload.Payload = []byte(`{"other":true}`)
		kind.Type = "message.read"
		for _, e := range []webhook.Event{payload, kind} {
			if a := t.admitOnly(e); !errors.Is(a.Err, webhook.ErrConflict) {
				t.Fatalf("Admit = %+v, want a conflict", a)
			}
		}
	},
	"Admit/many events in one call, answers in order": func(t *T) {
		t.endpoint("a")
		t.endpoint("b")
		var fanouts []webhook.Fanout
		for i := range 20 {
			fanouts = append(fanouts, webhook.Fanout{Event: t.event(fmt.Sprint("e", i)), Endpoints: []string{"a", "b"}[:i%3%2+1]})
		}
		fanouts[7].Event = t.event("e3")
		fanouts[7].Event.Payload = []byte(`{}`)
		answers, err := t.Admit(t.Context(), fanouts)
		t.must(err)
		runs := 0
		for i, a := range answers {
			if (a.Err != nil) != (i == 7) || a.Err == nil && len(a.Endpoints) != len(fanouts[i].Endpoints) {
				t.Fatalf("answer %d = %+v", i, a)
			}
			runs += len(a.Runs())
		}
		if runs != 2*maxInFlight {
			t.Fatalf("%d runs, want the slots of two endpoints", runs)
		}
	},
	"Admit/brands do not meet": func(t *T) {
		t.endpoint("a")
		mine := t.runOf("e1", "a")
		first := t.brand
		t.brand += "x"
		if _, _, err := t.Event(t.Context(), t.event("e1").Ref()); !errors.Is(err, webhook.ErrNotFound) {
			t.Fatalf("another brand's event: %v", err)
		}
		t.endpoint("a")
		theirs := t.runOf("e1", "a")
		if mine.ID() == theirs.ID() {
			t.Fatalf("both brands' runs are %s", mine.ID())
		}
		t.settle(theirs, delivered())
		t.brand = first
		t.wantState("e1", "a", webhook.StateRunning)
	},
	"Admit/to a disabled, deleted or unknown endpoint sends nothing": func(t *T) {
		disabled, deleted := t.endpoint("off"), t.endpoint("gone")
		t.disable(disabled)
		t.must(t.DeleteEndpoint(t.Context(), deleted))
		t.wantRuns(t.admit(t.event("e1"), "off", "gone", "never").Runs())
		t.wantState("e1", "off", webhook.StateNotSent)
		t.wantState("e1", "gone", webhook.StateCancelled) // visibly, although the publisher saw it still
		t.wantState("e1", "never", webhook.StateCancelled)
	},
	"Admit/at once from many sides never exceeds the limit": func(t *T) {
		t.endpoint("a")
		var mu sync.Mutex
		var runs []webhook.Run
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				answer, err := t.Admit(t.Context(), []webhook.Fanout{{Event: t.event(fmt.Sprint("e", i)), Endpoints: []string{"a"}}})
				mu.Lock()
				defer mu.Unlock()
				if err != nil || len(answer) != 1 {
					t.Errorf("Admit: %v", err)
					return
				}
				runs = append(runs, answer[0].Runs()...)
			})
		}
		wg.Wait()
		if len(runs) != maxInFlight {
			t.Fatalf("%d runs, want %d", len(runs), maxInFlight)
		}
	},
}
