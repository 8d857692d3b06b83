package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// lookAgain is the pause between two looks at what the API says of the samples.
const lookAgain = 20 * time.Millisecond

// lookWithin bounds one look.
const lookWithin = 2 * time.Second

var (
	errNotVerified = errors.New("arrived, but does not verify")
	errNotSame     = errors.New("arrived, verified, but is not what was published, byte for byte")
)

// sampleCheck holds what a receiver got against the samples. A sample is done
// when it arrived, verified and byte for byte as published, and the API says
// that it is delivered. Safe for concurrent use.
type sampleCheck struct {
	samples []sample

	mu sync.Mutex
	// arrived samples, by id.
	arrived map[string]bool
	// damaged is the first thing wrong with anything that arrived. It is never
	// taken back, although a later attempt may be sound.
	damaged error
}

func newSampleCheck(samples []sample) *sampleCheck {
	return &sampleCheck{samples: samples, arrived: map[string]bool{}}
}

// note takes what a receiver got. What is none of the samples only has to verify.
func (c *sampleCheck) note(a arrival) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.compare(a); err != nil {
		if c.damaged == nil {
			c.damaged = fmt.Errorf("%s: %w", printable(a.kind(), maxShownHeader), err)
		}
		return
	}
	c.arrived[a.id()] = true
}

func (c *sampleCheck) compare(a arrival) error {
	if a.err != nil {
		return fmt.Errorf("%w: %w", errNotVerified, a.err)
	}
	for _, s := range c.samples {
		if s.id == a.id() && (s.kind != a.kind() || !bytes.Equal(s.payload, a.body)) {
			return errNotSame
		}
	}
	return nil
}

// await returns nil once all samples are done, or says which are not when ctx
// ended or something damaged arrived.
func (c *sampleCheck) await(ctx context.Context, api *httpapi.Client, brand string) error {
	for {
		missing := c.missing(ctx, api, brand)
		switch damaged := c.damage(); {
		case damaged != nil:
			return damaged
		case len(missing) == 0:
			return nil
		case !pause(ctx, lookAgain):
			return fmt.Errorf("%d of %d samples missing: %s", len(missing), len(c.samples), strings.Join(missing, "; "))
		}
	}
}

// missing says of every sample that is not done how it stands. The look is
// finished although ctx ends meanwhile: what is said last must be true.
func (c *sampleCheck) missing(ctx context.Context, api *httpapi.Client, brand string) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
	defer cancel()
	var missing []string
	for _, s := range c.samples {
		if why := c.stands(ctx, api, brand, s); why != "" {
			missing = append(missing, s.kind+" "+why)
		}
	}
	return missing
}

// stands is empty when the sample is done.
func (c *sampleCheck) stands(ctx context.Context, api *httpapi.Client, brand string, s sample) string {
	var parts []string
	if !c.got(s.id) {
		parts = append(parts, "did not arrive")
	}
	event, err := api.Event(ctx, brand, s.id)
	switch {
	case err != nil:
		parts = append(parts, err.Error())
	case len(event.Deliveries) != 1:
		parts = append(parts, fmt.Sprintf("has %d deliveries", len(event.Deliveries)))
	case event.Deliveries[0].State != string(webhook.StateDelivered):
		parts = append(parts, "is "+event.Deliveries[0].State+lastAttempt(ctx, api, brand, s.id))
	}
	return strings.Join(parts, ", ")
}

// lastAttempt says what came of the latest attempt, and nothing when there was none.
func lastAttempt(ctx context.Context, api *httpapi.Client, brand, id string) string {
	attempts, err := api.Attempts(ctx, brand, httpapi.AttemptQuery{EventID: id, Page: httpapi.Page{Limit: 1}})
	if err != nil || len(attempts.Items) == 0 {
		return ""
	}
	last := attempts.Items[0]
	if last.Status != nil {
		return fmt.Sprintf(" (attempt %d: status %d)", last.Number, *last.Status)
	}
	return fmt.Sprintf(" (attempt %d: %s)", last.Number, last.Reason)
}

func (c *sampleCheck) got(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.arrived[id]
}

func (c *sampleCheck) damage() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.damaged
}
