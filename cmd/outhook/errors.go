package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.smobi.com/outhook/config"
)

var errInterrupted = errors.New("interrupted")

// usageError is a mistake of whoever wrote the command line or the configuration: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage is a usageError with a message.
func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}

// report writes an error as one line, several problems of a configuration as one each.
func report(w io.Writer, what string, err error) {
	prefix := "outhook: "
	if what != "" {
		prefix += what + ": "
	}
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		fmt.Fprintln(w, prefix+oneLine(err.Error()))
		return
	}
	for _, p := range problems {
		fmt.Fprintln(w, prefix+oneLine(p.String()))
	}
}

// oneLine makes text that may come from elsewhere fit for a line on a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if harmful(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
