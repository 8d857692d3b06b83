package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// What the lists name may be gone before they are.
func TestListsLeaveOutWhatIsGone(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	for i := range 6 {
		w.settle(w.run(fmt.Sprint("e", i), "a"), dead())
	}
	gone := func(kind, event string) {
		i := slices.IndexFunc(keysOf(t, w.rdb, kind), func(key string) bool { return strings.HasSuffix(key, ":"+event) })
		w.must(w.rdb.Del(t.Context(), keysOf(t, w.rdb, kind)[i]).Err())
	}
	gone("e", "e5")
	gone("e", "e2")
	gone("d", "e3")
	w.must(w.rdb.Set(t.Context(), w.keyEnding("e:acme:e0"), "m0123456789abcdef", time.Hour).Err())
	entries := w.rdb.XRange(t.Context(), w.only("a"), "-", "+").Val()
	w.must(w.rdb.XDel(t.Context(), w.only("a"), entries[1].ID).Err())

	for limit := range 7 {
		var events, letters []string
		for _, f := range itemsOf(pagesOf(w, limit+1, w.events(webhook.EventQuery{}))) {
			events = append(events, f.Event.ID)
		}
		for _, l := range itemsOf(pagesOf(w, limit+1, w.deadLetters(webhook.DeadLetterQuery{}))) {
			letters = append(letters, fmt.Sprint(l.Delivery.Ref.EventID, " ", l.Type, " ", l.LastAttempt != nil))
		}
		if want := []string{"e4", "e3", "e1"}; !slices.Equal(events, want) {
			t.Fatalf("events %v, want %v", events, want)
		}
		want := []string{"e5  true", "e4 message.delivered true", "e2  true", "e1 message.delivered false", "e0  true"}
		if !slices.Equal(letters, want) {
			t.Fatalf("dead letters %q, want %q", letters, want)
		}
		if got := itemsOf(pagesOf(w, limit+1, w.attemptLog(webhook.AttemptQuery{EventID: "e1"}))); len(got) != 0 {
			t.Fatalf("attempts %v, want none", got)
		}
	}
}

// What a newer version wrote is an error that says so, not an item left out.
func TestUnknownFormatInAListIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name, kind string
		spoil      func(w *world, key string)
		call       func(w *world) error
	}{
		{"event in Events", "e", spoilString, func(w *world) error { return discard(w.events(webhook.EventQuery{})(webhook.Slice{Limit: 1})) }},
		{"event in DeadLetters", "e", spoilString, func(w *world) error {
			return discard(w.deadLetters(webhook.DeadLetterQuery{})(webhook.Slice{Limit: 1}))
		}},
		{"event in AttemptLog", "e", spoilString, func(w *world) error {
			return discard(w.attemptLog(webhook.AttemptQuery{EventID: "e1"})(webhook.Slice{Limit: 1}))
		}},
		{"index in Events", "i", spoilIndex, func(w *world) error { return discard(w.events(webhook.EventQuery{})(webhook.Slice{Limit: 1})) }},
		{"attempt in AttemptLog", "a", spoilAttempt, func(w *world) error {
			return discard(w.attemptLog(webhook.AttemptQuery{})(webhook.Slice{Limit: 1}))
		}},
		{"attempt in DeadLetters", "a", spoilAttempt, func(w *world) error {
			return discard(w.deadLetters(webhook.DeadLetterQuery{})(webhook.Slice{Limit: 1}))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, redisstore.Config{})
			w.endpoint("a")
			w.settle(w.run("e1", "a"), dead())
			tt.spoil(w, w.only(tt.kind))
			if err := tt.call(w); err == nil || notThat(err) {
				t.Errorf("error %v, want one about the format", err)
			}
		})
	}
}

func spoilIndex(w *world, key string) {
	w.must(w.rdb.XAdd(w.Context(), &redis.XAddArgs{Stream: key, Values: []string{"e", "9e1", "t", "message.delivered"}}).Err())
}

// Places that can be read but stand in no list are no errors: they are before or after everything.
func TestPlacesBeyondEverything(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	w.endpoint("a")
	w.settle(w.run("e1", "a"), dead())
	const newest = "9223372036854775807-9223372036854775807:a"
	for after, want := range map[string]int{newest: 1, "0-0:a": 0, "0-9223372036854775807:z": 0} {
		s := webhook.Slice{Limit: 5, After: after}
		events, eventsErr := w.events(webhook.EventQuery{})(s)
		attempts, attemptsErr := w.attemptLog(webhook.AttemptQuery{})(s)
		ofEvent, ofEventErr := w.attemptLog(webhook.AttemptQuery{EventID: "e1"})(s)
		s.After += ":e1"
		letters, lettersErr := w.deadLetters(webhook.DeadLetterQuery{})(s)
		w.must(errors.Join(eventsErr, attemptsErr, ofEventErr, lettersErr))
		for name, n := range map[string]int{"events": len(events.Items), "attempts": len(attempts.Items),
			"attempts of the event": len(ofEvent.Items), "dead letters": len(letters.Items)} {
			if n != want {
				t.Errorf("%s after %s: %d, want %d", name, after, n, want)
			}
		}
	}
}
