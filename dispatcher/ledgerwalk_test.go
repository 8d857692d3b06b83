package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/telemetry"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// manyOpen is a store of three tags, each with so many endpoints that it answers them one by one, the first of them twice.
type manyOpen struct {
	each  int
	broke bool
	began time.Time
}

func (m *manyOpen) Tags() int { return 3 }

func (m *manyOpen) OpenEndpoints(_ context.Context, tag int, after string) (refs []webhook.EndpointRef, next string, err error) {
	if m.broke {
		return nil, "", webhook.ErrUnavailable
	}
	at, _ := strconv.Atoi(after)
	refs = []webhook.EndpointRef{{Brand: "acme", ID: fmt.Sprint(tag, "-", at)}}
	if at > 0 {
		refs = append(refs, webhook.EndpointRef{Brand: "acme", ID: fmt.Sprint(tag, "-", 0)})
	}
	if at+1 < m.each {
		next = strconv.Itoa(at + 1)
	}
	return refs, next, nil
}

func (m *manyOpen) LookAtOpen(_ context.Context, refs []webhook.EndpointRef, _ int) ([]redisstore.OpenLook, error) {
	looks := make([]redisstore.OpenLook, len(refs))
	for i, ref := range refs {
		looks[i] = redisstore.OpenLook{Open: 10, Waiting: 4, OldestEvent: "e", Oldest: m.began}
		if ref.ID == "1-2" {
			looks[i].Oldest, looks[i].OpenUntil = m.began.Add(-time.Hour), m.began.Add(time.Hour)
		}
	}
	return looks, nil
}

// TestLedgerWalkInSteps: of very many endpoints each scrape sees some; what it answers is always a whole walk.
func TestLedgerWalkInSteps(t *testing.T) {
	t.Parallel()
	now := time.Now().Add(-time.Minute) // so that each look has time for one step
	store, walk := &manyOpen{each: 5, began: now.Add(-time.Second)}, &dispatcher.LedgerWalk{}
	step := func() *telemetry.Ledger {
		t.Helper()
		seen, err := dispatcher.WalkOn(t.Context(), walk, store, now, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	want := &telemetry.Ledger{Open: 150, Waiting: 60, Breakers: 1, Oldest: time.Hour + time.Second}
	for i := range 14 {
		if seen := step(); seen != nil {
			t.Fatalf("after %d of 15 steps: %+v", i+1, seen)
		}
	}
	if diff := cmp.Diff(want, step()); diff != "" {
		t.Error(diff)
	}
	store.each = 1
	for range 2 {
		if diff := cmp.Diff(want, step()); diff != "" {
			t.Errorf("in the middle of the next: %s", diff)
		}
	}
	store.broke = true
	if _, err := dispatcher.WalkOn(t.Context(), walk, store, now, time.Second); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	store.broke = false
	if diff := cmp.Diff(&telemetry.Ledger{Open: 30, Waiting: 12, Oldest: time.Second}, step()); diff != "" {
		t.Errorf("after the next: %s", diff)
	}
	whole, err := dispatcher.WalkOn(t.Context(), &dispatcher.LedgerWalk{}, store, time.Now(), time.Hour)
	if err != nil || whole == nil || whole.Open != 30 {
		t.Errorf("at once: %+v, %v", whole, err)
	}
}
