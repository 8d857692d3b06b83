package redisstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// trimMost bounds the entries of a stream, and the dead letters of an endpoint, that one script drops.
	trimMost = 1000
	// trimCalls bounds the scripts of a pipeline that drops something.
	trimCalls = 200
)

// Turn gives the owner, for so long, its turn at keeping in bounds what is kept of the brands of a tag; ok is false
// while it is another's. The owner may ask again, unless it is empty. What is done twice does no harm.
func (s *Store) Turn(ctx context.Context, tag int, owner string, lasts time.Duration) (ok bool, err error) {
	return s.turn(ctx, tagPrefix(tag)+"sweep", owner, lasts)
}

func (s *Store) turn(ctx context.Context, key, owner string, lasts time.Duration) (bool, error) {
	answer, err := s.one(ctx, "turn", call{script: scriptTurn, keys: []string{key}, args: []any{millis(s.cfg.Now()), lasts.Milliseconds(), owner}})
	return answer == int64(1), err
}

// Sweep does a part of what keeps a brand's past in bounds; more says that there is more to do now.
//
// An event becomes a marker, which keeps its id taken, once its deliveries have all been settled for
// Config.RetainDelivered; one that has a dead letter stays for as long as that. Attempts, and then dead letters, go when
// they are past their own times. A brand of which nothing is left is no longer listed.
func (s *Store) Sweep(ctx context.Context, brand string) (more bool, err error) {
	if more, err = s.sweepIndex(ctx, brand); err != nil || more {
		return more, err
	}
	if more, err = s.sweepEndpoints(ctx, brand); err != nil || more {
		return more, err
	}
	return false, s.forgetBrand(ctx, brand)
}

// lap is how far Sweep is with a brand's index. What cannot go yet is passed by, and looked at in the next lap.
type lap struct {
	// after is the last entry that was looked at.
	after string
	// doneMs is when the lap had come to what is too young; 0: not yet. It goes on behind that as time passes.
	doneMs int64
}

// formatLap begins a lap; doneMs and after follow, with a space between them.
const formatLap = '1'

// lapsIn is how many laps there are at most while an event is kept.
const lapsIn = 12

func (s *Store) sweepIndex(ctx context.Context, brand string) (more bool, err error) {
	now := s.cfg.Now()
	l, err := s.readLap(ctx, brand)
	if err != nil {
		return false, err
	}
	if l.doneMs > 0 && now.Sub(timeOf(l.doneMs)) >= s.cfg.RetainDelivered/lapsIn {
		l = lap{}
	}
	horizon := millis(now.Add(-s.cfg.RetainDelivered))
	done, err := s.retire(ctx, brand, l.after, rule{before: horizon, settled: horizon})
	if err != nil {
		return false, err
	}
	next := l
	if done.last != "" {
		next.after = done.last
	}
	if !done.more && next.doneMs == 0 {
		next.doneMs = millis(now)
	}
	if next == l || next.after == "" { // nothing is in the index yet
		return done.more, nil
	}
	_, err = s.one(ctx, "sweep", call{script: scriptPlace, keys: []string{keysOfBrand(brand).place}, args: []any{packLap(next), s.openFor().Milliseconds()}})
	return done.more, err
}

func packLap(l lap) string {
	return string(formatLap) + strconv.FormatInt(l.doneMs, 10) + " " + l.after
}

// readLap reads how far the index was gone through. One that another version wrote begins anew.
func (s *Store) readLap(ctx context.Context, brand string) (lap, error) {
	packed, err := s.rdb.Get(ctx, keysOfBrand(brand).place).Result()
	if err != nil && err != redis.Nil {
		return lap{}, unavailable("sweep", err)
	}
	if packed == "" || packed[0] != formatLap {
		return lap{}, nil
	}
	done, after, _ := strings.Cut(packed[1:], " ")
	return lap{after: after, doneMs: number(done)}, nil
}

// sweepEndpoints drops what is past its time of a brand's endpoints. What a deleted one leaves ends by itself.
func (s *Store) sweepEndpoints(ctx context.Context, brand string) (more bool, err error) {
	ids, err := s.endpointIDs(ctx, "sweep", brand, "")
	if err != nil {
		return false, err
	}
	attempts, deaths := millis(s.cfg.Now().Add(-s.cfg.RetainAttempts)), millis(s.cfg.Now().Add(-s.cfg.RetainDeadLetters))
	var calls []call
	for _, id := range ids {
		ref := webhook.EndpointRef{Brand: brand, ID: id}
		k := keysOfEndpoint(ref)
		calls = append(calls, trimCall(k.answers, attempts), trimCall(k.attempts, attempts),
			s.endpointCall(scriptLapse, ref, []string{k.dead}, deaths, trimMost))
	}
	answers, err := s.inParts(ctx, "sweep", calls)
	if err != nil {
		return false, err
	}
	for _, answer := range answers {
		if lapsed, ok := answer.(int64); ok {
			more = more || lapsed >= trimMost
		} else {
			more = more || trimOf(answer).more
		}
	}
	return more, nil
}

// inParts sends calls in several pipelines, so that Redis has time for others between them.
func (s *Store) inParts(ctx context.Context, verb string, calls []call) ([]any, error) {
	answers := make([]any, 0, len(calls))
	for len(calls) > 0 {
		part := calls[:min(len(calls), trimCalls)]
		some, err := s.run(ctx, verb, part)
		if err != nil {
			return nil, err
		}
		answers, calls = append(answers, some...), calls[len(part):]
	}
	return answers, nil
}

// trimmed is what trim.lua answers.
type trimmed struct {
	went int
	more bool
	// first is when the first that is left was added, ms; 0: none is left.
	first int64
}

func trimCall(stream string, before int64) call {
	return call{script: scriptTrim, keys: []string{stream}, args: []any{before, trimMost}}
}

func trimOf(answer any) trimmed {
	a := list(answer)
	if len(a) < 3 {
		return trimmed{}
	}
	went, _ := a[0].(int64)
	first, _ := splitStreamID(text(a, 2))
	return trimmed{went: int(went), more: a[1] == int64(1), first: first}
}
