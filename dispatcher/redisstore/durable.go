package redisstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// waitMargin is left of the caller's time when a wait must be over.
	waitMargin = 50 * time.Millisecond
	// markFor is how long the last write before a wait is kept.
	markFor = time.Minute
	// masterTries bounds how often calls are sent again because the slots of a cluster have moved, movedPause is how much longer
	// each time until then: a replica, which may be asked where they are, hears of it later than its master.
	masterTries = 7
	movedPause  = 50 * time.Millisecond
)

// newWaits bounds how many waits may go on at once, each of which holds a connection, to half of the
// client's: deliveries need the others while replicas are away. Errors are of Config's fields.
func newWaits(cfg Config) (chan struct{}, error) {
	if !cfg.Durable.On() {
		return nil, nil
	}
	var pool int
	var read time.Duration
	switch rdb := cfg.Redis.(type) {
	case *redis.Client:
		pool, read = rdb.Options().PoolSize, rdb.Options().ReadTimeout
	case *redis.ClusterClient:
		pool, read = rdb.Options().PoolSize, rdb.Options().ReadTimeout
	default: // a WAIT could go elsewhere than what it is to wait for
		return nil, webhook.Invalid("Redis", "must be a *redis.Client or *redis.ClusterClient with Durable")
	}
	if read > 0 && read <= cfg.Durable.Timeout {
		return nil, webhook.Invalid("Redis", "must have a ReadTimeout of more than Durable.Timeout, %s", cfg.Durable.Timeout)
	}
	return make(chan struct{}, max(1, pool/2)), nil
}

// runDurably is run, and then waits, last in the same pipeline on the same connection, until what was written is as
// durable as Config.Durable says; in a cluster on each master of the calls, and of the keys touched besides. Without
// durable it is run, but for itself: payloads are in it, which are not to hold up others. Errors: [webhook.ErrUnavailable] also when it took too long.
func (s *Store) runDurably(ctx context.Context, verb string, durable bool, calls []call, touched ...string) ([]any, error) {
	if !durable || !s.cfg.Durable.On() || len(calls)+len(touched) == 0 {
		return runOn(ctx, s.rdb, alone, verb, calls)
	}
	select {
	case s.waits <- struct{}{}:
		defer func() { <-s.waits }()
	case <-ctx.Done():
		return nil, unavailable(verb, ctx.Err())
	}
	cluster, ok := s.rdb.(*redis.ClusterClient)
	if !ok {
		return s.runAndWait(ctx, s.rdb, verb, share{calls: calls, mark: markOf(calls, touched)})
	}
	for try := 1; ; try++ {
		answered, err := s.runOnMasters(ctx, cluster, verb, calls, touched)
		if !answers(err, "MOVED") || try == masterTries {
			return answered, err
		}
		select {
		case <-time.After(time.Duration(try) * movedPause):
		case <-ctx.Done():
			return nil, unavailable(verb, ctx.Err())
		}
		// All are idempotent. This one asks the cluster anew where its slots are.
		_ = cluster.ForEachMaster(ctx, func(context.Context, *redis.Client) error { return nil })
	}
}

// elsewhere are keys of the deliveries of events whose fan-out somebody else has finished, without waiting: in a
// cluster they may be on other servers than the events.
func (s *Store) elsewhere(fanouts []webhook.Fanout, admitted []webhook.Admitted) []string {
	if _, cluster := s.rdb.(*redis.ClusterClient); !cluster {
		return nil
	}
	var keys []string
	for i, a := range admitted {
		if !a.Duplicate || a.FannedOut {
			continue
		}
		for _, id := range a.Endpoints {
			keys = append(keys, keysOfEndpoint(webhook.EndpointRef{Brand: fanouts[i].Event.Brand, ID: id}).line)
		}
	}
	return keys
}

// share is what one server has to do.
type share struct {
	calls []call
	// at are the places of the calls among all.
	at []int
	// mark is the key of the last write.
	mark string
}

