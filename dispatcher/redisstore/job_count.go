package redisstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// countedMost bounds how many jobs are looked at to count those of a brand.
const countedMost = 10_000

// CountJobs implements [webhook.Store].
func (s *Store) CountJobs(ctx context.Context, brand string, since time.Time) (running, begun int, err error) {
	k := keysOfJobs()
	var run, recent *redis.StringSliceCmd
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		run = p.ZRange(ctx, k.running, 0, countedMost)
		recent = p.ZRangeByScore(ctx, k.jobs, &redis.ZRangeBy{Min: strconv.FormatInt(millis(since), 10), Max: "+inf", Count: countedMost})
		return nil
	})
	if err != nil {
		return 0, 0, unavailable("count jobs", err)
	}
	for _, member := range recent.Val() {
		if strings.HasPrefix(member, brand+":") {
			begun++
		}
	}
	running, err = s.countBrand(ctx, run.Val(), brand)
	return running, begun, err
}

// countBrand counts the jobs that are of a brand.
func (s *Store) countBrand(ctx context.Context, ids []string, brand string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	cmds := make([]*redis.SliceCmd, len(ids))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			cmds[i] = p.HMGet(ctx, keysOfJobs().prefix+id, "brand")
		}
		return nil
	})
	if err != nil {
		return 0, unavailable("count jobs", err)
	}
	n := 0
	for _, cmd := range cmds {
		if text(cmd.Val(), 0) == brand {
			n++
		}
	}
	return n, nil
}
