package asynqredis

import (
	"context"
	_ "embed"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed pop.lua
var popText string

//go:embed giveback.lua
var giveBackText string

var (
	popScript      = redis.NewScript(popText)
	giveBackScript = redis.NewScript(giveBackText)
)

// leaseTrusted is how long after a batch was asked for its tasks are handed over, of the thirty seconds that their leases
// last: longer than go-redis waits for an answer, so that a slow Redis does not make every batch too old.
const leaseTrusted = 5 * time.Second

// batch is what one pop takes.
type batch struct {
	keys   queueKeys
	prefix string // of the tasks' keys
	// lease is Asynq's, and up to a second longer: its fraction tells this batch from others. Asynq writes whole seconds, so
	// it stands for a task that we have and did not hand over, or did within the last heartbeat.
	lease float64
	asked time.Time
	tasks []fetched // those not handed over; nil with answered false means that nobody knows
	// answered says that Redis told what was taken.
	answered bool
}

// fetched is a task that is active in Redis, and waits here to be handed over.
type fetched struct{ id, message string }

// newBatch prepares a pop in the place of a dequeue with these arguments, unless they are not those that Asynq is known to
// send: the lease in Unix seconds, and how the tasks' keys begin.
func newBatch(q queueKeys, args []any) (*batch, bool) {
	if len(args) != 2 {
		return nil, false
	}
	lease, isTime := args[0].(int64)
	prefix, isText := args[1].(string)
	if !isTime || !isText {
		return nil, false
	}
	// A double has 22 bits left behind a Unix time; zero would be Asynq's own.
	fraction := float64(1+rand.N(1<<22-1)) / (1 << 22)
	return &batch{keys: q, prefix: prefix, lease: float64(lease) + fraction, asked: time.Now()}, true
}

// stale says that the leases may be lost by now, because much time has passed on either clock: the wall's goes on while the
// machine sleeps.
func (b *batch) stale() bool {
	now := time.Now()
	wall := now.Round(0).Sub(b.asked.Round(0))
	return now.Sub(b.asked) > leaseTrusted || wall > leaseTrusted || wall < -leaseTrusted
}

// over says that the leases have certainly ended, so that there is nothing left to give back.
func (b *batch) over() bool { return time.Now().Unix() > int64(b.lease) }

// mark is a key that keeps a pop which was given up from coming true later.
func (b *batch) mark() string {
	return b.keys.queue + ":undone:" + strconv.FormatFloat(b.lease, 'f', -1, 64)
}

// pop takes up to n tasks. It is sent once only: sent again by the client after a lost answer, it would take a second batch,
// and the first one would be stranded until its leases end. Instead the caller gives a batch back whose answer was lost; the
// lease tells which tasks those are.
func (b *batch) pop(ctx context.Context, inner redis.UniversalClient, n int) error {
	return b.read(once(ctx, inner, b.popKeys(), b.popArgs(n)...))
}

func (b *batch) popKeys() []string {
	k := b.keys
	return []string{k.pending, k.paused, k.active, k.lease, b.mark()}
}

func (b *batch) popArgs(n int) []any { return []any{b.lease, b.prefix, n} }

// read takes over what a pop answered.
func (b *batch) read(cmd *redis.Cmd) error {
	parts, err := cmd.StringSlice()
	if err != nil {
		return err
	}
	b.answered = true
	b.tasks = make([]fetched, 0, len(parts)/2)
	for ; len(parts) >= 2; parts = parts[2:] {
		b.tasks = append(b.tasks, fetched{id: parts[0], message: parts[1]})
	}
	return nil
}

// giveBack returns what was not handed over. It may be sent any number of times.
func (b *batch) giveBack(ctx context.Context, inner redis.UniversalClient) error {
	args := make([]any, 0, 2+len(b.tasks))
	args = append(args, b.lease, b.prefix)
	for _, t := range b.tasks {
		args = append(args, t.id)
	}
	if b.answered && len(b.tasks) == 0 {
		return nil
	}
	k := b.keys
	return giveBackScript.Run(ctx, inner, []string{k.pending, k.active, k.lease, b.mark()}, args...).Err()
}

// once runs the script that pops without the client's own repetitions. When Redis did not know it, it has not run.
func once(ctx context.Context, inner redis.UniversalClient, keys []string, args ...any) *redis.Cmd {
	cmd := send(ctx, inner, "evalsha", popScript.Hash(), keys, args)
	if isNoScript(cmd.Err()) {
		cmd = send(ctx, inner, "eval", popText, keys, args)
	}
	return cmd
}

func send(ctx context.Context, inner redis.UniversalClient, name, script string, keys []string, args []any) *redis.Cmd {
	cmd := scriptCmd(ctx, name, script, keys, args)
	if err := inner.Process(ctx, unrepeated{cmd}); err != nil {
		cmd.SetErr(err) // a hook may keep it for itself
	}
	return cmd
}

// scriptCmd is the command that runs a script, by its digest or its text.
func scriptCmd(ctx context.Context, name, script string, keys []string, args []any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, name, script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return redis.NewCmd(ctx, append(all, args...)...)
}

// unrepeated is a command that go-redis does not send again by itself, whatever MaxRetries says.
type unrepeated struct{ *redis.Cmd }

// NoRetry tells go-redis.
func (unrepeated) NoRetry() bool { return true }
