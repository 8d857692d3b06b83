package asynqredis

import (
	"context"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// sharing sends commands that are there at the same time in one pipeline. While one is under way the commands that come wait
// for the next; whoever finds none under way sends at once, so that a command alone waits for nobody.
//
// It is go-redis's AutoPipeliner in small, and was as fast beside it. It has no goroutine of its own, as one of those who wait
// sends for all of them, and so nothing to close; and each Client has one, whatever the inner client is: an AutoPipeliner is
// one for all users of a client, who would close it for each other.
type sharing struct {
	inner redis.UniversalClient

	mu      sync.Mutex
	sending bool
	waiting []*shared
}

// shared is a command and the goroutine that waits for it.
type shared struct {
	cmd redis.Cmder
	// turn tells that goroutine to send what waits, its own command included; or, when false, that its command has its answer.
	turn chan bool
}

// process answers when the command has its answer, which is in it. The end of the context of one command must not be that of
// others, so ctx is to have none.
func (s *sharing) process(ctx context.Context, cmd redis.Cmder) {
	own := &shared{cmd: cmd}
	if !s.begin(own) && !<-own.turn {
		return
	}
	defer s.next()
	batch := s.take()
	s.send(ctx, batch)
	for _, other := range batch {
		if other != own {
			other.turn <- false
		}
	}
}

// begin puts a command in line, and answers whether nobody is sending.
func (s *sharing) begin(own *shared) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, own)
	if s.sending {
		own.turn = make(chan bool, 1)
		return false
	}
	s.sending = true
	return true
}

// take answers what waits: no more than Asynq runs tasks.
func (s *sharing) take() []*shared {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.waiting
	s.waiting = nil
	return batch
}

// next passes the sending on to the one that waits longest.
func (s *sharing) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sending = len(s.waiting) > 0; s.sending {
		s.waiting[0].turn <- true
	}
}

func (s *sharing) send(ctx context.Context, batch []*shared) {
	if len(batch) == 1 {
		_ = s.inner.Process(ctx, batch[0].cmd) // the error is in the command
		return
	}
	pipe := s.inner.Pipeline()
	for _, b := range batch {
		_ = pipe.Process(ctx, b.cmd) // puts it into the pipeline
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
}

// endsTask tells a script of Asynq's that takes a task out of the active ones: done, retry, archive and requeue. Each refuses
// a task that is not active any more, so that sending it again does no harm.
func endsTask(keys []string) bool {
	return len(keys) > 2 && (strings.HasSuffix(keys[0], "}:active") || strings.HasSuffix(keys[1], "}:active"))
}
