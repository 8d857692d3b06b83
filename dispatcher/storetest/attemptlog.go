package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var attemptLogTests = map[string]func(*T){
	"AttemptLog/of all endpoints, the last recorded first": func(t *T) {
		want := t.attemptsOf("a", "b", "c", "a", "b", "a", "a", "a")
		wantEveryLimit(t, attemptID, len(want)+1, t.attemptPage(webhook.AttemptQuery{}), want...)
		wantEveryLimit(t, attemptID, 3, t.attemptPage(webhook.AttemptQuery{EndpointID: "b"}), want[3], want[6])
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{Brand: "another"}))
	},
	"AttemptLog/by outcome and time": func(t *T) {
		t.endpoint("a")
		verdicts := []webhook.Verdict{delivered(), t.retryIn(time.Hour), dead(webhook.DeathMaxAttempts)}
		for i := range 9 {
			run := t.runOf(fmt.Sprint("e", i), "a")
			a := t.attempt(run, verdicts[i%3])
			a.ID, a.StartedAt = fmt.Sprint("att_", i), t.now().Add(time.Duration(i-50)*time.Second)
			t.record(a, run, verdicts[i%3])
			if i%3 == 1 { // one that is in none of the answers
				t.settle(run, delivered())
			}
		}
		ago := func(seconds int) time.Time { return t.now().Add(-time.Duration(seconds) * time.Second) }
		past := webhook.Span{Since: ago(100), Until: ago(1)}
		for _, tt := range []struct {
			query webhook.AttemptQuery
			want  string
		}{
			{webhook.AttemptQuery{Outcome: webhook.OutcomeDead}, "att_8 att_5 att_2"},
			{webhook.AttemptQuery{Outcome: webhook.OutcomeDelivered, Span: past}, "att_6 att_3 att_0"},
			{webhook.AttemptQuery{Span: webhook.Span{Since: ago(46), Until: ago(43)}}, "att_6 att_5 att_4"},
			{webhook.AttemptQuery{Span: webhook.Span{Until: ago(48)}}, "att_1 att_0"},
			{webhook.AttemptQuery{Span: webhook.Span{Since: ago(1), Until: ago(100)}}, ""},
			{webhook.AttemptQuery{Span: webhook.Span{Until: ago(24 * 60 * 60)}}, ""},
			{webhook.AttemptQuery{Span: webhook.Span{Until: time.Unix(-1, 0)}}, ""},
			{webhook.AttemptQuery{EventID: "e4", Outcome: webhook.OutcomeRetrying}, "att_4"},
			{webhook.AttemptQuery{EventID: "e4", Span: webhook.Span{Since: ago(46), Until: ago(45)}}, "att_4"},
			{webhook.AttemptQuery{EventID: "e4", Span: webhook.Span{Until: ago(46)}}, ""},
			{webhook.AttemptQuery{EventID: "e4", EndpointID: "a", Span: past}, "att_4"},
			{webhook.AttemptQuery{EventID: "e4", EndpointID: "b"}, ""},
		} {
			wantEveryLimit(t, attemptID, 4, t.attemptPage(tt.query), strings.Fields(tt.want)...)
		}
	},
	"AttemptLog/keeps every attempt whole": func(t *T) {
		t.endpoint("a")
		run := t.runOf("e1", "a")
		v := t.retryIn(time.Minute)
		failed := t.attempt(run, v)
		failed.Status, failed.ResponseBody = 503, []byte("no\x00\xff")
		failed.ResponseHeader = map[string][]string{"Retry-After": {"7"}}
		t.record(failed, run, v)
		for _, q := range []webhook.AttemptQuery{{}, {EventID: "e1"}} {
			if diff := cmp.Diff([]webhook.Attempt{*failed}, t.attemptLog(q)); diff != "" {
				t.Fatal(diff)
			}
		}
	},
	"AttemptLog/of one event, at all its endpoints": func(t *T) {
		ids := []string{"a", "b", "c"}
		for _, id := range ids {
			t.endpoint(id)
		}
		runs := t.admit(t.event("e1"), ids...).Runs()
		t.admit(t.event("e2"), ids...)
		var want []string
		for range 3 {
			for _, run := range runs {
				want = append(want, t.recordAs(run, t.retryIn(0)))
				t.claim(run)
			}
		}
		slices.Reverse(want)
		wantEveryLimit(t, attemptID, len(want)+1, t.attemptPage(webhook.AttemptQuery{EventID: "e1"}), want...)
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{EventID: "e1", EndpointID: "b"}), want[1], want[4], want[7])
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{EventID: "e2"}))
	},
	"AttemptLog/of a deleted endpoint by its id, or by the event": func(t *T) {
		want := t.attemptsOf("a", "b")
		t.must(t.DeleteEndpoint(t.Context(), webhook.EndpointRef{Brand: t.brand, ID: "b"}))
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{}), want[1])
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{EndpointID: "b"}), want[0])
		wantList(t, attemptID, t.attemptLog(webhook.AttemptQuery{EventID: "e1"}), want[0])
	},
	"AttemptLog/pages stay as they are while new ones arrive": func(t *T) {
		want := t.attemptsOf("a", "b", "a", "b", "b")
		page := t.attemptPage(webhook.AttemptQuery{})
		n := len(want)
		got := everyPage(t, 2, func(s webhook.Slice) (webhook.Page[webhook.Attempt], error) {
			p, err := page(s)
			for _, id := range []string{"a", "b"} {
				n++
				t.settle(t.runOf(fmt.Sprint("e", n), id), delivered())
			}
			return p, err
		})
		wantList(t, attemptID, got, want...)
	},
	"RecordTest/keeps the attempt whole, for its endpoint and its event": func(t *T) {
		ref := t.endpoint("a")
		earlier := t.attemptsOf("b")
		for _, v := range []webhook.Verdict{delivered(), dead(webhook.DeathMaxAttempts)} {
			a := t.test(ref, v)
			t.must(t.RecordTest(t.Context(), a))
			t.must(t.RecordTest(t.Context(), a)) // a resent command
			for _, q := range []webhook.AttemptQuery{{EventID: a.Ref.EventID}, {EventID: a.Ref.EventID, EndpointID: "a"},
				{EndpointID: "a", Outcome: v.Outcome}} {
				if diff := cmp.Diff([]webhook.Attempt{a}, t.attemptLog(q)); diff != "" {
					t.Fatal(diff)
				}
			}
			if _, err := t.Delivery(t.Context(), a.Ref); !errors.Is(err, webhook.ErrNotFound) {
				t.Fatalf("a test is a delivery: %v", err)
			}
		}
		if all := t.attemptLog(webhook.AttemptQuery{}); len(all) != 3 || all[2].ID != earlier[0] {
			t.Fatalf("%d attempts listed, want two tests and one before", len(all))
		}
	},
	"RecordTest/leaves a delivery of that id as it is": func(t *T) {
		ref := t.endpoint("a")
		run := t.runOf("e1", "a")
		v := t.retryIn(time.Hour)
		first := t.attempt(run, v)
		t.record(first, run, v)
		before := t.wantState("e1", "a", webhook.StateRetrying)
		a := t.test(ref, delivered())
		a.Ref.EventID = "e1"
		t.must(t.RecordTest(t.Context(), a))
		if diff := cmp.Diff(before, t.wantState("e1", "a", webhook.StateRetrying)); diff != "" {
			t.Fatal(diff)
		}
		t.record(first, run, v) // a resent command
		if got := t.attempts("e1", "a"); len(got) != 1 || got[0].ID != first.ID {
			t.Fatalf("attempts of the delivery: %v", got)
		}
	},
}

