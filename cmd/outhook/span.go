package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// longestAgo bounds what can be asked for, in days: a time that overflowed would lie anywhere.
const longestAgo = 36_500

// spanFlags bound a list by time.
type spanFlags struct{ since, until string }

// register says in what it is that happened at that time.
func (f *spanFlags) register(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&f.since, "since", "", what+" at this `time` or later: as in RFC 3339, or how long ago, such as 2h or 3d")
	cmd.Flags().StringVar(&f.until, "until", "", what+" before this `time`, given like --since")
}

func (f spanFlags) span(cmd *cobra.Command, now time.Time) (httpapi.Span, error) {
	var s httpapi.Span
	for _, bound := range []struct {
		flag, text string
		at         *time.Time
	}{{"since", f.since, &s.Since}, {"until", f.until, &s.Until}} {
		if !cmd.Flags().Changed(bound.flag) {
			continue
		}
		at, ok := parseMoment(bound.text, now)
		if !ok {
			return s, usage("--%s: must be a time such as %s, or how long ago, such as 2h or 3d", bound.flag, "2026-01-02T15:04:05Z")
		}
		*bound.at = at
	}
	if !s.Since.IsZero() && !s.Until.IsZero() && !s.Since.Before(s.Until) {
		return s, usage("--since: must be before --until")
	}
	return s, nil
}

// parseMoment reads a time, or how long before now it was: Go's durations, and days.
func parseMoment(text string, now time.Time) (time.Time, bool) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, true
	}
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		days, rest = "0", text
	}
	if hasDays && rest == "" {
		rest = "0s"
	}
	n, err := strconv.ParseUint(days, 10, 32)
	ago, err2 := time.ParseDuration(rest)
	if err != nil || err2 != nil || n > longestAgo || ago < 0 {
		return time.Time{}, false
	}
	return now.Add(-time.Duration(n)*24*time.Hour - ago), true
}

// distance says how far a time is from now, as far as anybody wants to know: "in 4m", "2h13m ago".
func distance(at, now time.Time) string {
	d := at.Sub(now)
	if d < 0 {
		return fmt.Sprintf("%s ago", rough(-d))
	}
	return "in " + rough(d)
}

func rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
