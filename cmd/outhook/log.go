package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/config"
)

func newLogger(w io.Writer, c config.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level}
	if c.Format == config.LogText {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// redisLog takes what go-redis would print between our lines. What matters of it is an error of a command, too.
type redisLog struct{ log *slog.Logger }

// Printf implements go-redis's logger.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
	}
}

// acceptError begins what an http.Server says, each second, while there is no file descriptor for a connection.
const acceptError = "http: Accept error"

// serverLog takes the lines of an http.Server.
type serverLog struct {
	log  *slog.Logger
	name string
	// refused is when accepting failed.
	refused minutely
}

// Write takes one line.
func (l *serverLog) Write(line []byte) (int, error) {
	if strings.HasPrefix(string(line), acceptError) && !l.refused.due() {
		return len(line), nil
	}
	l.log.Warn("http server", "listener", l.name, "text", oneLine(string(line)))
	return len(line), nil
}

// minutely is for what is said once a minute. Its zero value is ready. Safe for concurrent use.
type minutely struct {
	mu   sync.Mutex
	last time.Time
}

// due tells whether it was not said within the last minute, and takes it as said.
func (m *minutely) due() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if now.Sub(m.last) < time.Minute {
		return false
	}
	m.last = now
	return true
}
