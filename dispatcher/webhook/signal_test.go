package webhook_test

import (
	"net/http"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// What an attempt says of its endpoint: other 4xx are about one event.
func TestJudgeSignals(t *testing.T) {
	want := func(status int) webhook.Signal {
		switch {
		case status >= 200 && status <= 299:
			return webhook.SignalGood
		case status == 429:
			return webhook.SignalBusy
		case status >= 500:
			return webhook.SignalBad
		}
		return webhook.SignalNone
	}
	for status := 100; status <= 999; status++ {
		f := webhook.Facts{Response: webhook.Response{Status: status, Reason: webhook.ReasonOK}, Number: 1, OpenedAt: publishedAt, Now: publishedAt}
		if got := webhook.Judge(defaults, f).Signal; got != want(status) {
			t.Errorf("%d: %q, want %q", status, got, want(status))
		}
	}
	for reason, signal := range map[webhook.Reason]webhook.Signal{
		webhook.ReasonTimeout: webhook.SignalBad, webhook.ReasonDNS: webhook.SignalBad, webhook.ReasonConnect: webhook.SignalBad,
		webhook.ReasonTLS: webhook.SignalBad, webhook.ReasonReset: webhook.SignalBad, webhook.ReasonProtocol: webhook.SignalBad,
		webhook.ReasonBlocked: webhook.SignalNone, webhook.ReasonInterrupted: webhook.SignalNone,
	} {
		f := webhook.Facts{Response: webhook.Response{Reason: reason}, Number: 1, OpenedAt: publishedAt, Now: publishedAt}
		if got := webhook.Judge(defaults, f).Signal; got != signal {
			t.Errorf("%s: %q, want %q", reason, got, signal)
		}
	}
}

func TestJudgePauses(t *testing.T) {
	for _, c := range []struct {
		status int
		after  string
		want   time.Duration
	}{
		{429, "60", time.Minute}, {502, "60", time.Minute}, {503, "60", time.Minute}, {504, "60", time.Minute},
		{503, "86400", time.Hour}, {503, "0", 0}, {503, "-5", 0}, {503, "soon", 0}, {503, "", 0},
		{503, publishedAt.Add(time.Minute).Format(http.TimeFormat), time.Minute},
		{500, "60", 0}, {400, "60", 0}, {301, "60", 0}, {200, "60", 0}, {410, "60", 0},
	} {
		header := http.Header{}
		if c.after != "" {
			header.Set("Retry-After", c.after)
		}
		f := webhook.Facts{Response: webhook.Response{Status: c.status, Reason: webhook.ReasonOK, Header: header}, Number: 1, OpenedAt: publishedAt, Now: publishedAt}
		until := time.Time{}
		if c.want > 0 {
			until = publishedAt.Add(c.want)
		}
		if got := webhook.Judge(defaults, f).PauseUntil; got.Sub(until).Abs() >= time.Second || got.IsZero() != until.IsZero() {
			t.Errorf("%d with Retry-After %q: until %s, want %s", c.status, c.after, got, until)
		}
	}
}

// Three panics in a row are death; what else interrupts an attempt is not.
func TestJudgePanics(t *testing.T) {
	judge := func(panics int, panicked bool) webhook.Verdict {
		return webhook.Judge(webhook.Schedule{MaxAttempts: 1}, webhook.Facts{
			Response: webhook.Response{Reason: webhook.ReasonInterrupted}, Number: 1, Panics: panics, Panicked: panicked, OpenedAt: publishedAt, Now: publishedAt,
		})
	}
	for panics := range 2 {
		if v := judge(panics, true); v.State != webhook.StateRetrying || v.Counts || v.Panics != panics+1 {
			t.Errorf("panic %d: %+v", panics+1, v)
		}
	}
	if v := judge(2, true); v.State != webhook.StateDead || v.DeathReason != webhook.DeathPanic || v.Counts {
		t.Errorf("third panic: %+v", v)
	}
	if v := judge(2, false); v.State != webhook.StateRetrying || v.Panics != 2 {
		t.Errorf("interrupted after two panics: %+v", v)
	}
}

// A probe of the breaker never is the last attempt.
func TestJudgeProbesOutlastTheBudget(t *testing.T) {
	f := webhook.Facts{Response: webhook.Response{Status: 500, Reason: webhook.ReasonOK}, Number: 3, OpenedAt: publishedAt, Now: publishedAt}
	budget := webhook.Schedule{MaxAttempts: 3}
	if v := webhook.Judge(budget, f); v.State != webhook.StateDead {
		t.Errorf("the third of three: %+v", v)
	}
	f.Probe = true
	if v := webhook.Judge(budget, f); v.State != webhook.StateRetrying || !v.Counts {
		t.Errorf("as a probe: %+v", v)
	}
}
