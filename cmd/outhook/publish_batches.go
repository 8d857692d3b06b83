package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Bounds of a batch: the defaults of limits.batchEvents and limits.requestBytes. A server with lower ones refuses a batch,
// which is then halved.
const (
	batchEvents = 500
	batchBytes  = 8 << 20
	// envelope is more than what stands around a payload, its id and type aside.
	envelope = 128
)

// lineSummary is what became of the lines.
type lineSummary struct {
	Published  int `json:"published"`
	Duplicates int `json:"duplicates"` // of those published, known before
	Deliveries int `json:"deliveries"`
	Refused    int `json:"refused"`
}

// linePublisher sends lines in batches and keeps count.
type linePublisher struct {
	client   *httpapi.Client
	api      *apiFlags
	brand    string
	retryFor time.Duration
	progress *progress
	refuse   func(error)
	sum      lineSummary
	// answered tells a server that is away for a moment from an address where none is.
	answered bool
}

func (f *publishFlags) publishLines(cmd *cobra.Command, client *httpapi.Client) error {
	stderr := cmd.ErrOrStderr()
	bar := newProgress(cmd.InOrStdin(), stderr)
	p := &linePublisher{client: client, api: &f.api, brand: f.brand, retryFor: f.retryFor, progress: bar}
	p.refuse = func(err error) {
		bar.clear()
		report(stderr, topic(cmd), err)
	}
	err := p.publish(cmd.Context(), newLineReader(f.brand, cmd.InOrStdin()))
	bar.finish()
	if printed := p.sum.print(cmd.OutOrStdout(), f.form); printed != nil {
		return errors.Join(err, printed)
	}
	switch {
	case err != nil:
		return err
	case p.sum.Refused > 0:
		return fmt.Errorf("lines refused: %d", p.sum.Refused)
	}
	return nil
}

func (s lineSummary) print(out io.Writer, form outputForm) error {
	if form == formJSON {
		return json.NewEncoder(out).Encode(s)
	}
	_, err := fmt.Fprintf(out, "events published: %d (known before: %d), deliveries: %d, lines refused: %d\n",
		s.Published, s.Duplicates, s.Deliveries, s.Refused)
	return err
}

// publish sends everything that can be read.
func (p *linePublisher) publish(ctx context.Context, in *lineReader) error {
	var batch []eventLine
	size := 0
	for {
		line, err := in.next()
		if err != nil {
			if sent := p.send(ctx, batch); sent != nil || errors.Is(err, io.EOF) {
				return sent
			}
			return fmt.Errorf("read stdin after line %d: %w", in.count, err)
		}
		if line.err != nil {
			p.refused(line, line.err)
			continue
		}
		if len(batch) == batchEvents || size+line.size() > batchBytes {
			if err := p.send(ctx, batch); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
		batch, size = append(batch, line), size+line.size()
	}
}

// size is at least what the event takes of a request.
func (l eventLine) size() int {
	return len(l.event.Payload) + len(l.event.ID) + 6*len(l.event.Type) + envelope // a character may be escaped
}

// send publishes a batch. One that the server refuses as a whole goes in halves, until the lines to blame are found.
func (p *linePublisher) send(ctx context.Context, batch []eventLine) error {
	if len(batch) == 0 {
		return nil
	}
	results, err := p.repeat(ctx, batch)
	switch {
	case err == nil:
		p.tally(batch, results)
	case !errors.Is(err, webhook.ErrInvalid):
		return fmt.Errorf("line %d and after: %w", batch[0].number, p.api.explain(err))
	case len(batch) == 1:
		p.refused(batch[0], ruleOf(err, "body.events[0]."))
	default:
		half := len(batch) / 2
		if err := p.send(ctx, batch[:half]); err != nil {
			return err
		}
		return p.send(ctx, batch[half:])
	}
	return nil
}

// repeat publishes a batch once more while the server cannot take it.
func (p *linePublisher) repeat(ctx context.Context, batch []eventLine) ([]httpapi.BatchResult, error) {
	events := make([]httpapi.PublishRequest, len(batch))
	for i, line := range batch {
		events[i] = line.event
	}
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(200*time.Millisecond),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(p.retryFor))
	for {
		results, err := p.client.PublishBatch(ctx, p.brand, events)
		problem, refused := errors.AsType[*httpapi.Problem](err)
		p.answered = p.answered || err == nil || refused
		if !errors.Is(err, webhook.ErrUnavailable) || !p.answered || p.retryFor == 0 || ctx.Err() != nil {
			return results, err
		}
		wait := pauses.NextBackOff()
		if wait == backoff.Stop {
			return nil, err
		}
		if refused {
			wait = max(wait, min(problem.RetryAfter, p.retryFor))
		}
		if !pause(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

func (p *linePublisher) tally(batch []eventLine, results []httpapi.BatchResult) {
	for i, r := range results {
		if r.Error != nil {
			p.refused(batch[i], ruleOf(r.Error, fmt.Sprintf("body.events[%d].", i)))
			continue
		}
		p.sum.Published++
		p.sum.Deliveries += len(r.Deliveries)
		if r.Duplicate {
			p.sum.Duplicates++
		}
		p.progress.add(batch[i].bytes, p.sum.Published)
	}
}

func (p *linePublisher) refused(l eventLine, err error) {
	p.sum.Refused++
	p.progress.add(l.bytes, p.sum.Published)
	p.refuse(fmt.Errorf("line %d: %w", l.number, err))
}
