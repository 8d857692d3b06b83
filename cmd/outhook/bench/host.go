package bench

import (
	"context"
	"errors"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// host plays the role: a program that embeds outhook, publishes through the Go API and delivers.
func (c Child) host(ctx context.Context) error {
	d, closing, err := c.Dispatcher()
	if err != nil {
		return err
	}
	defer func() { _ = closing() }()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	known := orders{
		"endpoints": can(func(ctx context.Context, brands [][]subject) (none, error) {
			return none{}, createEndpoints(ctx, d, brands)
		}),
		"publish": can(func(ctx context.Context, l load) (published, error) {
			return publish(ctx, l, func(ctx context.Context, events []event) error { return publishGo(ctx, d, l, events) })
		}),
		"open":    can(func(ctx context.Context, brands []string) (int, error) { return openOf(ctx, d, brands) }),
		"profile": can(profileSelf()),
	}
	err = c.obey(ctx, known)
	cancel()
	return errors.Join(err, <-ended)
}

func createEndpoints(ctx context.Context, d *dispatcher.Dispatcher, brands [][]subject) error {
	for _, brand := range brands {
		for _, s := range brand {
			for i, url := range s.URLs {
				e := webhook.Endpoint{Brand: s.Brand, ID: endpointID(s.Endpoints[i]), URL: url, EventTypes: []string{s.Kind}}
				if _, _, err := d.CreateEndpoint(ctx, e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func publishGo(ctx context.Context, d *dispatcher.Dispatcher, l load, events []event) error {
	batch := make([]webhook.Event, len(events))
	for i, e := range events {
		batch[i] = webhook.Event{Brand: e.Brand, ID: e.id(), Type: e.Kind, Payload: l.Body}
	}
	results, err := d.PublishBatch(ctx, batch)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return err
}

// openOf is how many deliveries of the brands are not settled.
func openOf(ctx context.Context, d *dispatcher.Dispatcher, brands []string) (int, error) {
	open := 0
	for _, brand := range brands {
		h, err := d.BrandHealth(ctx, brand)
		if err != nil {
			return 0, err
		}
		open += h.InFlight + h.Waiting + h.Retrying
	}
	return open, nil
}
