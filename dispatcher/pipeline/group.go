package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// ErrBroken is the error of an item whose work panicked. What the panic said is in the text only where the runtime said it: it
// holds no value of anybody's.
var ErrBroken = errors.New("broken off by a panic")

// Group has what many goroutines want done by one call for several of them: what is wanted while calls are under way is done by
// the next, all of it together. What a lone goroutine wants is done at once. Make one with [NewGroup]; while nothing is wanted it
// has no goroutine.
type Group[T any] struct {
	do func(context.Context, []T)
	// flights is how many calls are under way at once, most what one does.
	flights, most int

	mu      sync.Mutex
	waiting []*member[T]
	flying  int
}

// member is what one caller wants.
type member[T any] struct {
	ctx  context.Context // whose end leaves it behind, unless it is on its way
	item T
	err  error
	done chan struct{}
}

// NewGroup returns a Group whose work is done by do, for 1 to most items a call, in up to flights calls at once. What became of an
// item, do writes into what the item points to; its context has the values of one of the callers', and no end. It may be called
// again for an item: when it panics, each is done by itself, so that one that is bad is nobody else's trouble.
func NewGroup[T any](flights, most int, do func(context.Context, []T)) *Group[T] {
	return &Group[T]{do: do, flights: flights, most: most}
}

// Do has the item done and returns when it is, with [ErrBroken] if it was not, or with ctx's error when ctx has ended: then what
// is on its way may still be done, and nobody may read what it points to; the rest is not begun any more.
func (g *Group[T]) Do(ctx context.Context, item T) error {
	own := &member[T]{ctx: ctx, item: item, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, own)
	if g.flying < g.flights {
		g.flying++
		go g.fly()
	}
	g.mu.Unlock()
	select {
	case <-own.done:
		return own.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Waiting is how many callers wait for the next call.
func (g *Group[T]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// fly does what waits until nothing does.
func (g *Group[T]) fly() {
	for {
		batch := g.board()
		if len(batch) == 0 {
			return
		}
		// What a call was too slow for is not to keep it from what is waited for.
		g.call(slices.DeleteFunc(batch, func(m *member[T]) bool { return m.ctx.Err() != nil }))
	}
}

// board answers who goes with the next call; nobody: there is none.
func (g *Group[T]) board() []*member[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	batch := g.waiting[:min(len(g.waiting), g.most)]
	g.waiting = g.waiting[len(batch):]
	if len(batch) == 0 {
		g.waiting = nil
		g.flying--
	}
	return batch
}

func (g *Group[T]) call(batch []*member[T]) {
	if len(batch) == 0 {
		return
	}
	err := g.try(batch)
	for _, m := range batch {
		if m.err = err; err != nil && len(batch) > 1 {
			m.err = g.try([]*member[T]{m})
		}
		close(m.done)
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