// runOnMasters gives each master its share, all at the same time.
func (s *Store) runOnMasters(ctx context.Context, cluster *redis.ClusterClient, verb string, calls []call, touched []string) ([]any, error) {
	shares := map[*redis.Client]*share{}
	shareOf := func(key string) (*share, error) {
		node, err := cluster.MasterForKey(ctx, key)
		if err != nil {
			return nil, unavailable(verb, err)
		}
		if shares[node] == nil {
			shares[node] = &share{mark: markOn(key)}
		}
		return shares[node], nil
	}
	for i, c := range calls {
		one, err := shareOf(c.keys[0])
		if err != nil {
			return nil, err
		}
		one.calls, one.at = append(one.calls, c), append(one.at, i)
	}
	for _, key := range touched {
		if _, err := shareOf(key); err != nil {
			return nil, err
		}
	}
	return s.runShares(ctx, verb, shares, len(calls))
}

func (s *Store) runShares(ctx context.Context, verb string, shares map[*redis.Client]*share, total int) ([]any, error) {
	var wg sync.WaitGroup
	errs := make(chan error, len(shares))
	all := make([]any, total)
	for node, one := range shares {
		wg.Go(func() {
			part, err := s.runAndWait(ctx, node, verb, *one)
			if err != nil {
				errs <- err
				return
			}
			for i, answer := range part {
				all[one.at[i]] = answer
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return nil, err
	default:
		return all, nil
	}
}

// runAndWait sends a share to one server.
func (s *Store) runAndWait(ctx context.Context, rdb redis.Cmdable, verb string, one share) ([]any, error) {
	var written *redis.StatusCmd
	var confirmed func() error
	answered, err := runOn(ctx, rdb, alone, verb, one.calls, func(p redis.Pipeliner) {
		// WAIT is about the writes of its own connection. The calls may have none: those that are repeated, also by the
		// client on another connection.
		written = p.Set(ctx, one.mark, markText, markFor)
		confirmed = s.confirm(ctx, p)
	})
	if err != nil {
		return nil, err
	}
	if err := written.Err(); err != nil {
		return nil, unavailable(verb, err)
	}
	if err := confirmed(); err != nil {
		return nil, unavailable(verb, err)
	}
	return answered, nil
}

// confirm adds the wait, and answers how it went.
func (s *Store) confirm(ctx context.Context, p redis.Pipeliner) func() error {
	d := s.cfg.Durable
	wait := d.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(time.Millisecond, min(wait, time.Until(deadline)-waitMargin)) // 0 would be for ever
	}
	if d.AOFs > 0 {
		cmd := redis.NewIntSliceCmd(ctx, "waitaof", 1, d.AOFs-1, wait.Milliseconds())
		_ = p.Process(ctx, cmd)
		return func() error {
			have, err := cmd.Result()
			if err == nil && (len(have) < 2 || have[0] < 1 || have[1] < int64(d.AOFs-1)) {
				err = fmt.Errorf("not on disk as redis.durable %s wants it after %s: append-only files of server and replicas that have it: %v", d, wait, have)
			}
			return err
		}
	}
	cmd := redis.NewIntCmd(ctx, "wait", d.Replicas, wait.Milliseconds())
	_ = p.Process(ctx, cmd)
	return func() error {
		have, err := cmd.Result()
		if err == nil && have < int64(d.Replicas) {
			err = fmt.Errorf("not as durable as redis.durable %s wants it after %s: replicas that have it: %d", d, wait, have)
		}
		return err
	}
}

// markText is a format byte, as every stored value begins with, and nothing else.
const markText = "1"

// markOf is the key of the last write to a single server.
func markOf(calls []call, touched []string) string {
	if len(calls) > 0 {
		return markOn(calls[0].keys[0])
	}
	return markOn(touched[0])
}

// markOn is the one with the tag of another key.
func markOn(key string) string {
	tag, _, _ := strings.Cut(key, "}:")
	return tag + "}:mark"
}
