package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const clientTimeout = 30 * time.Second

// Client talks to the API of one server. Safe for concurrent use.
//
// Its methods return a [*Problem] when the server refuses, an error that wraps
// [webhook.ErrUnavailable] when it cannot be reached, and a [webhook.FieldError]
// for what cannot even be asked.
type Client struct {
	base *url.URL
	key  string
	http *http.Client
}

// NewClient returns a client of the API at server, such as
// "https://example.com" or, behind a host's own prefix, "https://example.com/webhooks".
// It presents key as a bearer token, and uses hc; nil means a client of its own
// that gives up after 30 s and follows no redirects. Errors: a
// [webhook.FieldError] for server or key.
func NewClient(server, key string, hc *http.Client) (*Client, error) {
	base, err := url.Parse(server)
	switch {
	case err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "":
		return nil, webhook.Invalid("server", "must be a URL such as https://example.com")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, webhook.Invalid("server", "must have no user, query or fragment")
	case key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, webhook.Invalid("key", "is required, in printable ASCII without spaces")
	}
	if hc == nil {
		hc = &http.Client{Timeout: clientTimeout, CheckRedirect: noRedirect}
	}
	return &Client{base: base, key: key, http: hc}, nil
}

// noRedirect keeps a key from being sent on.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Publish publishes one event.
func (c *Client) Publish(ctx context.Context, brand string, e PublishRequest) (Receipt, error) {
	body, err := publishBody("payload", e)
	if err != nil {
		return Receipt{}, err
	}
	var out Receipt
	_, err = c.do(ctx, call{method: http.MethodPost, brand: brand, path: []string{"events"}, body: body}, &out)
	return out, err
}

// PublishBatch publishes several events and answers in their order; look at the
// Error of each result. An error speaks for the whole batch.
func (c *Client) PublishBatch(ctx context.Context, brand string, events []PublishRequest) ([]BatchResult, error) {
	parts := make([][]byte, len(events))
	for i, e := range events {
		part, err := publishBody(fmt.Sprintf("events[%d].payload", i), e)
		if err != nil {
			return nil, err
		}
		parts[i] = part
	}
	body := slices.Concat([]byte(`{"events":[`), bytes.Join(parts, []byte(",")), []byte(`]}`))
	var out BatchResponse
	_, err := c.do(ctx, call{method: http.MethodPost, brand: brand, path: []string{"events", "batch"}, body: body}, &out)
	if err == nil && len(out.Results) != len(events) {
		err = fmt.Errorf("publish batch: %d results for %d events", len(out.Results), len(events))
	}
	return out.Results, err
}

// CreateEndpoint creates an endpoint, or finds the one of the same id and
// settings: then created is false and no secret is given.
func (c *Client) CreateEndpoint(ctx context.Context, brand string, e EndpointRequest) (stored Endpoint, created bool, err error) {
	body, err := encode(e)
	if err != nil {
		return Endpoint{}, false, fmt.Errorf("encode endpoint: %w", err)
	}
	status, err := c.do(ctx, call{method: http.MethodPost, brand: brand, path: []string{"endpoints"}, body: body}, &stored)
	return stored, status == http.StatusCreated, err
}

// Endpoints lists a brand's endpoints by id.
func (c *Client) Endpoints(ctx context.Context, brand string, p Page) (List[Endpoint], error) {
	var out List[Endpoint]
	_, err := c.do(ctx, call{method: http.MethodGet, brand: brand, path: []string{"endpoints"}, query: p.query()}, &out)
	return out, err
}

// Endpoint gets one endpoint.
func (c *Client) Endpoint(ctx context.Context, brand, id string) (Endpoint, error) {
	var out Endpoint
	if err := webhook.CheckID("id", id); err != nil {
		return out, err
	}
	_, err := c.do(ctx, call{method: http.MethodGet, brand: brand, path: []string{"endpoints", id}}, &out)
	return out, err
}

// Event gets an event and its deliveries.
func (c *Client) Event(ctx context.Context, brand, id string) (Event, error) {
	var out Event
	if err := webhook.CheckID("id", id); err != nil {
		return out, err
	}
	_, err := c.do(ctx, call{method: http.MethodGet, brand: brand, path: []string{"events", id}}, &out)
	return out, err
}

// AttemptQuery says which attempts are wanted.
type AttemptQuery struct {
	// EventID is required for now.
	EventID string
	// EndpointID is empty for those of all endpoints.
	EndpointID string
	Page
}

// Attempts lists attempts, newest first.
func (c *Client) Attempts(ctx context.Context, brand string, q AttemptQuery) (List[Attempt], error) {
	query := q.query()
	setIf(query, "eventId", q.EventID)
	setIf(query, "endpointId", q.EndpointID)
	var out List[Attempt]
	_, err := c.do(ctx, call{method: http.MethodGet, brand: brand, path: []string{"attempts"}, query: query}, &out)
	return out, err
}

func (p Page) query() url.Values {
	query := url.Values{}
	if p.Limit != 0 {
		query.Set("limit", strconv.Itoa(p.Limit))
	}
	setIf(query, "cursor", p.Cursor)
	return query
}

func setIf(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// publishBody splices the payload in as it is. It must be JSON, or it could say
// more than a payload.
func publishBody(field string, e PublishRequest) ([]byte, error) {
	payload := e.Payload
	if len(payload) > 0 && !json.Valid(payload) {
		return nil, webhook.Invalid(field, "must be valid JSON")
	}
	e.Payload = nil
	body, err := encodeWith(e, payload)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return body, nil
}
