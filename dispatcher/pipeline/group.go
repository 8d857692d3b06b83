package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// ErrBroken is the error of an item whose work panicked. What the panic said is in the text only where the runtime said it: it
// holds no value of anybody's.
var ErrBroken = errors.New("broken off by a panic")

// Group has what many goroutines want done by one call for several of them: what is wanted while calls are under way is done by
// the next, all of it together. What a lone goroutine wants is done at once, unless the group lingers. Make one with [NewGroup];
// while nothing is wanted it has no goroutine.
type Group[T any] struct {
	do func(context.Context, []T)
	// flights is how many calls are under way at once, most what one does.
	flights, most int
	linger        time.Duration

	mu      sync.Mutex
	waiting []*flight[T] // only the last has room
	flying  int
}

// flight is what one call does, and for whom.
type flight[T any] struct {
	members []member[T]
	done    chan struct{}
}

// member is what one caller wants.
type member[T any] struct {
	ctx  context.Context // whose end leaves it behind, unless it is on its way
	item T
	err  error // may be read when the flight is done
}

// NewGroup returns a Group whose work is done by do, for 1 to most items a call, in up to flights calls at once. What became of an
// item, do writes into what the item points to; its context has the values of one of the callers', and no end. It may be called
// again for an item: when it panics, each is done by itself, so that one that is bad is nobody else's trouble.
func NewGroup[T any](flights, most int, do func(context.Context, []T)) *Group[T] {
	return &Group[T]{do: do, flights: flights, most: most}
}

// Linger has a call that is not full wait up to so long for more to come. It is called before the first Do.
func (g *Group[T]) Linger(d time.Duration) { g.linger = d }

// Do has the item done and returns when it is, with [ErrBroken] if it was not, or with ctx's error when ctx has ended: then what
// is on its way may still be done, and nobody may read what it points to; the rest is not begun any more.
func (g *Group[T]) Do(ctx context.Context, item T) error {
	f, place := g.book(member[T]{ctx: ctx, item: item})
	if ctx.Done() == nil { // a select would look at the channel, which all share, once more
		<-f.done
		return f.members[place].err
	}
	select {
	case <-f.done:
		return f.members[place].err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// book gives a member a place in the last flight that waits.
func (g *Group[T]) book(m member[T]) (f *flight[T], place int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := len(g.waiting) - 1; last >= 0 && len(g.waiting[last].members) < g.most {
		f = g.waiting[last]
	} else {
		f = &flight[T]{done: make(chan struct{})}
		g.waiting = append(g.waiting, f)
	}
	f.members = append(f.members, m)
	if g.flying < g.flights {
		g.flying++
		go g.fly()
	}
	return f, len(f.members) - 1
}

// Waiting is how many callers wait for the next call.
func (g *Group[T]) Waiting() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.waiting {
		n += len(f.members)
	}
	return n
}

// fly does what waits until nothing does.
func (g *Group[T]) fly() {
	for {
		if g.linger > 0 && g.hasRoom() {
			time.Sleep(g.linger)
		}
		f := g.next()
		if f == nil {
			return
		}
		g.call(f.members)
		close(f.done)
	}
}

// hasRoom tells whether somebody waits whose flight is not full.
func (g *Group[T]) hasRoom() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting) > 0 && len(g.waiting[0].members) < g.most
}

// next is the flight that leaves now: nobody has a place in it after that. nil: there is none.
func (g *Group[T]) next() *flight[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.waiting = nil
		g.flying--
		return nil
	}
	f := g.waiting[0]
	g.waiting = g.waiting[1:]
	return f
}

// call does what is wanted, but for those who left: what a call was too slow for is not to keep it from what is waited for.
func (g *Group[T]) call(members []member[T]) {
	batch := make([]*member[T], 0, len(members))
	for i := range members {
		m := &members[i]
		if m.err = m.ctx.Err(); m.err == nil { // else it may see done before it sees its own end
			batch = append(batch, m)
		}
	}
	if len(batch) == 0 {
		return
	}
	err := g.try(batch)
	for _, m := range batch {
		if m.err = err; err != nil && len(batch) > 1 {
			m.err = g.try([]*member[T]{m})
		}
	}
}

// try is one call of do.
func (g *Group[T]) try(batch []*member[T]) (err error) {
	defer func() {
		switch value := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("%w: %w", ErrBroken, value)
		default:
			err = fmt.Errorf("%w: %T", ErrBroken, value)
		}
	}()
	items := make([]T, len(batch))
	for i, m := range batch {
		items[i] = m.item
	}
	g.do(context.WithoutCancel(batch[0].ctx), items)
	return nil
}
