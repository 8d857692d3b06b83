package webhook_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func after(value string) http.Header { return http.Header{"Retry-After": {value}} }

// The attempt ended at 03:05:05.678 on Friday, 2 January 2026.
func TestJudgeRetryAfter(t *testing.T) {
	const scheduled = 0 // what the schedule gives
	nineAndABit := 9*time.Minute + 59*time.Second + 322*time.Millisecond
	for _, row := range []struct {
		name, value string
		want        time.Duration
	}{
		{"none", "", scheduled},
		{"seconds", "120", 2 * time.Minute},
		{"seconds in blanks", " 120\t", 2 * time.Minute},
		{"leading zeros", "000120", 2 * time.Minute},
		{"zero", "0", scheduled},
		{"less than the schedule", "3", scheduled},
		{"the limit", "36000", 10 * time.Hour},
		{"over the limit", "36001", 10 * time.Hour},
		{"more than a Duration holds", "9223372037", 10 * time.Hour},
		{"more than an int64 holds", "99999999999999999999", 10 * time.Hour},
		{"more than a float64 holds", strings.Repeat("9", 400), 10 * time.Hour},
		{"negative", "-120", scheduled},
		{"signed", "+120", scheduled},
		{"fraction", "120.5", scheduled},
		{"exponent", "1e4", scheduled},
		{"hexadecimal", "0x100", scheduled},
		{"grouped", "1_000", scheduled},
		{"infinite", "Inf", scheduled},
		{"not a number", "NaN", scheduled},
		{"other digits", "١٢٠", scheduled},
		{"two values", "120, 240", scheduled},
		{"unit", "120s", scheduled},
		{"date", "Fri, 02 Jan 2026 03:15:05 GMT", nineAndABit},
		{"date of RFC 850", "Friday, 02-Jan-26 03:15:05 GMT", nineAndABit},
		{"date of asctime", "Fri Jan  2 03:15:05 2026", nineAndABit},
		{"date in blanks", " Fri, 02 Jan 2026 03:15:05 GMT ", nineAndABit},
		{"past date", "Fri, 02 Jan 2026 03:05:05 GMT", scheduled},
		{"date long past", "Thu, 01 Jan 1970 00:00:00 GMT", scheduled},
		{"date before the schedule", "Fri, 02 Jan 2026 03:05:08 GMT", scheduled},
		{"date beyond the limit", "Fri, 02 Jan 2026 13:05:06 GMT", 10 * time.Hour},
		{"date of another age", "Fri, 31 Dec 9999 23:59:59 GMT", 10 * time.Hour},
		{"no such date", "Fri, 30 Feb 2026 03:15:05 GMT", scheduled},
		{"date in another zone", "Fri, 02 Jan 2026 03:15:05 +0100", scheduled},
		{"date of RFC 3339", "2026-01-02T03:15:05Z", scheduled},
		{"text", "soon", scheduled},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := answered(503)
			f.Response.Header = after(row.value)
			delay := checkVerdict(t, f, webhook.Judge(defaults, f), retried(webhook.ReasonHTTPStatus))
			if row.want == scheduled {
				checkBand(t, 5*time.Second, delay)
			} else if delay != row.want {
				t.Errorf("again after %s, want %s", delay, row.want)
			}
		})
	}
}

// Every status that is retried may ask for time, and no other outcome listens.
func TestJudgeRetryAfterByStatus(t *testing.T) {
	for status := 100; status <= 599; status++ {
		f := answered(status)
		f.Response.Header = after("7200")
		v := webhook.Judge(defaults, f)
		if v.State == webhook.StateRetrying && v.NextAttemptAt.Sub(f.Now) != 2*time.Hour {
			t.Errorf("status %d: again after %s", status, v.NextAttemptAt.Sub(f.Now))
		}
		if v.State != webhook.StateRetrying && !v.NextAttemptAt.IsZero() {
			t.Errorf("status %d: %s, and again at %s", status, v.State, v.NextAttemptAt)
		}
	}
}

// The cap is the configured one, and a schedule that asks for more time gets it.
func TestJudgeRetryAfterNeverShortens(t *testing.T) {
	s := webhook.Schedule{MaxInterval: time.Hour}.WithDefaults()
	f := answered(429)
	f.Response.Header = after("86400")
	if delay := checkVerdict(t, f, webhook.Judge(s, f), retried(webhook.ReasonHTTPStatus)); delay != time.Hour {
		t.Errorf("again after %s, want 1h", delay)
	}
	f.Number = 20
	f.Response.Header = after("60")
	for range 1000 {
		checkBand(t, time.Hour, webhook.Judge(s, f).NextAttemptAt.Sub(f.Now))
	}
}

func TestJudgeRetryAfterBeyondTheEnd(t *testing.T) {
	f := answered(503)
	f.Response.Header = after("7200")
	f.Now = publishedAt.Add(74 * time.Hour)
	checkVerdict(t, f, webhook.Judge(defaults, f), deadOf(webhook.ReasonHTTPStatus, webhook.DeathMaxAge))
	f.ExpiresAt = publishedAt.Add(75 * time.Hour)
	checkVerdict(t, f, webhook.Judge(defaults, f), expired(webhook.ReasonHTTPStatus))
}
