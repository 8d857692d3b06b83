package asynqredis

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/pipeline"
)

//go:embed done.lua
var doneText string

var doneScript = redis.NewScript(doneText)

const (
	// doneFlights is one: the longer a call takes, the more go with the next.
	doneFlights = 1
	// doneMost bounds the tasks of a call, which Redis works on for a few tenths of a millisecond.
	doneMost = 64
)

// errNotFound is what Asynq's script says of a task that is not active, or not there, any more.
const errNotFound = reply("NOT FOUND")

// reply is an error that Redis answered, as go-redis has them.
type reply string

func (r reply) Error() string { return string(r) }

// RedisError makes it a redis.Error.
func (reply) RedisError() {}

// counted is what the tasks of one call have in common: their queue and the day under which they are counted.
type counted struct {
	active, lease, day, total string
	most                      int64 // what total is no more than
}

// done is the end of one task, and what became of it.
type done struct {
	counted
	task, id string
	expires  int64 // the day's count, in Unix seconds
	err      error
}

// doneOf reads a call of Asynq's script, unless it is not as Asynq is known to send it.
func doneOf(sha1 string, keys []string, args []any) (*done, bool) {
	if sha1 != doneSHA || len(keys) != 5 || len(args) != 3 {
		return nil, false
	}
	id, isText := args[0].(string)
	expires, isTime := args[1].(int64)
	most, isCount := args[2].(int64)
	if !isText || !isTime || !isCount {
		return nil, false
	}
	return &done{
		counted: counted{active: keys[0], lease: keys[1], day: keys[3], total: keys[4], most: most},
		task:    keys[2], id: id, expires: expires,
	}, true
}

// ends ends tasks, those of a queue by one script. As Asynq's own it refuses a task that is not active any more, so that sending
// it again does no harm.
type ends struct {
	inner redis.UniversalClient
	group *pipeline.Group[*done]
}

func newEnds(inner redis.UniversalClient, linger time.Duration) *ends {
	e := &ends{inner: inner}
	e.group = pipeline.NewGroup(doneFlights, doneMost, e.end)
	e.group.Linger(linger)
	return e
}

// run answers as Asynq's script would.
func (e *ends) run(ctx context.Context, d *done) *redis.Cmd {
	err := e.group.Do(context.WithoutCancel(ctx), d)
	if err == nil {
		err = d.err
	}
	cmd := answer(ctx, doneSHA, err)
	if err == nil {
		cmd.SetVal("OK")
	}
	return cmd
}

func (e *ends) end(ctx context.Context, batch []*done) {
	calls := doneCalls(batch)
	e.send(ctx, calls, "evalsha", doneScript.Hash())
	var unknown []*doneCall
	for _, c := range calls {
		if isNoScript(c.cmd.Err()) {
			unknown = append(unknown, c)
		}
	}
	e.send(ctx, unknown, "eval", doneText)
	for _, c := range calls {
		c.tell()
	}
}

// send runs calls in one pipeline; each has its answer, or an error, then.
func (e *ends) send(ctx context.Context, calls []*doneCall, name, script string) {
	if len(calls) == 0 {
		return
	}
	pipe := e.inner.Pipeline()
	for _, c := range calls {
		c.cmd = c.command(ctx, name, script)
		_ = pipe.Process(ctx, c.cmd) // it only queues
	}
	_ = pipeline.Exec(ctx, pipe) // the errors are the commands'
}

// doneCall is one call of the script.
type doneCall struct {
	of    counted
	tasks []*done
	cmd   *redis.Cmd
}

// doneCalls is one call as a rule: a second one at midnight, and when a Server works several queues.
func doneCalls(batch []*done) []*doneCall {
	var calls []*doneCall
	at := map[counted]*doneCall{}
	for _, d := range batch {
		c := at[d.counted]
		if c == nil {
			c = &doneCall{of: d.counted, tasks: make([]*done, 0, len(batch))}
			at[d.counted] = c
			calls = append(calls, c)
		}
		c.tasks = append(c.tasks, d)
	}
	return calls
}

func (c *doneCall) command(ctx context.Context, name, script string) *redis.Cmd {
	keys := make([]string, 0, 4+len(c.tasks))
	keys = append(keys, c.of.active, c.of.lease, c.of.day, c.of.total)
	args := make([]any, 0, 2+len(c.tasks))
	args = append(args, c.tasks[0].expires, c.of.most)
	for _, d := range c.tasks {
		keys, args = append(keys, d.task), append(args, d.id)
	}
	return scriptCmd(ctx, name, script, keys, args)
}

// tell gives each task its part of the answer.
func (c *doneCall) tell() {
	missing, err := c.cmd.Int64Slice()
	for _, d := range c.tasks {
		d.err = err
	}
	for _, place := range missing {
		c.tasks[place-1].err = errNotFound
	}
}
