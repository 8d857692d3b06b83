package main

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestParseMoment(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-01-02T15:04:05Z":          "2026-01-02T15:04:05Z",
		"2026-01-02T15:04:05.678+02:00": "2026-01-02T13:04:05.678Z",
		"2h":                            "2026-03-01T10:00:00Z",
		"90m":                           "2026-03-01T10:30:00Z",
		"1h30m":                         "2026-03-01T10:30:00Z",
		"3d":                            "2026-02-26T12:00:00Z",
		"1d12h":                         "2026-02-28T00:00:00Z",
		"0s":                            "2026-03-01T12:00:00Z",
		"0d":                            "2026-03-01T12:00:00Z",
		"36500d":                        "1926-03-26T12:00:00Z",
		"":                              "",
		"d":                             "",
		"2":                             "",
		"2w":                            "",
		"-2h":                           "",
		"-1d":                           "",
		"1d-2h":                         "",
		"1.5d":                          "",
		"3d4d":                          "",
		"36501d":                        "",
		"99999999999d":                  "",
		"2026-01-02":                    "",
		"2026-01-02 15:04:05":           "",
		"tomorrow":                      "",
	} {
		at, ok := parseMoment(text, now)
		if got := at.UTC().Format(time.RFC3339Nano); ok != (want != "") || ok && got != want {
			t.Errorf("%q is %s, %t; want %q", text, got, ok, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0:                            "in 0s",
		59*time.Second + 999_000_000: "in 59s",
		-time.Minute:                 "1m0s ago",
		-(2*time.Hour + 13*time.Minute + 5*time.Second): "2h13m ago",
		47*time.Hour + 59*time.Minute:                   "in 47h59m",
		75 * time.Hour:                                  "in 3d3h",
	} {
		if got := distance(now.Add(d), now); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

// How long ago is counted from when the command runs.
func TestEventListSinceAgo(t *testing.T) {
	t.Parallel()
	p := playText(t, `{"items":[],"nextCursor":null}`)
	before := time.Now()
	p.run(t, "event", "list", "--brand=acme", "--since=3d", "--until=2h").prints(t, "TIME  ID  TYPE  ENDPOINTS\n")
	after := time.Now()
	asked, err := url.Parse(strings.TrimPrefix(p.requests()[0], "GET "))
	if err != nil {
		t.Fatal(err)
	}
	for name, ago := range map[string]time.Duration{"since": 72 * time.Hour, "until": 2 * time.Hour} {
		got, err := time.Parse(time.RFC3339Nano, asked.Query().Get(name))
		if err != nil || got.Before(before.Add(-ago).Truncate(0)) || got.After(after.Add(-ago)) {
			t.Errorf("%s is %s, %v", name, asked.Query().Get(name), err)
		}
	}
}
