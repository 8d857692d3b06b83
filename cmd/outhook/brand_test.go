package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func TestBrandHealth(t *testing.T) {
	t.Parallel()
	h := httpapi.BrandHealth{Endpoints: 20, Disabled: 2, Failing: 3, InFlight: 4, Waiting: 500, Retrying: 6, OldestWaitingAt: at("03:00:00"),
		LastHour: httpapi.Traffic{Attempts: 1200, Delivered: 1182, MeanMs: 31, MaxMs: 2100, Busy: 0.4234}}
	p := playAPI(t, ok(h))
	p.run(t, "brand", "health", "acme").prints(t, `brand:           acme
endpoints:       20
disabled:        2
failing:         3
in flight:       4
waiting:         500
retrying:        6
oldest waiting:  2026-01-02T03:00:00.000Z
last hour:       1200 attempts, 98.5 % delivered
took:            31ms on average, at most 2.1s
busy:            0.42 in flight on average
`)
	p.run(t, "brand", "health", "acme", "-o=json").prints(t, encodedAs(t, h))
	if diff := cmp.Diff([]string{"GET /v1/brands/acme/health", "GET /v1/brands/acme/health"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if got := drawn(t, brandCard("acme", h), true); !strings.Contains(got, "\x1b[31m2\x1b[0m") || !strings.Contains(got, "\x1b[31m3\x1b[0m") {
		t.Errorf("in colours:\n%s", got)
	}
}

// A share is none or all only when it is; what is hardly busy is not idle.
func TestTraffic(t *testing.T) {
	for want, h := range map[string]httpapi.Traffic{
		"last hour:  no attempts\n": {},
		"last hour:  1 attempt, 0.0 % delivered\ntook:       1ms on average, at most 1ms\nbusy:       under 0.01 in flight on average\n": {
			Attempts: 1, MeanMs: 1, MaxMs: 1, Busy: 0.000001},
		"last hour:  100000 attempts, over 99.9 % delivered\ntook:       0s on average, at most 0s\nbusy:       12.00 in flight on average\n": {
			Attempts: 100_000, Delivered: 99_999, Busy: 12},
		"last hour:  100000 attempts, under 0.1 % delivered\ntook:       0s on average, at most 0s\nbusy:       12.00 in flight on average\n": {
			Attempts: 100_000, Delivered: 1, Busy: 12},
		"last hour:  2 attempts, 100.0 % delivered\ntook:       0s on average, at most 0s\nbusy:       0.01 in flight on average\n": {
			Attempts: 2, Delivered: 2, Busy: 0.01},
	} {
		card := newCard()
		addTraffic(card, h)
		if got := drawn(t, card, false); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	}
}

func TestBrandErase(t *testing.T) {
	t.Parallel()
	erased := someJob("brandErase", "done", 0, 30, 0)
	p := playAPI(t, begun("brandErase"), ok(erased))
	p.run(t, "brand", "erase", "acme", "--yes").prints(t, "ID     KIND        BRAND  ENDPOINT  STATE\njob_1  brandErase  acme   -         running\nmatched: 30, deleted: 30\n")
	if diff := cmp.Diff([]string{"POST /v1/brands/acme/erase {}", "GET /v1/jobs/job_1"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	playAPI(t, begun("brandErase")).run(t, "brand", "erase", "acme", "--yes", "--detach", "-o=json").prints(t, encodedAs(t, begun("brandErase").body))
	checkRefused(t, map[string]refusedCase{
		"no admin": {notFound(), []string{"brand", "erase", "acme", "--yes"}, "brand erase: erasing brand acme: not found, or not for this key to see"},
	})
}

// Nobody erases a brand by a slip: where nobody can be asked, it must be said; and the name must be typed.
func TestBrandEraseAsks(t *testing.T) {
	t.Parallel()
	p := playAPI(t, begun("brandErase"))
	commandWith(t, "acme\n", p.env, "brand", "erase", "acme").fails(t, exitUsage, "brand erase: --yes: is required where nobody can be asked")
	commandWith(t, "acme\n", p.env, "brand", "erase", "acme", "--yes=false").fails(t, exitUsage, "brand erase: --yes: is required where nobody can be asked")
	if len(p.requests()) > 0 {
		t.Errorf("asked %q", p.requests())
	}
	const question = "This deletes everything of brand acme, and cannot be undone. Type its name to go on: "
	for typed, sure := range map[string]bool{"acme\n": true, " acme \r\n": true, "acme": true, "Acme\n": false, "y\n": false, "\n": false, "": false, "acme2\n": false, "\nacme\n": false} {
		var out strings.Builder
		if err := confirm(t.Context(), strings.NewReader(typed), &out, "acme"); (err == nil) != sure || out.String() != question {
			t.Errorf("%q: %v; %s", typed, err, out.String())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, silent := io.Pipe()
	defer silent.Close()
	if err := confirm(ctx, in, io.Discard, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	checkUsage(t, map[string]usageCase{
		"no brand":       {[]string{"brand", "erase", "--yes"}, "brand erase: BRAND: is required: see outhook brand erase --help"},
		"empty brand":    {[]string{"brand", "erase", "", "--yes"}, "brand erase: BRAND: is required: see outhook brand erase --help"},
		"a path":         {[]string{"brand", "erase", "a/b", "--yes"}, "brand erase: BRAND: must match [A-Za-z0-9_-]{1,64}"},
		"two":            {[]string{"brand", "erase", "a", "b", "--yes"}, `brand erase: unexpected argument "b": see outhook brand erase --help`},
		"whose health":   {[]string{"brand", "health"}, "brand health: BRAND: is required: see outhook brand health --help"},
		"health of that": {[]string{"brand", "health", "a.b"}, "brand health: BRAND: must match [A-Za-z0-9_-]{1,64}"},
	})
}
