package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// logBook keeps log records as text.
type logBook struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *logBook) WithGroup(string) slog.Handler            { return b }
func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines.WriteString(r.Level.String() + " " + r.Message)
	r.Attrs(func(a slog.Attr) bool { b.lines.WriteString(" " + a.String()); return true })
	b.lines.WriteByte('\n')
	return nil
}

func (b *logBook) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines.String()
}

func TestShutdownFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, rdb redis.UniversalClient) {
		logs := &logBook{}
		q := open(t, queue.Config{Redis: rdb, Shards: 1, Logger: slog.New(logs)})
		first, second := runOf(q, 1), runOf(q, 2)
		taken, finish := make(chan context.Context, 2), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- q.Run(ctx, only(func(ctx context.Context, _ webhook.Run) error {
				taken <- ctx
				<-finish
				return ctx.Err()
			}))
		}()
		enqueue(t, q, first)
		inFlight := <-taken

		cancel()
		eventually(t, "shutdown", func() bool { return strings.Count(logs.text(), "Waiting for all workers to finish") == 2 })
		enqueue(t, q, second)
		if inFlight.Err() != nil {
			t.Error("the handler's context ended with Run's")
		}
		close(finish)
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if len(taken) > 0 || stateOf(t, q, second) != webhook.TaskAlive {
			t.Error("a task was taken after the end")
		}
		if stateOf(t, q, first) != webhook.TaskMissing {
			t.Error("the task in flight was requeued")
		}
	})
}

func TestShutdownGivesUpOnADeafHandler(t *testing.T) {
	t.Parallel()
	rdb := embeddedClient(t)
	q := open(t, queue.Config{Redis: rdb, Shards: 1, AttemptTimeout: time.Millisecond, TaskTimeout: time.Second, ShutdownTimeout: 2 * time.Second})
	run := runOf(q, 1)
	taken, finish, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- q.Run(ctx, only(func(context.Context, webhook.Run) error {
			defer close(gone)
			close(taken)
			<-finish
			return nil
		}))
	}()
	enqueue(t, q, run)
	<-taken
	cancel()
	if err := <-ended; !errors.Is(err, queue.ErrUnfinished) {
		t.Errorf("run: %v", err)
	}
	if stateOf(t, q, run) != webhook.TaskAlive {
		t.Error("the task is lost")
	}
	close(finish)
	<-gone
}

func TestAsynqDoesNotChatter(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	var mu sync.Mutex
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(p)
	}), &slog.HandlerOptions{Level: slog.LevelInfo}))
	q := open(t, queue.Config{Redis: embeddedClient(t), Logger: log})
	h, got := deliverAll(1)
	stop := work(t, q, h)
	enqueue(t, q, runOf(q, 1))
	receive(t, got)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 2 {
		t.Errorf("%d lines for a start, a task and a stop:\n%s", lines, out.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
