package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/pipeline"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// togetherMost bounds what one script does for many, so that it lets others in: a round of record.lua takes a millisecond or two.
// Where items linger, what they give way to is live: of lingerMost it takes half of one.
const (
	togetherMost = 64
	lingerMost   = 8
)

// together does the work of many goroutines with one script for all of them.
type together[T any] struct {
	all   func(context.Context, []T)
	group *pipeline.Group[T] // nil: each by itself
}

func newTogether[T any](apart bool, linger time.Duration, all func(context.Context, []T)) together[T] {
	if apart {
		return together[T]{all: all}
	}
	most := togetherMost
	if linger > 0 {
		most = lingerMost
	}
	group := pipeline.NewGroup(pipeline.Flights, most, all)
	group.Linger(linger)
	return together[T]{all, group}
}

// do returns when the item is done, or with the error of a context that ended first: then nobody may read the item.
func (t together[T]) do(ctx context.Context, verb string, item T) error {
	if t.group == nil {
		t.all(ctx, []T{item})
		return nil
	}
	switch err := t.group.Do(ctx, item); {
	case errors.Is(err, pipeline.ErrBroken):
		return fmt.Errorf("%s: %w", verb, err)
	case err != nil:
		return unavailable(verb, err)
	}
	return nil
}

// failed is the error of what {'failed', why} was answered of, nil of any other answer: something of another kind stands at a key.
func failed(verb string, answer []any) error {
	if text(answer, 0) != "failed" {
		return nil
	}
	return unavailable(verb, failure(text(answer, 1)))
}

// failure is what Redis answered to a command within a script.
type failure string

func (f failure) Error() string { return string(f) }

// RedisError makes it a redis.Error.
func (failure) RedisError() {}

// portion is what of a batch is about one endpoint, in the batch's order.
type portion[T any] struct {
	ref   webhook.EndpointRef
	items []T
}

// byEndpoint is a batch by endpoint, each where its first item stood.
func byEndpoint[T any](batch []T, of func(T) webhook.EndpointRef) []portion[T] {
	var shares []portion[T]
	at := map[webhook.EndpointRef]int{}
	for _, item := range batch {
		ref := of(item)
		i, known := at[ref]
		if !known {
			i = len(shares)
			at[ref], shares = i, append(shares, portion[T]{ref: ref})
		}
		shares[i].items = append(shares[i].items, item)
	}
	return shares
}

// work is what a script that works on several endpoints has to do for one.
type work struct {
	keys []string
	args []any
}

// workOn begins the work on an endpoint by the arguments that every such script wants, with room for so many more.
func (s *Store) workOn(ref webhook.EndpointRef, k endpointKeys, keys []string, more int) work {
	return work{keys: keys, args: append(make([]any, 0, 3+more), k.records, s.cfg.QueueFor(ref), k.member)}
}

// runEach runs a script that works on several endpoints, and answers what it says of each: one call for all where a script may
// touch keys of several tags, else one for each, in one pipeline.
func (s *Store) runEach(ctx context.Context, verb string, sc luaScript, common []any, works []work, also ...func(redis.Pipeliner)) ([]any, error) {
	all := call{script: sc, args: s.head("", "", "", common...), works: works}
	calls := []call{all}
	if !s.single.Load() {
		calls = make([]call, len(works))
		for i := range works {
			calls[i] = all
			calls[i].works = works[i : i+1]
		}
	}
	answers, err := runOn(ctx, s.rdb, alone, verb, calls, also...)
	if s.isSharded(err) {
		return s.runEach(ctx, verb, sc, common, works, also...)
	}
	if err != nil {
		return nil, err
	}
	each := flat(answers)
	if len(each) != len(works) {
		return nil, errors.New(verb + ": unexpected answer")
	}
	return each, nil
}
