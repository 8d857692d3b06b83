package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var deadLetterTests = map[string]func(*T){
	"DeadLetters/say how, what and after which attempt": func(t *T) {
		t.endpoint("a")
		e := t.event("e1")
		e.Type = "message.read"
		run := t.admit(e, "a").Runs()[0]
		t.settle(run, t.retryIn(0))
		t.pass(time.Minute)
		v := dead(webhook.DeathMaxAttempts)
		last := t.attempt(run, v)
		last.Status, last.ResponseBody = 500, []byte("no")
		t.record(last, run, v)

		never := t.runOf("e2", "a")
		t.pass(time.Minute)
		t.record(nil, never, webhook.Verdict{State: webhook.StateDead, DeathReason: webhook.DeathMaxAge})
		want := []webhook.DeadLetter{
			{Delivery: t.wantState("e2", "a", webhook.StateDead), Type: "message.delivered"},
			{Delivery: t.wantState("e1", "a", webhook.StateDead), Type: "message.read", LastAttempt: last},
		}
		if diff := cmp.Diff(want, t.deadLetters(webhook.DeadLetterQuery{})); diff != "" {
			t.Fatal(diff)
		}
	},
	"DeadLetters/of all endpoints, the last to die first": func(t *T) {
		want := t.deadOf("a", "b", "c", "a", "b", "a", "a")
		wantEveryLimit(t, letterID, len(want)+1, t.letterPage(webhook.DeadLetterQuery{}), want...)
		wantEveryLimit(t, letterID, 3, t.letterPage(webhook.DeadLetterQuery{EndpointID: "b"}), "e4 b", "e1 b")
		wantList(t, letterID, t.deadLetters(webhook.DeadLetterQuery{Brand: "another"}))
	},
	"DeadLetters/that died at the same time are listed once each": func(t *T) {
		var want []string
		for _, id := range []string{"a", "a-b", "b"} {
			t.endpoint(id)
			for i := range 7 {
				event := fmt.Sprint("e", i, "-", id)
				t.settle(t.runOf(event, id), dead(webhook.DeathMaxAttempts))
				want = append(want, event+" "+id)
			}
		}
		slices.Sort(want)
		for limit := range len(want) + 1 {
			got := everyPage(t, limit+1, t.letterPage(webhook.DeadLetterQuery{}))
			slices.SortFunc(got, func(a, b webhook.DeadLetter) int { return strings.Compare(letterID(a), letterID(b)) })
			wantList(t, letterID, got, want...)
		}
	},
	"DeadLetters/by the time of death": func(t *T) {
		begin := t.now()
		t.deadOf("a", "b", "a", "b")
		after := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
		for _, tt := range []struct {
			span webhook.Span
			want []string
		}{
			{webhook.Span{Since: after(2)}, []string{"e3 b", "e2 a"}},
			{webhook.Span{Until: after(2)}, []string{"e1 b", "e0 a"}},
			{webhook.Span{Since: after(1), Until: after(3)}, []string{"e2 a", "e1 b"}},
			{webhook.Span{Since: after(1).Add(1), Until: after(2).Add(1)}, []string{"e2 a"}},
			{webhook.Span{Since: after(3), Until: after(1)}, nil},
			{webhook.Span{Until: time.Unix(-1, 0)}, nil},
		} {
			wantEveryLimit(t, letterID, 3, t.letterPage(webhook.DeadLetterQuery{Span: tt.span}), tt.want...)
		}
	},
	"DeadLetters/of a deleted endpoint by its id": func(t *T) {
		t.deadOf("a", "b")
		t.must(t.DeleteEndpoint(t.Context(), webhook.EndpointRef{Brand: t.brand, ID: "b"}))
		wantList(t, letterID, t.deadLetters(webhook.DeadLetterQuery{}), "e0 a")
		wantList(t, letterID, t.deadLetters(webhook.DeadLetterQuery{EndpointID: "b"}), "e1 b")
	},
	"DeadLetters/pages stay as they are while others die": func(t *T) {
		want := t.deadOf("a", "b", "a", "b", "a")
		page := t.letterPage(webhook.DeadLetterQuery{})
		n := len(want)
		got := everyPage(t, 2, func(s webhook.Slice) (webhook.Page[webhook.DeadLetter], error) {
			p, err := page(s)
			for _, id := range []string{"a", "b"} {
				n++
				t.settle(t.runOf(fmt.Sprint("e", n), id), dead(webhook.DeathMaxAttempts))
			}
			return p, err
		})
		wantList(t, letterID, got, want...)
	},
}

// letterID is event and endpoint, with a space between them.
func letterID(l webhook.DeadLetter) string {
	return l.Delivery.Ref.EventID + " " + l.Delivery.Ref.EndpointID
}

func (t *T) deadLetters(q webhook.DeadLetterQuery) []webhook.DeadLetter {
	t.Helper()
	return everyPage(t, pageLimit, t.letterPage(q))
}

func (t *T) letterPage(q webhook.DeadLetterQuery) func(webhook.Slice) (webhook.Page[webhook.DeadLetter], error) {
	if q.Brand == "" {
		q.Brand = t.brand
	}
	return func(s webhook.Slice) (webhook.Page[webhook.DeadLetter], error) {
		q.Slice = s
		return t.DeadLetters(t.Context(), q)
	}
}

// deadOf lets events e0, e1, … die, a second after each other, at the endpoints
// named, which it creates. It answers what letterID does, the last one first.
func (t *T) deadOf(endpoints ...string) []string {
	t.Helper()
	var ids []string
	for i, id := range endpoints {
		if !slices.Contains(endpoints[:i], id) {
			t.endpoint(id)
		}
		event := fmt.Sprint("e", i)
		t.settle(t.runOf(event, id), dead(webhook.DeathMaxAttempts))
		ids = append(ids, event+" "+id)
		t.pass(time.Second)
	}
	slices.Reverse(ids)
	return ids
}
