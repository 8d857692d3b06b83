package webhook_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// band is where a delay of the default jitter may lie: 20 % around interval,
// with room for the queue at the upper edge, as far as there is any.
func band(interval time.Duration) (earliest, latest time.Duration) {
	earliest = interval / 10 * 8
	return earliest, max(earliest, interval/10*12-webhook.QueueSlack)
}

func checkBand(t *testing.T, interval, delay time.Duration) {
	t.Helper()
	if earliest, latest := band(interval); delay < earliest || delay > latest {
		t.Errorf("again after %s, outside %s to %s", delay, earliest, latest)
	}
}

func TestScheduleDefaults(t *testing.T) {
	want := webhook.Schedule{InitialInterval: 5 * time.Second, Multiplier: 4, MaxInterval: 10 * time.Hour, Jitter: 0.2, MaxAge: 75 * time.Hour}
	if defaults != want {
		t.Errorf("got %+v, want %+v", defaults, want)
	}
	own := webhook.Schedule{InitialInterval: 1, Multiplier: 2, MaxInterval: 3, Jitter: 0.4, MaxAge: 5, MaxAttempts: 6}
	if got := own.WithDefaults(); got != own {
		t.Errorf("%+v became %+v", own, got)
	}
}

func TestScheduleValidate(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, row := range []struct {
		field string // "" = valid
		s     webhook.Schedule
	}{
		{"", webhook.Schedule{}},
		{"", defaults},
		{"", webhook.Schedule{InitialInterval: 1}},
		{"", webhook.Schedule{InitialInterval: time.Hour, MaxInterval: time.Hour}},
		{"", webhook.Schedule{Multiplier: 1}},
		{"", webhook.Schedule{Multiplier: math.MaxFloat64}},
		{"", webhook.Schedule{Jitter: 0.999}},
		{"", webhook.Schedule{MaxAge: 1}},
		{"", webhook.Schedule{MaxAttempts: 1}},
		{"retry.initialInterval", webhook.Schedule{InitialInterval: -1}},
		{"retry.multiplier", webhook.Schedule{Multiplier: 0.999}},
		{"retry.multiplier", webhook.Schedule{Multiplier: -4}},
		{"retry.multiplier", webhook.Schedule{Multiplier: nan}},
		{"retry.multiplier", webhook.Schedule{Multiplier: inf}},
		{"retry.maxInterval", webhook.Schedule{MaxInterval: -1}},
		{"retry.maxInterval", webhook.Schedule{MaxInterval: 4 * time.Second}},
		{"retry.maxInterval", webhook.Schedule{InitialInterval: 11 * time.Hour}},
		{"retry.jitter", webhook.Schedule{Jitter: -0.2}},
		{"retry.jitter", webhook.Schedule{Jitter: 1}},
		{"retry.jitter", webhook.Schedule{Jitter: nan}},
		{"retry.jitter", webhook.Schedule{Jitter: inf}},
		{"retry.maxAge", webhook.Schedule{MaxAge: -1}},
		{"retry.maxAttempts", webhook.Schedule{MaxAttempts: -1}},
	} {
		if err := row.s.Validate(); fieldOf(t, err) != row.field {
			t.Errorf("%+v: got %v, want the field %q", row.s, err, row.field)
		}
	}
}

var defaultIntervals = []time.Duration{5 * time.Second, 20 * time.Second, 80 * time.Second, 320 * time.Second, 1280 * time.Second,
	5120 * time.Second, 20480 * time.Second, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour}

func TestScheduleBand(t *testing.T) {
	for i, interval := range defaultIntervals {
		least, most := time.Duration(math.MaxInt64), time.Duration(0)
		for range 5000 {
			delay := defaults.Delay(i + 1)
			least, most = min(least, delay), max(most, delay)
		}
		checkBand(t, interval, least)
		checkBand(t, interval, most)
		earliest, latest := band(interval)
		if room := (latest - earliest) / 10; least > earliest+room || most < latest-room {
			t.Errorf("attempt %d: from %s to %s does not fill the band %s to %s", i+1, least, most, earliest, latest)
		}
	}
}

// Where the jitter is less than the queue's slack the lower edge stands.
func TestScheduleTinyIntervals(t *testing.T) {
	for _, initial := range []time.Duration{10, time.Millisecond, time.Second, 4 * time.Second, 5 * time.Second, 6 * time.Second} {
		s := webhook.Schedule{InitialInterval: initial, Multiplier: 2}.WithDefaults()
		interval := initial
		for number := range 10 {
			for range 1000 {
				checkBand(t, interval, s.Delay(number+1))
			}
			interval *= 2
		}
	}
	s := webhook.Schedule{InitialInterval: 1, MaxInterval: 1}.WithDefaults()
	if delay := s.Delay(1); delay < 0 || delay > 1 {
		t.Errorf("again after %s", delay)
	}
}

