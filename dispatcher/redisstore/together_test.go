package redisstore_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// widen lets an endpoint have as many in flight as it may have, as if it had been well for long.
func (w *world) widen(ref webhook.EndpointRef) {
	w.Helper()
	w.adapt(ref, 256)
}

// adapt sets the limit that follows how an endpoint does.
func (w *world) adapt(ref webhook.EndpointRef, to int) {
	w.Helper()
	key := strings.Replace(redisstore.LineKey(ref), ":l:", ":p:", 1)
	w.must(w.client.HSet(w.Context(), key, "al", to).Err())
}

// anyVerdict is one of all that may become of an attempt.
func anyVerdict(rng *rand.Rand, now time.Time) webhook.Verdict {
	v := retryAt(now.Add(time.Duration(1+rng.IntN(100)) * time.Second))
	switch n := rng.IntN(100); {
	case n < 55:
		v = delivered()
		v.Signal = webhook.SignalGood
	case n < 65:
		v.Signal = webhook.SignalBad
	case n < 70:
		v.Signal, v.PauseUntil = webhook.SignalBusy, now.Add(time.Duration(rng.IntN(60))*time.Second)
	case n < 75:
		v.Blocked, v.Reason = 1+rng.IntN(2), webhook.ReasonBlocked
	case n < 80:
		v.Counts, v.Panics = false, 1+rng.IntN(2)
	case n < 98:
		v = dead()
		v.Signal = webhook.SignalBad
	default:
		v = dead()
		v.Disable = webhook.DisabledGone
	}
	return v
}

// What is recorded together leaves behind what it would leave one after the other.
func TestTogetherIsOneAfterTheOther(t *testing.T) {
	for range 8 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			one, many := newWorld(t, redisstore.Config{}), newWorld(t, redisstore.Config{})
			many.clock = one.clock
			many.Store = open(t, redisstore.Config{Redis: many.client, Keys: many.keys, Now: one.clock.Now})
			rng := rand.New(rand.NewPCG(seed, 0))
			runs := both(one, many, 3, 50)
			rng.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
			var all []*webhook.Settlement
			for _, run := range runs {
				s := settlementOf(run, anyVerdict(rng, one.clock.Now()), one.clock.Now())
				if s.Attempt.Duration = time.Duration(rng.IntN(1500)) * time.Millisecond; s.Verdict.State == webhook.StateDelivered {
					s.Attempt.Outcome, s.Attempt.Reason = webhook.OutcomeDelivered, webhook.ReasonOK
				}
				s.Revision = one.claim(run, webhook.ClaimGo).Revision
				if all = append(all, s); rng.IntN(10) == 0 {
					all = append(all, all[rng.IntN(len(all))]) // told once more
				}
			}
			for part := range slices.Chunk(all, 1+int(seed%64)) {
				_, err := redisstore.RecordTogether(t.Context(), many.Store, part...)
				many.must(err)
				for _, s := range part {
					_, err := one.Record(t.Context(), s)
					one.must(err)
				}
				one.clock.pass(time.Duration(rng.IntN(20)) * time.Second)
			}
			if diff := cmp.Diff(one.standing(), many.standing()); diff != "" {
				t.Errorf("one after the other (-) and together (+):\n%s", diff)
			}
		})
	}
}

// both has the same deliveries in flight in two worlds, and answers their runs.
func both(one, many *world, endpoints, events int) (runs []webhook.Run) {
	for e := range endpoints {
		id := fmt.Sprint("a", e)
		for _, w := range []*world{one, many} {
			w.widen(w.endpoint(id))
		}
		for i := range events {
			event := fmt.Sprint("e", e, "-", i)
			many.run(event, id)
			runs = append(runs, one.run(event, id))
		}
	}
	return runs
}

