package dispatcher

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// How often publishers look how full Redis is, and how long one of them waits for that.
const (
	lookEvery  = time.Second
	lookWithin = 500 * time.Millisecond
)

// gauge is how full the servers were when a publisher last looked.
type gauge struct {
	watermark float64
	servers   func(context.Context) ([]webhook.ServerInfo, error)

	mu     sync.Mutex
	looked time.Time
	full   error
}

// room returns an error that wraps [webhook.ErrFull] while a server is full up to the watermark. The first to ask after a
// second looks anew; others go by what was seen before.
func (g *gauge) room(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); now.Sub(g.looked) >= lookEvery {
		g.looked = now
		g.mu.Unlock()
		full, err := g.look(ctx)
		g.mu.Lock()
		if err == nil { // else Redis is away, as what follows will find
			g.full = full
		}
	}
	return g.full
}

func (g *gauge) look(ctx context.Context) (full, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	servers, err := g.servers(ctx)
	for _, s := range servers {
		if s.Full(g.watermark) {
			return fmt.Errorf("publish: %w: %d of %d bytes are in use, and it is refused from %g of them on", webhook.ErrFull,
				s.UsedMemory, s.MaxMemory, g.watermark), err
		}
	}
	return nil, err
}
