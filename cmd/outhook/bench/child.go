package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"go.smobi.com/outhook/dispatcher"
)

// maxOrder bounds one line between bench and its processes, in bytes: the times of all events of a run.
const maxOrder = 64 << 20

// order is one line to a process of our own; answer is the one that comes back.
type order struct {
	Do   string          `json:"do"`
	Args json.RawMessage `json:"args,omitempty"`
}

type answer struct {
	Error string          `json:"error,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// none is the argument, or the answer, of what has none.
type none struct{}

// orders are what a process can do, by name.
type orders map[string]func(ctx context.Context, args json.RawMessage) (any, error)

// can makes an order of a function with an argument of its own type.
func can[A, R any](do func(context.Context, A) (R, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, args json.RawMessage) (any, error) {
		var in A
		if err := json.Unmarshal(args, &in); err != nil {
			return nil, err
		}
		return do(ctx, in)
	}
}

// Child is one process of a run: it does what the lines of in order, until there are no more or ctx ends.
type Child struct {
	In  io.Reader
	Out io.Writer
	// Dispatcher makes that of an embedding host; only the role "host" asks for it.
	Dispatcher func() (*dispatcher.Dispatcher, func() error, error)
}

// Run plays a role: receiver, publisher, plain or host. Errors: a role that there is not, an order that cannot be read.
func (c Child) Run(ctx context.Context, role string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	switch role {
	case "receiver":
		return c.receiver(ctx)
	case "publisher":
		return c.publisher(ctx)
	case "plain":
		return c.plain(ctx)
	case "host":
		return c.host(ctx)
	}
	return fmt.Errorf("role %q: must be receiver, publisher, plain or host", role)
}

// obey answers orders, one after the other.
func (c Child) obey(ctx context.Context, known orders) error {
	lines := bufio.NewScanner(c.In)
	lines.Buffer(nil, maxOrder)
	for lines.Scan() && ctx.Err() == nil {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return fmt.Errorf("order: %w", err)
		}
		do, ok := known[o.Do]
		if !ok {
			return fmt.Errorf("order %q: is unknown", o.Do)
		}
		value, err := do(ctx, o.Args)
		if err := c.reply(value, err); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (c Child) reply(value any, failed error) error {
	var a answer
	var err error
	if failed != nil {
		a.Error = failed.Error()
	} else if a.Value, err = json.Marshal(value); err != nil {
		return err
	}
	return json.NewEncoder(c.Out).Encode(a)
}