// standing is what stands in Redis of endpoints and deliveries, but for what is random, and for how the limit moved: together all
// answers come from the limit that was there at first.
func (w *world) standing() map[string]any {
	w.Helper()
	all := map[string]any{}
	for _, key := range keysOf(w, w.rdb, "") {
		switch kindOf(key) {
		case "p", "d", "m":
			fields := w.rdb.HGetAll(w.Context(), key).Val()
			maps.DeleteFunc(fields, func(name, _ string) bool {
				return slices.Contains([]string{"settings", "al", "rn", "rd", "rk", "lb", "sl"}, name) || len(name) > 1 && name[0] == 'a' && name != "af"
			})
			all[key] = fields
		case "o", "r", "x", "l":
			all[key] = w.rdb.ZRangeWithScores(w.Context(), key, 0, -1).Val()
		case "a":
			var attempts []string
			for _, entry := range w.rdb.XRange(w.Context(), key, "-", "+").Val() {
				attempts = append(attempts, fmt.Sprint(entry.Values["a"]))
			}
			all[key] = attempts
		}
	}
	return all
}

// Each endpoint of a batch gets what its own answers made room for, once, and a repetition the same again.
func TestTogetherReleases(t *testing.T) {
	w := newWorld(t, redisstore.Config{MaxInFlight: 16})
	var batch []*webhook.Settlement
	for _, id := range []string{"a", "b", "c"} {
		w.widen(w.endpoint(id))
		for i := range 16 {
			run := w.run(fmt.Sprint(id, i), id)
			if v := delivered(); i < 10 {
				v.Signal = webhook.SignalGood
				batch = append(batch, settlementOf(run, v, w.clock.Now()))
			}
		}
		for i := 16; i < 40; i++ {
			if a := w.admit(w.event(fmt.Sprint(id, i)), id); len(a.Runs()) > 0 {
				t.Fatalf("%s has no slot left, and got %v", id, a.Runs())
			}
		}
	}
	rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	w.clock.pass(time.Second) // a repetition tells all that went out in its millisecond
	released := func() []string {
		releases, err := redisstore.RecordTogether(t.Context(), w.Store, batch...)
		w.must(err)
		var all []string
		for i, r := range releases {
			for _, run := range r.Runs {
				if run.EndpointID != batch[i].Run.EndpointID {
					t.Errorf("run of %s with an answer to %s", run.EndpointID, batch[i].Run.EndpointID)
				}
				all = append(all, run.ID())
			}
		}
		slices.Sort(all)
		return all
	}
	var want []string
	for _, id := range []string{"a", "b", "c"} {
		for i := 16; i < 26; i++ {
			want = append(want, fmt.Sprintf("%s:%s%d:%s:1", brand, id, i, id))
		}
	}
	slices.Sort(want)
	first := released()
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("released (+):\n%s", diff)
	}
	if diff := cmp.Diff(first, released()); diff != "" {
		t.Errorf("told again (+):\n%s", diff)
	}
}

// A breaker that opens and an endpoint that is gone are told to who brought it about.
func TestTogetherTellsWho(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	var batch []*webhook.Settlement
	for _, id := range []string{"a", "b", "c"} {
		w.widen(w.endpoint(id))
		for i := range 5 {
			run := w.run(fmt.Sprint(id, i), id)
			v := delivered()
			if id == "b" {
				v = retryAt(w.clock.Now().Add(time.Minute))
				v.Signal = webhook.SignalBad
			}
			if id == "c" && i == 2 {
				v = dead()
				v.Disable = webhook.DisabledGone
			}
			s := settlementOf(run, v, w.clock.Now())
			s.Revision = w.claim(run, webhook.ClaimGo).Revision
			batch = append(batch, s)
		}
	}
	releases, err := redisstore.RecordTogether(t.Context(), w.Store, batch...)
	w.must(err)
	for i, r := range releases {
		breaker, disabled := webhook.BreakerState(""), ""
		switch batch[i].Run.EventID {
		case "b4":
			breaker = webhook.BreakerOpen
		case "c2":
			disabled = webhook.DisabledGone
		}
		if r.Breaker != breaker || r.Disabled != disabled {
			t.Errorf("%s: breaker %q, disabled %q", batch[i].Run.EventID, r.Breaker, r.Disabled)
		}
	}
}

// One endpoint whose keys are damaged does not keep the others' from being recorded.
func TestTogetherWithOneThatIsDamaged(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	broken, well := w.endpoint("a"), w.endpoint("b")
	runs := []webhook.Run{w.run("e0", "a"), w.run("e1", "b"), w.run("e2", "b")}
	w.must(w.client.Set(t.Context(), redisstore.OutKey(broken), "of another kind", 0).Err())
	var batch []*webhook.Settlement
	for _, run := range runs {
		batch = append(batch, settlementOf(run, delivered(), w.clock.Now()))
	}
	if _, err := redisstore.RecordTogether(t.Context(), w.Store, batch...); err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("got %v", err)
	}
	for _, run := range runs[1:] {
		w.wantState(run.EventID, well.ID, webhook.StateDelivered)
	}
}