func attemptID(a webhook.Attempt) string { return a.ID }

func (t *T) attemptLog(q webhook.AttemptQuery) []webhook.Attempt {
	t.Helper()
	return everyPage(t, pageLimit, t.attemptPage(q))
}

func (t *T) attemptPage(q webhook.AttemptQuery) func(webhook.Slice) (webhook.Page[webhook.Attempt], error) {
	if q.Brand == "" {
		q.Brand = t.brand
	}
	return func(s webhook.Slice) (webhook.Page[webhook.Attempt], error) {
		q.Slice = s
		return t.AttemptLog(t.Context(), q)
	}
}

// attemptsOf makes one attempt after the other, of events e0, e1, …, at the
// endpoints named, which it creates. It answers their ids, the last one first.
func (t *T) attemptsOf(endpoints ...string) []string {
	t.Helper()
	var ids []string
	for i, id := range endpoints {
		if !slices.Contains(endpoints[:i], id) {
			t.endpoint(id)
		}
		ids = append(ids, t.recordAs(t.runOf(fmt.Sprint("e", i), id), delivered()))
	}
	slices.Reverse(ids)
	return ids
}

// recordAs records an attempt after all others, and answers its id.
func (t *T) recordAs(run webhook.Run, v webhook.Verdict) string {
	t.Helper()
	a := t.attempt(run, v)
	t.record(a, run, v)
	t.tick()
	return a.ID
}

// test is the attempt of a test.
func (t *T) test(ref webhook.EndpointRef, v webhook.Verdict) webhook.Attempt {
	a := *t.attempt(webhook.Run{DeliveryRef: t.refOf(webhook.NewID(webhook.EventPrefix), ref.ID)}, v)
	a.Trigger = webhook.TriggerTest
	a.Phases = webhook.Phases{Connect: time.Millisecond, FirstByte: 2 * time.Millisecond}
	a.ResponseHeader = map[string][]string{"X-Seen": {"1", "2"}}
	a.ResponseBody = []byte("thanks")
	return a
}
