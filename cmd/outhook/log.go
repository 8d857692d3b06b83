package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

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

// serverLog takes the lines of an http.Server.
type serverLog struct {
	log  *slog.Logger
	name string
}

// Write takes one line.
func (l serverLog) Write(line []byte) (int, error) {
	l.log.Warn("http server", "listener", l.name, "text", oneLine(string(line)))
	return len(line), nil
}
