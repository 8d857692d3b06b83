package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.smobi.com/outhook/cmd/outhook/bench/plain"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/signer"
)

// publisher plays the role: it publishes on every road but that of a host, which publishes itself.
func (c Child) publisher(ctx context.Context) error {
	return c.obey(ctx, orders{
		"publish": can(func(ctx context.Context, l load) (published, error) {
			send, closing, err := l.sender()
			if err != nil {
				return published{}, err
			}
			defer closing()
			return publish(ctx, l, send)
		}),
	})
}

// sender returns how a load is published, and what closes its connections.
func (l load) sender() (sendFunc, func(), error) {
	switch l.Road {
	case roadRaw:
		client, closing := l.httpClient()
		secret := signer.NewSecret()
		return func(ctx context.Context, events []event) error { return l.post(ctx, client, secret, events) }, closing, nil
	case roadPlain:
		publisher := plain.Redis{Addr: l.Redis, Pool: l.Pool}.NewPublisher()
		return func(ctx context.Context, events []event) error { return l.enqueue(ctx, publisher, events) }, func() { _ = publisher.Close() }, nil
	case roadBatch, roadSingle:
		hc, closing := l.httpClient()
		client, err := httpapi.NewClient(l.Server, l.Key, hc)
		if l.Road == roadSingle {
			return func(ctx context.Context, events []event) error { return l.single(ctx, client, events) }, closing, err
		}
		return func(ctx context.Context, events []event) error { return l.batched(ctx, client, events) }, closing, err
	}
	return nil, nil, fmt.Errorf("road %q: is not a publisher's", l.Road)
}

func (l load) httpClient() (*http.Client, func()) {
	transport := &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 1024, DisableCompression: true}
	return &http.Client{Timeout: plain.Timeout, Transport: transport}, transport.CloseIdleConnections
}

// post is what a delivery costs if nothing is kept: the same request, straight to the receiver.
func (l load) post(ctx context.Context, client *http.Client, secret signer.Secret, events []event) error {
	for _, e := range events {
		for _, url := range e.URLs {
			if err := postOne(ctx, client, secret, url, e.id(), l.Body); err != nil {
				return err
			}
		}
	}
	return nil
}

func postOne(ctx context.Context, client *http.Client, secret signer.Secret, url, id string, body []byte) error {
	now := time.Now()
	signature, err := signer.Sign(id, now, body, secret)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {id},
		"Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {signature},
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", response.Status)
	}
	return err
}

func (l load) enqueue(ctx context.Context, publisher plain.Publisher, events []event) error {
	for _, e := range events {
		for _, url := range e.URLs {
			if err := publisher.Publish(ctx, plain.Webhook{ID: e.id(), URL: url, Body: l.Body}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l load) single(ctx context.Context, client *httpapi.Client, events []event) error {
	for _, e := range events {
		if _, err := client.Publish(ctx, e.Brand, l.request(e)); err != nil {
			return err
		}
	}
	return nil
}

func (l load) request(e event) httpapi.PublishRequest {
	return httpapi.PublishRequest{ID: e.id(), Type: e.Kind, Payload: l.Body}
}

func (l load) batched(ctx context.Context, client *httpapi.Client, events []event) error {
	requests := make([]httpapi.PublishRequest, len(events))
	for i, e := range events {
		requests[i] = l.request(e)
	}
	results, err := client.PublishBatch(ctx, events[0].Brand, requests)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Error != nil {
			return r.Error
		}
	}
	return nil
}
