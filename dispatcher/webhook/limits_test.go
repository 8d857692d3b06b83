package webhook_test

import (
	"math"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestJudgeMaxAttempts(t *testing.T) {
	failed := retried(webhook.ReasonHTTPStatus)
	exhausted := deadOf(webhook.ReasonHTTPStatus, webhook.DeathMaxAttempts)
	for _, row := range []struct {
		limit, number int
		want          webhook.Verdict
	}{
		{0, 1, failed},
		{0, 1_000_000, failed},
		{1, 1, exhausted},
		{2, 1, failed},
		{2, 2, exhausted},
		{14, 13, failed},
		{14, 14, exhausted},
		{14, 15, exhausted}, // the limit was lowered meanwhile
	} {
		s := defaults
		s.MaxAttempts = row.limit
		f := answered(500)
		f.Number = row.number
		checkVerdict(t, f, webhook.Judge(s, f), row.want)
	}
}

// Every row fails with Retry-After: 60, so that the next attempt is due at Now + 1 min exactly.
func TestJudgeTimeLimits(t *testing.T) {
	const never = time.Duration(math.MaxInt64)
	failed := retried(webhook.ReasonHTTPStatus)
	tooOld := deadOf(webhook.ReasonHTTPStatus, webhook.DeathMaxAge)
	tooLate := expired(webhook.ReasonHTTPStatus)
	for _, row := range []struct {
		name             string
		maxAge, lifetime time.Duration // of the schedule, of the event
		next             time.Duration // counted from the publish, like both
		want             webhook.Verdict
	}{
		{"before the maximal age", time.Hour, never, time.Hour - 1, failed},
		{"at the maximal age", time.Hour, never, time.Hour, tooOld},
		{"after the maximal age", time.Hour, never, time.Hour + 1, tooOld},
		{"before the expiry", time.Hour, time.Minute + 1, time.Minute, failed},
		{"at the expiry", time.Hour, time.Minute, time.Minute, tooLate},
		{"after the expiry", time.Hour, time.Minute, time.Minute + 1, tooLate},
		{"expired when published", time.Hour, -time.Hour, time.Minute, tooLate},
		{"after both: a gate asks for the expiry first", time.Hour, time.Minute, 2 * time.Hour, tooLate},
		{"an expiry does not prolong", time.Hour, 3 * time.Hour, 2 * time.Hour, tooOld},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := defaults
			s.MaxAge = row.maxAge
			f := answered(500)
			f.Response.Header = after("60")
			f.Now = publishedAt.Add(row.next - time.Minute)
			if row.lifetime != never {
				f.ExpiresAt = publishedAt.Add(row.lifetime)
			}
			checkVerdict(t, f, webhook.Judge(s, f), row.want)
		})
	}
}

func TestJudgeLimitsInOrder(t *testing.T) {
	s := defaults
	s.MaxAttempts = 3
	f := unanswered(webhook.ReasonBlocked)
	f.Number, f.Blocked = 3, 2
	f.ExpiresAt = f.Now
	f.Now = publishedAt.Add(s.MaxAge)
	third := deadOf(webhook.ReasonBlocked, webhook.DeathBlocked)
	third.Blocked = 3
	checkVerdict(t, f, webhook.Judge(s, f), third)

	f.Blocked = 1
	last := deadOf(webhook.ReasonBlocked, webhook.DeathMaxAttempts)
	last.Blocked = 2
	checkVerdict(t, f, webhook.Judge(s, f), last)
}

// An interrupted attempt costs nothing, but it does not make a delivery younger.
func TestJudgeInterrupted(t *testing.T) {
	s := defaults
	s.MaxAttempts = 3
	uncounted := func(v webhook.Verdict) webhook.Verdict {
		v.Counts = false
		return v
	}
	for _, row := range []struct {
		name          string
		age, lifetime time.Duration
		want          webhook.Verdict
	}{
		{"in time", time.Minute, time.Hour, retried(webhook.ReasonInterrupted)},
		{"at the end of the time", s.MaxAge - 1, s.MaxAge, retried(webhook.ReasonInterrupted)},
		{"too old", s.MaxAge, 2 * s.MaxAge, deadOf(webhook.ReasonInterrupted, webhook.DeathMaxAge)},
		{"expired", time.Minute, time.Minute, expired(webhook.ReasonInterrupted)},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := unanswered(webhook.ReasonInterrupted)
			f.Number = 3 // the last that MaxAttempts allows
			f.Now, f.ExpiresAt = publishedAt.Add(row.age), publishedAt.Add(row.lifetime)
			delay := checkVerdict(t, f, webhook.Judge(s, f), uncounted(row.want))
			if row.want.State == webhook.StateRetrying && delay != 0 {
				t.Errorf("again after %s, want at once", delay)
			}
		})
	}
}
