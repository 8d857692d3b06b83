package webhook_test

import (
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var (
	publishedAt = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	defaults    = webhook.Schedule{}.WithDefaults()
)

// answered are the facts of a first attempt, a minute after the publish, that got an answer.
func answered(status int) webhook.Facts {
	return webhook.Facts{
		Response: webhook.Response{Status: status, Reason: webhook.ReasonOK},
		Number:   1,
		OpenedAt: publishedAt,
		Now:      publishedAt.Add(time.Minute),
	}
}

// unanswered are the facts of a first attempt that got none.
func unanswered(reason webhook.Reason) webhook.Facts {
	f := answered(0)
	f.Response.Reason = reason
	return f
}

// retried, deadOf and expired are verdicts of an attempt that counts, but for the time of the next.
func retried(reason webhook.Reason) webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeRetrying, Reason: reason, State: webhook.StateRetrying, Counts: true}
}

func deadOf(reason webhook.Reason, death webhook.DeathReason) webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeDead, Reason: reason, State: webhook.StateDead, DeathReason: death, Counts: true}
}

func expired(reason webhook.Reason) webhook.Verdict {
	return webhook.Verdict{Outcome: webhook.OutcomeDead, Reason: reason, State: webhook.StateExpired, Counts: true}
}

var (
	delivered = webhook.Verdict{Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK, State: webhook.StateDelivered, Counts: true}
	gone      = webhook.Verdict{Outcome: webhook.OutcomeDead, Reason: webhook.ReasonGone, State: webhook.StateDead,
		DeathReason: webhook.DeathGone, Counts: true, Disable: webhook.DisabledGone}
)

// checkVerdict compares what becomes of the delivery, all but the time of the
// next attempt, which must be set if and only if there is one, and answers how
// long it is until then. What is said of the endpoint is signal_test.go's.
func checkVerdict(t *testing.T, f webhook.Facts, got, want webhook.Verdict) time.Duration {
	t.Helper()
	next := got.NextAttemptAt
	got.NextAttemptAt, got.Signal, got.PauseUntil = time.Time{}, "", time.Time{}
	if got != want {
		t.Errorf("verdict\n got %+v\nwant %+v", got, want)
	}
	if next.IsZero() == (want.State == webhook.StateRetrying) {
		t.Errorf("state %q, next attempt at %v", want.State, next)
	}
	return next.Sub(f.Now)
}

func TestJudgeEveryStatus(t *testing.T) {
	failed := retried(webhook.ReasonHTTPStatus)
	status := 100
	for _, row := range []struct {
		upTo int
		want webhook.Verdict
	}{
		{199, failed},
		{299, delivered},
		{409, failed},
		{410, gone},
		{599, failed},
	} {
		for ; status <= row.upTo; status++ {
			f := answered(status)
			delay := checkVerdict(t, f, webhook.Judge(defaults, f), row.want)
			if row.want.State == webhook.StateRetrying {
				checkBand(t, 5*time.Second, delay)
			}
			if t.Failed() {
				t.Fatalf("status %d", status)
			}
		}
	}
}

func TestJudgeEveryTransportReason(t *testing.T) {
	blocked := retried(webhook.ReasonBlocked)
	blocked.Blocked = 1
	interrupted := retried(webhook.ReasonInterrupted)
	interrupted.Counts = false
	for _, row := range []struct {
		reason webhook.Reason
		want   webhook.Verdict
	}{
		{webhook.ReasonTimeout, retried(webhook.ReasonTimeout)},
		{webhook.ReasonDNS, retried(webhook.ReasonDNS)},
		{webhook.ReasonConnect, retried(webhook.ReasonConnect)},
		{webhook.ReasonTLS, retried(webhook.ReasonTLS)},
		{webhook.ReasonReset, retried(webhook.ReasonReset)},
		{webhook.ReasonProtocol, retried(webhook.ReasonProtocol)},
		{webhook.ReasonBlocked, blocked},
		{webhook.ReasonInterrupted, interrupted},
	} {
		t.Run(string(row.reason), func(t *testing.T) {
			f := unanswered(row.reason)
			delay := checkVerdict(t, f, webhook.Judge(defaults, f), row.want)
			if !row.want.Counts {
				if delay != 0 {
					t.Errorf("again after %s, want at once", delay)
				}
				return
			}
			checkBand(t, 5*time.Second, delay)
		})
	}
}

// An answer may have begun before the transport failed: then the failure decides.
func TestJudgeReasonBeforeStatus(t *testing.T) {
	for _, status := range []int{200, 410, 500} {
		f := unanswered(webhook.ReasonTimeout)
		f.Response.Status = status
		checkVerdict(t, f, webhook.Judge(defaults, f), retried(webhook.ReasonTimeout))
	}
}

// The zero schedule is the default one, also for who never called WithDefaults.
func TestJudgeZeroSchedule(t *testing.T) {
	f := answered(500)
	f.Response.Header = after("7200")
	if delay := checkVerdict(t, f, webhook.Judge(webhook.Schedule{}, f), retried(webhook.ReasonHTTPStatus)); delay != 2*time.Hour {
		t.Errorf("again after %s", delay)
	}
}

// What ended well or for good does not ask how late it is.
func TestJudgeFinalWhateverTheLimits(t *testing.T) {
	s := defaults
	s.MaxAttempts = 3
	for status, want := range map[int]webhook.Verdict{204: delivered, 410: gone} {
		f := answered(status)
		f.Number, f.Blocked = 9, 2
		f.Now = publishedAt.Add(2 * s.MaxAge)
		f.ExpiresAt = publishedAt.Add(time.Second)
		checkVerdict(t, f, webhook.Judge(s, f), want)
	}
}
