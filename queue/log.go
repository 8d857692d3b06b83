package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// asynqLog hands Asynq's lines to slog: a constant message, and the line as an attribute. While Redis is away each Server has
// something to complain of several times a second: what begins alike is told once a minute, with how often it was not told.
type asynqLog struct {
	log  *slog.Logger
	told *told
}

// told is what the Servers of one Run have said; it has as many entries as Asynq has kinds of lines.
type told struct {
	mu    sync.Mutex
	kinds map[string]*telling
}

type telling struct {
	last   time.Time
	untold int
}

// again tells whether a line of the kind is to be told now, and how many were not since the last one.
func (t *told) again(kind string, now time.Time) (yes bool, untold int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kinds == nil {
		t.kinds = map[string]*telling{}
	}
	known := t.kinds[kind]
	if known == nil {
		known = &telling{}
		t.kinds[kind] = known
	}
	if now.Sub(known.last) < time.Minute {
		known.untold++
		return false, 0
	}
	untold, known.untold, known.last = known.untold, 0, now
	return true, untold
}

func (l asynqLog) Debug(args ...any) { l.write(slog.LevelDebug, args) }
func (l asynqLog) Info(args ...any)  { l.write(slog.LevelInfo, args) }
func (l asynqLog) Warn(args ...any)  { l.write(slog.LevelWarn, args) }
func (l asynqLog) Error(args ...any) { l.write(slog.LevelError, args) }

// Fatal does not end the process: that is main's to decide.
func (l asynqLog) Fatal(args ...any) { l.write(slog.LevelError, args) }

func (l asynqLog) write(level slog.Level, args []any) {
	line := fmt.Sprint(args...)
	if level < slog.LevelWarn {
		l.log.Log(context.Background(), level, "asynq", "line", line)
		return
	}
	kind, _, _ := strings.Cut(line, ":")
	if strings.Contains(kind, "=") { // an id or a number
		kind = ""
	}
	if yes, untold := l.told.again(level.String()+kind, time.Now()); yes {
		l.log.Log(context.Background(), level, "asynq; of its kind said once a minute", "line", line, "untold", untold)
	}
}

// asynqLevel is what Asynq itself lets through: its starts and stops, which every Server tells in several lines, only to those
// who debug, and its thousand "queues are empty" a second to nobody.
func asynqLevel(log *slog.Logger) asynq.LogLevel {
	if log.Enabled(context.Background(), slog.LevelDebug) {
		return asynq.InfoLevel
	}
	return asynq.WarnLevel
}
