package dispatcher_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// TestHistoryMakesRoom squeezes a Redis with much history until all kinds of it go, while events are published.
func TestHistoryMakesRoom(t *testing.T) {
	t.Parallel()
	f := newFilled(t, either(6000, 1500))
	stop := f.publishing(300)
	f.use(60)
	f.looks(5)
	if got := f.d.HistoryDropped(); len(got) > 0 || f.dropped() > 0 {
		t.Fatalf("dropped below the watermark: %v", got)
	}
	counted := map[string]int{}
	for _, kind := range []string{"response", "attempt", "event"} {
		for counted[kind] == 0 {
			most := f.use(74)
			dispatchertest.Eventually(t, func() bool { return inUse(t, f.admin) < most*70/100 })
			before := counted
			counted = f.d.HistoryDropped()
			t.Logf("%d of %d bytes in use, dropped %v", inUse(t, f.admin), most, counted)
			if kind == "response" && counted["attempt"] > 0 && before["response"] == 0 && f.answers() > 0 {
				t.Fatal("attempts went before the answers to them")
			}
			if counted["event"] > 0 && f.attempts() > 500 {
				t.Fatalf("events went before %d attempts", f.attempts())
			}
		}
	}
	f.wantKept()
	n := f.dropped()
	if counted = f.d.HistoryDropped(); n == 0 || n > counted["event"] {
		t.Errorf("%d events of history are markers, %d were counted", n, counted["event"])
	}
	if n := f.log.count("history was dropped"); n != 1 {
		t.Errorf("said %d times that history was dropped, want once a minute", n)
	}
	if n := stop(); n < 100 {
		t.Errorf("%d events were published meanwhile", n)
	}
	f.looks(3) // what is dropped late is not open either
	f.wantKept()
}

// TestTheOldestGoesFirst, whichever brand it is of.
func TestTheOldestGoesFirst(t *testing.T) {
	t.Parallel()
	f := newFilled(t, 0)
	for b := range filledBrands { // each brand's answers are of some hours, the first brand's of the last ones
		key, err := f.admin.Keys(t.Context(), "oh:*:p:"+brandNamed(b)+":a").Result()
		f.must(err)
		stream := strings.Replace(key[0], ":p:", ":h:", 1)
		for i := range 100 {
			at := time.Now().Add(-time.Duration(b+1) * 10 * time.Hour).Add(time.Duration(i) * 6 * time.Minute)
			f.must(f.admin.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, ID: fmt.Sprint(at.UnixMilli()), Values: []string{"h", strings.Repeat("x", 16<<10)}}).Err())
		}
	}
	left := func(b int) int {
		key, err := f.admin.Keys(t.Context(), "oh:*:h:"+brandNamed(b)+":a").Result()
		f.must(err)
		return int(f.admin.XLen(t.Context(), key[0]).Val())
	}
	most := 0
	dispatchertest.Eventually(t, func() bool {
		if dropped := f.d.HistoryDropped()["response"]; most > 0 && dropped > 0 {
			return inUse(t, f.admin) < most*70/100
		}
		most = f.use(72) // once more, as what the filling took for a moment is given back
		f.looks(3)
		return false
	})
	t.Log(left(0), left(1), left(2), f.d.HistoryDropped())
	if left(0) != 100 || left(1) != 100 || left(2) == 100 || left(2) == 0 {
		t.Errorf("of 100 answers each brand has %d, %d and %d, the last of which are the oldest", left(0), left(1), left(2))
	}
}

// TestPublishedBeyondRoom publishes more than a Redis has room for, to endpoints some of which fail.
func TestPublishedBeyondRoom(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFilled(t, 2000)
	r := f.d.Receiver(t, brandNamed(0), webhook.PurposeStatus)
	var n atomic.Int64
	r.Answer(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, strings.Repeat("sorry ", 500))
		}
	})
	most := f.use(60)
	stop := f.publishing(4 << 10)
	highest := 0
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		highest = max(highest, inUse(t, f.admin))
	}
	t.Logf("published %d; at most %d of %d bytes; dropped %v; told %d times", stop(), highest, most, f.d.HistoryDropped(), f.log.count("history was dropped"))
	if highest > most*85/100 {
		t.Errorf("%d of %d bytes were in use", highest, most)
	}
	if told := f.log.count("history was dropped"); told < 2 || told > 6 {
		t.Errorf("told %d times in five minutes", told)
	}
	if f.d.HistoryDropped()["event"] == 0 || f.dropped() == 0 {
		t.Errorf("dropped %v", f.d.HistoryDropped())
	}
	f.wantKept()
}
