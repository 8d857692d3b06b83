package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// scriptCall is one script to run, by digest and text.
type scriptCall struct {
	digest, text string
	keys         []string
	args         []any
}

// listing is one queue name for Asynq's list of queues.
type listing struct {
	key  string
	name any
}

// runScripts runs the calls in one pipeline, and those whose script the server did not know in a second one. The queues' names
// are listed beside them, unless they are known to be. Answers are in the order of the calls; an error is of all of them.
func (q *Queue) runScripts(ctx context.Context, calls []scriptCall, queues []listing) ([]*redis.Cmd, error) {
	answers, err := q.send(ctx, calls, q.unlisted(queues), evalSha)
	if err != nil {
		return nil, err
	}
	var places []int
	var unknown []scriptCall
	for i, answer := range answers {
		if noScript(answer.Err()) {
			places, unknown = append(places, i), append(unknown, calls[i])
		}
	}
	if len(unknown) == 0 {
		return answers, nil
	}
	// A server without the script is a new or emptied one: it may not know the queues either.
	again, err := q.send(ctx, unknown, queues, eval)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		answers[place] = again[i]
	}
	return answers, nil
}

// send runs the calls in one pipeline, not a transaction, so that it works in a cluster too. An answer's own error is none but
// that the server does not know the script.
func (q *Queue) send(ctx context.Context, calls []scriptCall, queues []listing,
	run func(context.Context, redis.Pipeliner, scriptCall) *redis.Cmd) ([]*redis.Cmd, error) {
	pipe := q.redis.Pipeline()
	listed := make([]*redis.IntCmd, len(queues))
	for i, l := range queues {
		listed[i] = pipe.SAdd(ctx, l.key, l.name)
	}
	answers := make([]*redis.Cmd, len(calls))
	for i, call := range calls {
		answers[i] = run(ctx, pipe, call)
	}
	if _, err := pipe.Exec(ctx); err != nil && !noScript(err) {
		return nil, unavailable(err)
	}
	for _, answer := range answers {
		if err := answer.Err(); err != nil && !noScript(err) {
			return nil, unavailable(err)
		}
	}
	return answers, q.list(queues, listed)
}

func (q *Queue) unlisted(all []listing) []listing {
	var missing []listing
	for _, l := range all {
		if _, listed := q.published.Load(l.name); !listed {
			missing = append(missing, l)
		}
	}
	return missing
}

// list remembers the queues whose names Redis has now.
func (q *Queue) list(queues []listing, answers []*redis.IntCmd) error {
	for i, l := range queues {
		if err := answers[i].Err(); err != nil {
			return unavailable(err)
		}
		q.published.Store(l.name, true)
	}
	return nil
}

func evalSha(ctx context.Context, pipe redis.Pipeliner, c scriptCall) *redis.Cmd {
	return pipe.EvalSha(ctx, c.digest, c.keys, c.args...)
}

func eval(ctx context.Context, pipe redis.Pipeliner, c scriptCall) *redis.Cmd {
	return pipe.Eval(ctx, c.text, c.keys, c.args...)
}

func noScript(err error) bool {
	return errors.Is(err, redis.ErrNoScript) || redis.HasErrorPrefix(err, "NOSCRIPT")
}

// unavailable marks an error of the network or the server.
func unavailable(err error) error { return fmt.Errorf("%w: %w", webhook.ErrUnavailable, err) }
