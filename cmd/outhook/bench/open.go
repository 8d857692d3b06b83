package bench

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// settleEvery is between looks at whether everything is recorded.
const settleEvery = 3 * time.Millisecond

// open is how many deliveries of the brands are not recorded yet.
func (s *stand) open(ctx context.Context, brands [][]subject) (int, error) {
	switch s.road {
	case roadRaw:
		return 0, nil
	case roadPlain:
		return s.openTasks(ctx)
	case roadGo:
		var open int
		err := s.worker.ask(ctx, "open", namesOf(brands), &open)
		return open, err
	}
	open := 0
	for _, brand := range namesOf(brands) {
		h, err := s.client.BrandHealth(ctx, brand)
		if err != nil {
			return 0, err
		}
		open += h.InFlight + h.Waiting + h.Retrying
	}
	return open, nil
}

// openTasks counts what Asynq has, of all brands.
func (s *stand) openTasks(ctx context.Context) (int, error) {
	const queue = "asynq:{default}:"
	open := 0
	for _, list := range []string{"pending", "active"} {
		n, err := s.redis.rdb.LLen(ctx, queue+list).Result()
		if err != nil {
			return 0, err
		}
		open += int(n)
	}
	n, err := s.redis.rdb.ZCard(ctx, queue+"retry").Result()
	return open + int(n), err
}

// unsettled is how many deliveries are not recorded yet, in the way the layout asks for.
func (s *stand) unsettled(ctx context.Context, brands [][]subject) (int, error) {
	if s.layout.ByQueue {
		return s.queued(ctx)
	}
	return s.open(ctx, brands)
}

// queued is how many tasks outhook has in its queues: a delivery's leaves when its attempt is recorded.
func (s *stand) queued(ctx context.Context) (int, error) {
	queues, err := s.redis.rdb.SMembers(ctx, "asynq:queues").Result()
	if err != nil {
		return 0, err
	}
	var lists []*redis.IntCmd
	_, err = s.redis.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, queue := range queues {
			name := "asynq:{" + queue + "}:"
			lists = append(lists, p.LLen(ctx, name+"pending"), p.LLen(ctx, name+"active"), p.ZCard(ctx, name+"retry"))
		}
		return nil
	})
	all := 0
	for _, list := range lists {
		all += int(list.Val())
	}
	return all, err
}

// settle waits until nothing is open, and answers when that was; false when within ended first, which ends no process.
func (s *stand) settle(ctx, within context.Context, brands [][]subject) (time.Time, bool) {
	for {
		open, err := s.unsettled(ctx, brands)
		switch {
		case err == nil && open == 0:
			return time.Now(), true
		case !sleepUntil(within, time.Now().Add(settleEvery)):
			return time.Now(), false
		}
	}
}
