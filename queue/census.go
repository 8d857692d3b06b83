package queue

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Census is what Asynq has of our queues.
type Census struct {
	// Queues are those of Config.Shards, and those beyond them that Asynq lists; by lane, then by number.
	Queues []Standing
	// Others counts the queues in Asynq's list that are not ours.
	Others int
	// Workers counts the processes that work any of our queues.
	Workers int
}

// Standing is how one queue stands.
type Standing struct {
	Name string
	// Beyond says that it is none of Config.Shards: a process of this configuration neither fills nor works it.
	Beyond bool
	// Paused: nothing of it is begun until somebody resumes it.
	Paused bool
	// Pending tasks wait for a worker, Active ones have one, Scheduled and Retry wait for their time, Archived wait for nothing.
	Pending, Active, Scheduled, Retry, Archived int
	// OldestPending is when the first of Pending began to wait; zero when that is not known, or none does.
	OldestPending time.Time
	// Workers counts the processes that work it.
	Workers int
}

// Tasks counts those that are to be done at some time.
func (s Standing) Tasks() int { return s.Pending + s.Active + s.Scheduled + s.Retry }

// Census counts, in four round trips and without changing anything. The queues need not be served by this process. Errors
// wrap [webhook.ErrUnavailable].
func (q *Queue) Census(ctx context.Context) (Census, error) {
	listed, err := q.redis.SMembers(ctx, keyQueues).Result()
	if err != nil {
		return Census{}, fmt.Errorf("census: %w", unavailable(err))
	}
	var c Census
	c.Queues, c.Others = q.known(listed)
	if err := q.count(ctx, c.Queues); err != nil {
		return Census{}, fmt.Errorf("census: %w", err)
	}
	served, err := q.served(ctx)
	if err != nil {
		return Census{}, fmt.Errorf("census: %w", err)
	}
	processes := map[process]bool{}
	for i := range c.Queues {
		for p := range served[c.Queues[i].Name] {
			c.Queues[i].Workers++
			processes[p] = true
		}
	}
	c.Workers = len(processes)
	return c, nil
}

// ownQueue is the name of a queue of ours, of however many shards.
var ownQueue = regexp.MustCompile(`^(` + LaneLive + `|` + LaneBulk + `)-(0|[1-9][0-9]?)$`)

// known are our queues, in order, and how many others are listed.
func (q *Queue) known(listed []string) (ours []Standing, others int) {
	for _, name := range names(q.cfg.Shards) {
		ours = append(ours, Standing{Name: name})
	}
	for _, name := range listed {
		switch {
		case !ownQueue.MatchString(name):
			others++
		case !slices.ContainsFunc(ours, func(s Standing) bool { return s.Name == name }):
			ours = append(ours, Standing{Name: name, Beyond: true})
		}
	}
	slices.SortFunc(ours, func(a, b Standing) int {
		laneA, numberA := placeOf(a.Name)
		laneB, numberB := placeOf(b.Name)
		return cmp.Or(-cmp.Compare(laneA, laneB), cmp.Compare(numberA, numberB)) // live before bulk
	})
	return ours, others
}

// Place is the lane of the queue, [LaneLive] or [LaneBulk], and its number there.
func (s Standing) Place() (lane string, number int) { return placeOf(s.Name) }

func placeOf(name string) (lane string, number int) {
	lane, digits, _ := strings.Cut(name, "-")
	number, _ = strconv.Atoi(digits) // it has two at most
	return lane, number
}

// count fills in what stands in the queues.
func (q *Queue) count(ctx context.Context, queues []Standing) error {
	pipe := q.redis.Pipeline()
	counts := make([][]*redis.IntCmd, len(queues))
	oldest := make([]*redis.StringSliceCmd, len(queues))
	for i, s := range queues {
		counts[i] = []*redis.IntCmd{
			pipe.LLen(ctx, setKey(s.Name, keyPending)), pipe.LLen(ctx, setKey(s.Name, keyActive)),
			pipe.ZCard(ctx, setKey(s.Name, keyScheduled)), pipe.ZCard(ctx, setKey(s.Name, keyRetry)),
			pipe.ZCard(ctx, setKey(s.Name, keyArchived)), pipe.Exists(ctx, PausedKey(s.Name)),
		}
		oldest[i] = pipe.LRange(ctx, setKey(s.Name, keyPending), -1, -1)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return unavailable(err)
	}
	first := map[int]*redis.StringCmd{}
	for i := range queues {
		s := &queues[i]
		for j, into := range []*int{&s.Pending, &s.Active, &s.Scheduled, &s.Retry, &s.Archived} {
			*into = int(counts[i][j].Val())
		}
		s.Paused = counts[i][5].Val() > 0
		for _, id := range oldest[i].Val() {
			first[i] = pipe.HGet(ctx, taskKey(s.Name, id), fieldPendingSince)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil { // a task that was taken meanwhile has no such field
		return unavailable(err)
	}
	for i, since := range first {
		if at, err := since.Int64(); err == nil {
			queues[i].OldestPending = time.Unix(0, at).UTC()
		}
	}
	return nil
}
