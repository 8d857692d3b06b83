package redisstore

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// What lingers gives way to what is live: however many wait, a script does few of them, so that Redis lets others in between.
func TestTogetherLetsOthersInWhereItLingers(t *testing.T) {
	for name, linger := range map[string]time.Duration{"at once": 0, "lingering": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				largest, done := 0, 0
				work := newTogether(false, linger, func(_ context.Context, some []int) {
					mu.Lock()
					largest, done = max(largest, len(some)), done+len(some)
					mu.Unlock()
					time.Sleep(time.Millisecond) // what comes meanwhile shares the next
				})
				var all sync.WaitGroup
				for i := range 10 * lingerMost {
					all.Go(func() {
						if err := work.do(t.Context(), "test", i); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				if done != 10*lingerMost {
					t.Errorf("%d of %d are done", done, 10*lingerMost)
				}
				if lingers := linger > 0; lingers != (largest <= lingerMost) {
					t.Errorf("%d shared a script", largest)
				}
			})
		})
	}
}
