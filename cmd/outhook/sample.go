package main

import (
	"context"
	"fmt"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// sample is an event of the catalogue as dev publishes it: one of each type of the platform.
type sample struct {
	id, kind string
	payload  []byte
}

// newSamples returns a sample of every type that the platform publishes, each under a new id.
func newSamples() ([]sample, error) {
	types, err := catalog.New(catalog.Config{})
	if err != nil {
		return nil, err
	}
	var all []sample
	for _, t := range types.Types() {
		if t.Group != catalog.GroupOperational {
			all = append(all, sample{id: webhook.NewID(webhook.EventPrefix), kind: t.Name, payload: t.Example})
		}
	}
	return all, nil
}

// publishSamples publishes one after the other through the API.
func publishSamples(ctx context.Context, api *httpapi.Client, brand string, all []sample) error {
	for _, s := range all {
		receipt, err := api.Publish(ctx, brand, httpapi.PublishRequest{ID: s.id, Type: s.kind, Payload: s.payload})
		if err != nil {
			return fmt.Errorf("publish %s: %w", s.kind, err)
		}
		if len(receipt.Deliveries) != 1 {
			return fmt.Errorf("publish %s: goes to %d endpoints, want 1", s.kind, len(receipt.Deliveries))
		}
	}
	return nil
}
