package storetest

import (
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// trace names a span with every byte of its own.
func trace() webhook.TraceContext {
	c := webhook.TraceContext{Flags: 1}
	for i := range c.TraceID {
		c.TraceID[i] = byte(i + 1)
	}
	for i := range c.SpanID {
		c.SpanID[i] = byte(0xff - i)
	}
	return c
}

// traced is an event whose publish was.
func (t *T) traced(id string) webhook.Event {
	e := t.event(id)
	e.Trace = trace()
	return e
}

// settleSpan records an attempt that had a span.
func (t *T) settleSpan(run webhook.Run, v webhook.Verdict, span webhook.SpanID) {
	t.Helper()
	_, err := t.Record(t.Context(), &webhook.Settlement{Run: run, Attempt: t.attempt(run, v), Verdict: v, Span: span})
	t.must(err)
}

var traceTests = map[string]func(*T){
	"Trace/of the publish is with every claim": func(t *T) {
		t.endpoint("a")
		published := t.now()
		first := t.admit(t.traced("e"), "a").Runs()[0]
		if c := t.wantClaim(first, webhook.ClaimGo); c.Event.Trace != trace() || string(c.Event.Payload) != string(t.event("e").Payload) {
			t.Fatalf("Claim = %+v", c.Event)
		}
		t.settle(first, t.retryIn(time.Hour))
		t.pass(time.Hour)
		if c := t.wantClaim(first, webhook.ClaimGo); c.Number != 2 || c.Event.Trace != trace() {
			t.Fatalf("Claim = %+v", c)
		}
		e, ids, err := t.Event(t.Context(), t.event("e").Ref())
		t.must(err)
		if e.Trace != trace() || len(ids) != 1 || !e.PublishedAt.Equal(published) {
			t.Fatalf("Event = %+v, %v", e, ids)
		}
	},
	"Trace/is no part of what makes an event the same": func(t *T) {
		t.endpoint("a")
		t.admit(t.traced("e"), "a")
		again := t.traced("e")
		again.Trace.TraceID[0]++
		for _, e := range []webhook.Event{again, t.event("e")} {
			if a := t.admitOnly(e, "a"); !a.Duplicate || a.Err != nil || len(a.Endpoints) != 1 {
				t.Fatalf("published again: %+v", a)
			}
		}
		again.Payload = []byte(`{}`)
		if a := t.admitOnly(again, "a"); a.Err == nil {
			t.Fatalf("another payload: %+v", a)
		}
		if e, _, err := t.Event(t.Context(), again.Ref()); err != nil || e.Trace != trace() {
			t.Fatalf("Event = %+v, %v; want the trace of the first", e, err)
		}
	},
	"Trace/of an event that was not finished is that of the first publish": func(t *T) {
		t.endpoint("a")
		t.admitOnly(t.traced("e"), "a") // not finished
		a := t.admitOnly(t.event("e"), "a")
		if !a.Duplicate || !a.FannedOut || len(a.Runs()) != 1 {
			t.Fatalf("published again: %+v", a)
		}
		if c := t.wantClaim(a.Runs()[0], webhook.ClaimGo); c.Event.Trace != trace() {
			t.Fatalf("Claim = %+v", c.Event)
		}
	},
	"Trace/is in the list of events": func(t *T) {
		t.endpoint("a")
		t.admit(t.traced("e"), "a")
		page, err := t.Events(t.Context(), webhook.EventQuery{Brand: t.brand, Slice: webhook.Slice{Limit: 10}})
		t.must(err)
		if len(page.Items) != 1 || page.Items[0].Event.Trace != trace() || page.Items[0].Event.Type != "message.delivered" {
			t.Fatalf("Events = %+v", page.Items)
		}
	},
	"Trace/span of the attempt before is with the next claim": func(t *T) {
		t.endpoint("a")
		run := t.admit(t.traced("e"), "a").Runs()[0]
		published := t.now()
		t.pass(time.Second)
		if c := t.wantClaim(run, webhook.ClaimGo); c.SpanBefore != (webhook.SpanID{}) || !c.WaitedSince.Equal(published) {
			t.Fatalf("first: %+v", c)
		}
		t.settleSpan(run, t.retryIn(time.Minute), webhook.SpanID{1})
		recorded := t.now()
		t.pass(time.Minute)
		if c := t.wantClaim(run, webhook.ClaimGo); c.SpanBefore != (webhook.SpanID{1}) || !c.WaitedSince.Equal(recorded) {
			t.Fatalf("second: %+v", c)
		}
		t.settle(run, t.retryIn(time.Minute)) // by a process that does not trace
		t.pass(time.Minute)
		if c := t.wantClaim(run, webhook.ClaimGo); c.SpanBefore != (webhook.SpanID{1}) {
			t.Fatalf("third: %+v", c)
		}
	},
	"Trace/span of an interrupted attempt is with the next claim": func(t *T) {
		t.endpoint("a")
		run := t.admit(t.traced("e"), "a").Runs()[0]
		v := t.retryIn(0)
		v.Reason, v.Counts = webhook.ReasonInterrupted, false
		t.settleSpan(run, v, webhook.SpanID{2})
		if c := t.wantClaim(run, webhook.ClaimGo); c.Number != 1 || c.SpanBefore != (webhook.SpanID{2}) {
			t.Fatalf("again: %+v", c)
		}
	},
	"Trace/goes on when it is sent once more": func(t *T) {
		t.endpoint("a")
		run := t.admit(t.traced("e"), "a").Runs()[0]
		t.settleSpan(run, delivered(), webhook.SpanID{3})
		t.pass(time.Hour)
		reopened := t.now()
		again := t.reopen(resending(), webhook.ReopenedSent, "e:a")[0]
		t.pass(time.Second)
		c := t.wantClaim(again, webhook.ClaimGo)
		if c.Event.Trace != trace() || c.SpanBefore != (webhook.SpanID{3}) || c.Number != 1 || !c.WaitedSince.Equal(reopened) {
			t.Fatalf("Claim = %+v", c)
		}
		t.settleSpan(again, dead(webhook.DeathMaxAttempts), webhook.SpanID{4})
		if c := t.wantClaim(t.reopen(resending(), webhook.ReopenedSent, "e:a")[0], webhook.ClaimGo); c.SpanBefore != (webhook.SpanID{4}) {
			t.Fatalf("Claim = %+v", c)
		}
	},
}
