package webhook_test

import (
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// play makes one attempt after the other, as the dispatcher does: the verdict
// on each gives the number, the count and the time of the next. It answers the
// last verdict and when each attempt ended.
func play(s webhook.Schedule, responses ...webhook.Response) (v webhook.Verdict, at []time.Time) {
	f := webhook.Facts{Number: 1, OpenedAt: publishedAt, Now: publishedAt}
	for _, f.Response = range responses {
		f.Now = f.Now.Add(webhook.MaxTimeout)
		at = append(at, f.Now)
		v = webhook.Judge(s, f)
		if v.State != webhook.StateRetrying {
			break
		}
		if f.Blocked = v.Blocked; v.Counts {
			f.Number++
		}
		f.Now = v.NextAttemptAt.Add(webhook.QueueSlack)
	}
	return v, at
}

func TestJudgeBlockedInARow(t *testing.T) {
	blocked := webhook.Response{Reason: webhook.ReasonBlocked}
	interrupted := webhook.Response{Reason: webhook.ReasonInterrupted}
	timeout := webhook.Response{Reason: webhook.ReasonTimeout}
	failed := webhook.Response{Reason: webhook.ReasonOK, Status: 500}
	for _, row := range []struct {
		name      string
		responses []webhook.Response
		blocked   int
		dead      bool
	}{
		{"once", []webhook.Response{blocked}, 1, false},
		{"twice", []webhook.Response{blocked, blocked}, 2, false},
		{"three times", []webhook.Response{blocked, blocked, blocked}, 3, true},
		{"a timeout between", []webhook.Response{blocked, timeout, blocked, blocked}, 2, false},
		{"an answer between", []webhook.Response{blocked, blocked, failed, blocked}, 1, false},
		{"reset by the last", []webhook.Response{blocked, blocked, failed}, 0, false},
		{"late", []webhook.Response{failed, failed, timeout, blocked, blocked, blocked}, 3, true},
		{"interruptions do not count", []webhook.Response{interrupted, blocked, interrupted, blocked, interrupted}, 2, false},
		{"interruptions do not reset", []webhook.Response{blocked, interrupted, blocked, interrupted, blocked}, 3, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			v, at := play(defaults, row.responses...)
			if len(at) != len(row.responses) {
				t.Fatalf("ended after %d attempts: %+v", len(at), v)
			}
			if v.Blocked != row.blocked {
				t.Errorf("%d in a row, want %d", v.Blocked, row.blocked)
			}
			if dead := v.State == webhook.StateDead && v.DeathReason == webhook.DeathBlocked; dead != row.dead {
				t.Errorf("dead %t, want %t: %+v", dead, row.dead, v)
			}
		})
	}
}

// However long the intervals have grown, and although each attempt takes all
// its time and the queue is late: the third comes within an hour of the first.
func TestJudgeBlockedWithinTheHour(t *testing.T) {
	blocked := webhook.Response{Reason: webhook.ReasonBlocked}
	for _, s := range []webhook.Schedule{
		defaults,
		{InitialInterval: 9 * time.Hour},
		{InitialInterval: 10 * time.Hour, Multiplier: 1},
	} {
		for before := range 4 {
			responses := make([]webhook.Response, 2*before)
			for i := range responses {
				responses[i] = webhook.Response{Reason: webhook.ReasonConnect}
			}
			v, at := play(s.WithDefaults(), append(responses, blocked, blocked, blocked)...)
			if v.DeathReason != webhook.DeathBlocked || len(at) != 2*before+3 {
				t.Fatalf("after %d other attempts: %d attempts, %+v", 2*before, len(at), v)
			}
			if span := at[len(at)-1].Sub(at[len(at)-3]); span > time.Hour {
				t.Errorf("after %d other attempts the three span %s", 2*before, span)
			}
		}
	}
}