func TestScheduleJitterWidth(t *testing.T) {
	for jitter, edges := range map[float64][2]time.Duration{
		0.01: {99 * time.Minute, 101*time.Minute - webhook.QueueSlack},
		0.5:  {50 * time.Minute, 150*time.Minute - webhook.QueueSlack},
		0.99: {time.Minute, 199*time.Minute - webhook.QueueSlack},
	} {
		s := webhook.Schedule{InitialInterval: 100 * time.Minute, Jitter: jitter}.WithDefaults()
		for range 5000 {
			if delay := s.Delay(1); delay < edges[0]-1 || delay > edges[1]+1 { // a nanosecond for the binary fraction
				t.Fatalf("jitter %g: again after %s, outside %s", jitter, delay, edges)
			}
		}
	}
}

func TestScheduleMultiplierOne(t *testing.T) {
	s := webhook.Schedule{InitialInterval: time.Minute, Multiplier: 1}.WithDefaults()
	for _, number := range []int{1, 2, 3, 1000, math.MaxInt} {
		for range 100 {
			checkBand(t, time.Minute, s.Delay(number))
		}
	}
}

// The cost of a delay does not grow with the number of the attempt, and no
// combination of numbers overflows: all of these are past the cap.
func TestScheduleHugeNumbers(t *testing.T) {
	for _, multiplier := range []float64{math.Nextafter(1, 2), 1.000_000_001, 1.5, 4, math.MaxFloat64} {
		for _, longest := range []time.Duration{5 * time.Second, 10 * time.Hour, math.MaxInt64} {
			s := webhook.Schedule{Multiplier: multiplier, MaxInterval: longest}.WithDefaults()
			for _, number := range []int{1 << 60, math.MaxInt} {
				earliest, _ := band(longest)
				if delay := s.Delay(number); delay < earliest {
					t.Errorf("multiplier %g, at most %s: again after %s", multiplier, longest, delay)
				}
			}
		}
	}
	checkBand(t, 10*time.Hour, defaults.Delay(math.MaxInt))
}

func TestScheduleZeroValue(t *testing.T) {
	var zero webhook.Schedule
	checkBand(t, 5*time.Second, zero.Delay(1))
	checkBand(t, 10*time.Hour, zero.Delay(9))
	if zero.Overdue(publishedAt, publishedAt.Add(75*time.Hour-1)) || !zero.Overdue(publishedAt, publishedAt.Add(75*time.Hour)) {
		t.Error("not overdue at 75 h exactly")
	}
}

func TestScheduleOverdue(t *testing.T) {
	s := webhook.Schedule{MaxAge: time.Hour}.WithDefaults()
	for age, want := range map[time.Duration]bool{
		-time.Hour:    false, // a clock that is behind
		0:             false,
		time.Hour - 1: false,
		time.Hour:     true,
		time.Hour + 1: true,
	} {
		if got := s.Overdue(publishedAt, publishedAt.Add(age)); got != want {
			t.Errorf("overdue at %s: %t", age, got)
		}
	}
}

// About 14 attempts in 75 h, when every one fails at once.
func TestScheduleAttemptsUntilMaxAge(t *testing.T) {
	failed := webhook.Response{Status: 500, Reason: webhook.ReasonOK}
	var counts []int
	for range 501 {
		f := webhook.Facts{Response: failed, Number: 1, OpenedAt: publishedAt, Now: publishedAt}
		v := webhook.Judge(defaults, f)
		for v.State == webhook.StateRetrying {
			if !v.NextAttemptAt.Before(publishedAt.Add(75 * time.Hour)) {
				t.Fatalf("attempt %d would start %s after the publish", f.Number+1, v.NextAttemptAt.Sub(publishedAt))
			}
			f.Number, f.Now = f.Number+1, v.NextAttemptAt
			v = webhook.Judge(defaults, f)
		}
		checkVerdict(t, f, v, deadOf(webhook.ReasonHTTPStatus, webhook.DeathMaxAge))
		counts = append(counts, f.Number)
	}
	slices.Sort(counts)
	if least, median, most := counts[0], counts[len(counts)/2], counts[len(counts)-1]; least < 13 || median != 14 || most > 16 {
		t.Errorf("from %d to %d attempts, half of them over %d; want 13 to 16, about 14", least, most, median)
	}
}
