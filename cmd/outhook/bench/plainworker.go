package bench

import (
	"context"
	"errors"

	"go.smobi.com/outhook/cmd/outhook/bench/plain"
	"go.smobi.com/outhook/signer"
)

// plainWork is what the worker of the plain program is told.
type plainWork struct {
	Redis             string
	Pool, Concurrency int
}

// plain plays the role: the worker of the plain program.
func (c Child) plain(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	work := func(_ context.Context, w plainWork) (none, error) {
		go func() { ended <- plain.Redis{Addr: w.Redis, Pool: w.Pool}.Work(ctx, w.Concurrency, signer.NewSecret()) }()
		return none{}, nil
	}
	started := false
	err := c.obey(ctx, orders{
		"work":    can(func(ctx context.Context, w plainWork) (none, error) { started = true; return work(ctx, w) }),
		"profile": can(profileSelf()),
	})
	cancel()
	if started {
		err = errors.Join(err, <-ended)
	}
	return err
}