// A delivery whose record is damaged fails alone: the others of its endpoint leave the slots that they had, and what waits goes on.
func TestTogetherWithADamagedRecord(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	ref := w.endpoint("a")
	var runs []webhook.Run
	for i := range 4 {
		runs = append(runs, w.run(fmt.Sprint("e", i), "a"))
	}
	for i := range 3 {
		w.admit(w.event(fmt.Sprint("waits", i)), "a")
	}
	record := strings.Replace(redisstore.LineKey(ref), ":l:", ":d:", 1) + ":e2"
	w.must(w.rdb.Del(t.Context(), record).Err())
	w.must(w.rdb.Set(t.Context(), record, "of another kind", 0).Err())
	claims, errs := redisstore.ClaimTogether(t.Context(), w.Store, runs...)
	for i, c := range claims {
		if damaged := i == 2; damaged != (errs[i] != nil) || !damaged && c.Verdict != webhook.ClaimGo {
			t.Errorf("claim of %s: %d, %v", runs[i].EventID, c.Verdict, errs[i])
		}
	}
	var batch []*webhook.Settlement
	for i, run := range runs {
		v := delivered()
		if i == 1 {
			v = retryAt(w.clock.Now().Add(time.Minute))
		}
		batch = append(batch, settlementOf(run, v, w.clock.Now()))
	}
	w.clock.pass(time.Second)
	releases, err := redisstore.RecordTogether(t.Context(), w.Store, batch...)
	if err == nil || !strings.Contains(err.Error(), "WRONGTYPE") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("got %v, want the damaged one's alone", err)
	}
	released := 0
	for _, r := range releases {
		released += len(r.Runs)
	}
	if released != 3 {
		t.Errorf("released %d of 3", released)
	}
	for event, state := range map[string]webhook.State{"e0": webhook.StateDelivered, "e1": webhook.StateRetrying, "e3": webhook.StateDelivered} {
		w.wantState(event, "a", state)
	}
	out := w.rdb.ZRange(t.Context(), redisstore.OutKey(ref), 0, -1).Val()
	slices.Sort(out)
	if diff := cmp.Diff([]string{"e2", "waits0", "waits1", "waits2"}, out); diff != "" {
		t.Errorf("in flight (+):\n%s", diff)
	}
}

// Claims of one batch see each other: of a half-open breaker one goes, and the rest back into the line.
func TestClaimsTogetherKeepTheGates(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	a, b := w.endpoint("a"), w.endpoint("b")
	w.widen(a)
	w.widen(b)
	runs := []webhook.Run{w.run("a0", "a"), w.run("b0", "b"), w.run("a1", "a"), w.run("a2", "a")}
	key := strings.Replace(redisstore.LineKey(a), ":l:", ":p:", 1)
	w.must(w.client.HSet(t.Context(), key, "bn", 1, "bo", w.clock.Now().Add(-time.Second).UnixMilli()).Err())
	claims, errs := redisstore.ClaimTogether(t.Context(), w.Store, runs...)
	went := map[string]int{}
	for i, c := range claims {
		w.must(errs[i])
		switch c.Verdict {
		case webhook.ClaimGo:
			if went[runs[i].EndpointID]++; c.Event.ID != runs[i].EventID || c.Endpoint.ID != runs[i].EndpointID || len(c.Event.Payload) == 0 {
				t.Errorf("%s got %v for %s", runs[i].ID(), c.Event, c.Endpoint.ID)
			}
		case webhook.ClaimParked:
		default:
			t.Errorf("%s: verdict %d", runs[i].ID(), c.Verdict)
		}
	}
	if went["a"] != 1 || went["b"] != 1 {
		t.Errorf("went: %v, want one of each", went)
	}
	if n := w.rdb.ZCard(t.Context(), redisstore.LineKey(a)).Val(); n != 2 {
		t.Errorf("%d in the line of a, want 2", n)
	}
}
