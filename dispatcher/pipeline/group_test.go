package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/pipeline"
)

// item is what a caller wants: that its double is there.
type item struct{ n, double int }

func (i *item) do() { i.double = 2 * i.n }

// What comes while calls are under way is done by the next, and each gets its own.
func TestGroupGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		word, sizes := make(chan struct{}), make(chan int, 100)
		g := pipeline.NewGroup(2, 16, func(_ context.Context, all []*item) {
			sizes <- len(all)
			<-word
			for _, i := range all {
				i.do()
			}
		})
		var callers sync.WaitGroup
		ask := func(n int) {
			callers.Go(func() {
				own := &item{n: n}
				if err := g.Do(t.Context(), own); err != nil || own.double != 2*n {
					t.Errorf("%d: %d, %v", n, own.double, err)
				}
			})
			synctest.Wait()
		}
		for n := range 22 {
			ask(n)
		}
		if g.Waiting() != 20 {
			t.Errorf("%d wait", g.Waiting())
		}
		close(word)
		callers.Wait()
		if all := sent(sizes); !slices.Equal(all, []int{1, 1, 4, 16}) {
			t.Errorf("calls of %v", all)
		}
	})
}

// Who has ended before the call was made is never told that it was done.
func TestGroupTellsNobodyOfWhatWasNotDone(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	g := pipeline.NewGroup(2, 16, func(_ context.Context, all []*item) {
		for _, i := range all {
			i.do()
		}
	})
	var callers sync.WaitGroup
	for n := range 16 {
		callers.Go(func() {
			for i := range 5000 {
				ctx := ended
				if n%4 == 0 { // some are there whose call is made
					ctx = t.Context()
				}
				own := &item{n: i + 1}
				if err := g.Do(ctx, own); err == nil && own.double != 2*own.n {
					t.Error("told that it was done")
					return
				}
			}
		})
	}
	callers.Wait()
}

// A group that lingers has the first wait for those that come soon after, but not where the call is full before.
func TestGroupLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		var when []time.Duration
		began := time.Now()
		g := pipeline.NewGroup(1, 3, func(_ context.Context, all []*item) {
			sizes, when = append(sizes, len(all)), append(when, time.Since(began))
		})
		g.Linger(10 * time.Millisecond)
		var callers sync.WaitGroup
		for range 5 { // at 0, 4, 8, 12 and 16 ms
			callers.Go(func() { _ = g.Do(t.Context(), &item{}) })
			time.Sleep(4 * time.Millisecond)
		}
		callers.Wait()
		for range 7 { // at once
			callers.Go(func() { _ = g.Do(t.Context(), &item{}) })
		}
		callers.Wait()
		if !slices.Equal(sizes[:2], []int{3, 2}) || when[0] != 10*time.Millisecond || when[1] != 22*time.Millisecond {
			t.Errorf("calls of %v after %v", sizes, when)
		}
		if !slices.Equal(sizes[2:], []int{3, 3, 1}) || when[3] != when[2] || when[4] != when[3]+10*time.Millisecond { // the last waited
			t.Errorf("calls of %v after %v", sizes, when)
		}
	})
}

// sent are the numbers in a channel that nobody sends to any more, in order.
func sent(numbers chan int) (all []int) {
	close(numbers)
	for n := range numbers {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// Who leaves is not waited for, what was not begun for him is not begun, and the others are done.
func TestGroupLeavesBehindWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		word, seen := make(chan struct{}), make(chan int, 10)
		g := pipeline.NewGroup(1, 16, func(ctx context.Context, all []*item) {
			if ctx.Err() != nil {
				t.Error("the context has an end")
			}
			<-word
			for _, i := range all {
				seen <- i.n
			}
		})
		ctx, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() { _ = g.Do(ctx, &item{n: 1}) })
		synctest.Wait()
		callers.Go(func() {
			if err := g.Do(ctx, &item{n: 2}); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		callers.Go(func() { _ = g.Do(t.Context(), &item{n: 3}) })
		synctest.Wait()
		leave()
		synctest.Wait()
		close(word)
		callers.Wait()
		if all := sent(seen); !slices.Equal(all, []int{1, 3}) {
			t.Errorf("done: %v", all)
		}
	})
}

// A panic is an error of the item that it is about.
func TestGroupSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		word := make(chan struct{})
		g := pipeline.NewGroup(1, 16, func(_ context.Context, all []*item) {
			<-word
			for _, i := range all {
				if i.n == 3 {
					panic("a secret")
				}
				i.do()
			}
		})
		var callers sync.WaitGroup
		for n := range 6 {
			callers.Go(func() {
				own := &item{n: n}
				err := g.Do(t.Context(), own)
				if n == 3 && (!errors.Is(err, pipeline.ErrBroken) || err.Error() != "broken off by a panic: string") {
					t.Errorf("got %v", err)
				}
				if n != 3 && (err != nil || own.double != 2*n) {
					t.Errorf("%d: %d, %v", n, own.double, err)
				}
			})
			synctest.Wait()
		}
		close(word)
		callers.Wait()
	})
}
