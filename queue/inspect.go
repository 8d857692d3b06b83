package queue

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// leaseGrace is how long a lease may be over, by Redis's clock, before its worker counts as gone: workers write leases by
	// their own clocks, in whole seconds.
	leaseGrace = 3 * time.Second
	// maxListed is the longest pending list that is looked through: Redis does nothing else meanwhile.
	maxListed = 20_000
)

//go:embed inspect.lua
var inspectText string

var inspectScript = redis.NewScript(inspectText)

// Inspect answers what Asynq knows of each run, in the order of the input and without changing anything: one pipeline for
// each thousand, with one script a queue, so that no task moves while it is looked for. Of a queue with more than 20,000
// pending tasks all those count as alive. The queues need not be served by this process. Errors wrap [webhook.ErrUnavailable].
func (q *Queue) Inspect(ctx context.Context, runs []webhook.Run) ([]webhook.TaskState, error) {
	states := make([]webhook.TaskState, 0, len(runs))
	for batch := range slices.Chunk(runs, batchRuns) {
		seen, err := q.inspect(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("inspect: %w", err)
		}
		states = append(states, seen...)
	}
	return states, nil
}

func (q *Queue) inspect(ctx context.Context, runs []webhook.Run) ([]webhook.TaskState, error) {
	members := map[string][]int{} // of each queue, as indexes of runs
	for i, run := range runs {
		members[run.Queue] = append(members[run.Queue], i)
	}
	names := slices.Collect(maps.Keys(members))
	calls := make([]scriptCall, len(names))
	for i, name := range names {
		calls[i] = inspectCall(name, runs, members[name])
	}
	answers, err := q.runScripts(ctx, calls, nil)
	if err != nil {
		return nil, err
	}
	states := make([]webhook.TaskState, len(runs))
	for i, name := range names {
		words, err := answers[i].StringSlice()
		if err != nil {
			return nil, unavailable(err)
		}
		for j, member := range members[name] {
			states[member] = stateOf(words[j])
		}
	}
	return states, nil
}

func inspectCall(queue string, runs []webhook.Run, members []int) scriptCall {
	keys := make([]string, 0, 5+len(members))
	for _, name := range []string{keyPending, keyActive, keyLease, keyScheduled, keyRetry} {
		keys = append(keys, setKey(queue, name))
	}
	args := make([]any, 0, 2+len(members))
	args = append(args, int(leaseGrace.Seconds()), maxListed)
	for _, i := range members {
		id := runs[i].ID()
		keys, args = append(keys, taskKey(queue, id)), append(args, id)
	}
	return scriptCall{digest: inspectScript.Hash(), text: inspectText, keys: keys, args: args}
}

// stateOf reads the script's words.
func stateOf(word string) webhook.TaskState {
	switch word {
	case "missing":
		return webhook.TaskMissing
	case "abandoned":
		return webhook.TaskAbandoned
	case "ended":
		return webhook.TaskEnded
	case "orphaned":
		return webhook.TaskOrphaned
	}
	return webhook.TaskAlive
}
