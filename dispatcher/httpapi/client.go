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

// clientTimeout is longer than the longest attempt, which a test answers, and
// than the longest count, which a dry run does.
const clientTimeout = time.Minute

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
// that gives up after a minute and follows no redirects. Errors: a
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
	// As dev and the documentation print it, with the version that the client adds itself.
	base.Path = strings.TrimSuffix(strings.TrimSuffix(base.Path, "/"), "/v1")
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
	return get[List[Endpoint]](ctx, c, call{brand: brand, path: []string{"endpoints"}, query: p.query()})
}

// Endpoint gets one endpoint.
func (c *Client) Endpoint(ctx context.Context, brand, id string) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodGet, brand, id, "", nil)
}

// UpdateEndpoint changes an endpoint.
func (c *Client) UpdateEndpoint(ctx context.Context, brand, id string, patch EndpointPatch) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPatch, brand, id, "", patch)
}

// DeleteEndpoint deletes an endpoint, and cancels what is open for it.
func (c *Client) DeleteEndpoint(ctx context.Context, brand, id string) error {
	_, err := c.endpoint(ctx, http.MethodDelete, brand, id, "", nil)
	return err
}

// EnableEndpoint makes an endpoint get events again.
func (c *Client) EnableEndpoint(ctx context.Context, brand, id string) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPost, brand, id, "enable", nil)
}

// DisableEndpoint keeps events from an endpoint.
func (c *Client) DisableEndpoint(ctx context.Context, brand, id string) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPost, brand, id, "disable", nil)
}

// RotateSecret gives an endpoint a new secret.
func (c *Client) RotateSecret(ctx context.Context, brand, id string, r RotateRequest) (Endpoint, error) {
	return c.endpoint(ctx, http.MethodPost, brand, id, "secret/rotate", r)
}

// endpoint makes a request for one endpoint; body is nil for none.
func (c *Client) endpoint(ctx context.Context, method, brand, id, action string, body any) (Endpoint, error) {
	var out Endpoint
	err := c.item(ctx, method, brand, []string{"endpoints", id, action}, body, &out)
	return out, err
}

// TestEndpoint sends one sample event now; an empty eventType is the first that the endpoint wants.
func (c *Client) TestEndpoint(ctx context.Context, brand, id, eventType string) (Attempt, error) {
	var out Attempt
	err := c.item(ctx, http.MethodPost, brand, []string{"endpoints", id, "test"}, TestRequest{Type: eventType}, &out)
	return out, err
}

// CheckURL looks at a URL as a delivery would, without sending an event.
func (c *Client) CheckURL(ctx context.Context, brand, address string) (Check, error) {
	var out Check
	err := c.send(ctx, call{method: http.MethodPost, brand: brand, path: []string{"endpoints", "check"}}, CheckRequest{URL: address}, &out)
	return out, err
}

// EventTypes lists the catalogue.
func (c *Client) EventTypes(ctx context.Context, p Page) (List[EventType], error) {
	return get[List[EventType]](ctx, c, call{global: true, path: []string{"event-types"}, query: p.query()})
}

// CreateKey makes an API key. Only an admin can.
func (c *Client) CreateKey(ctx context.Context, k KeyRequest) (Key, error) {
	var out Key
	err := c.send(ctx, call{method: http.MethodPost, global: true, path: []string{"keys"}}, k, &out)
	return out, err
}

// Keys lists the API keys, the oldest first. Only an admin can.
func (c *Client) Keys(ctx context.Context, p Page) (List[Key], error) {
	return get[List[Key]](ctx, c, call{global: true, path: []string{"keys"}, query: p.query()})
}

// RevokeKey ends an API key. Only an admin can.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	if err := webhook.CheckID("id", id); err != nil {
		return err
	}
	return c.send(ctx, call{method: http.MethodDelete, global: true, path: []string{"keys", id}}, nil, nil)
}

// Event gets an event and its deliveries.
func (c *Client) Event(ctx context.Context, brand, id string) (Event, error) {
	var out Event
	err := c.item(ctx, http.MethodGet, brand, []string{"events", id}, nil, &out)
	return out, err
}

// Span bounds a list by time: Since ≤ time < Until. A zero time bounds nothing.
type Span struct{ Since, Until time.Time }

// EventQuery says which events are wanted.
type EventQuery struct {
	// Type is empty for every type.
	Type string
	Span
	Page
}

// Events lists events, newest first.
func (c *Client) Events(ctx context.Context, brand string, q EventQuery) (List[Event], error) {
	query := q.Page.query()
	setIf(query, "type", q.Type)
	q.Span.set(query)
	return get[List[Event]](ctx, c, call{brand: brand, path: []string{"events"}, query: query})
}

// Explain says why an event has or has not arrived at each endpoint.
func (c *Client) Explain(ctx context.Context, brand, id string) (Explanation, error) {
	var out Explanation
	err := c.item(ctx, http.MethodGet, brand, []string{"events", id, "deliveries"}, nil, &out)
	return out, err
}

// AttemptQuery says which attempts are wanted.
type AttemptQuery struct {
	// EventID and EndpointID are empty for all.
	EventID, EndpointID string
	// Outcome is "delivered", "retrying", "dead", or empty for all.
	Outcome string
	Span
	Page
}

// Attempts lists attempts, newest first.
func (c *Client) Attempts(ctx context.Context, brand string, q AttemptQuery) (List[Attempt], error) {
	query := q.Page.query()
	setIf(query, "eventId", q.EventID)
	setIf(query, "endpointId", q.EndpointID)
	setIf(query, "outcome", q.Outcome)
	q.Span.set(query)
	return get[List[Attempt]](ctx, c, call{brand: brand, path: []string{"attempts"}, query: query})
}

// DeadLetterQuery says which dead letters are wanted.
type DeadLetterQuery struct {
	// EndpointID is empty for all.
	EndpointID string
	Span
	Page
}

// DeadLetters lists dead letters, newest first.
func (c *Client) DeadLetters(ctx context.Context, brand string, q DeadLetterQuery) (List[DeadLetter], error) {
	query := q.Page.query()
	setIf(query, "endpointId", q.EndpointID)
	q.Span.set(query)
	return get[List[DeadLetter]](ctx, c, call{brand: brand, path: []string{"dead-letters"}, query: query})
}

func (s Span) set(query url.Values) {
	for name, at := range map[string]time.Time{"since": s.Since, "until": s.Until} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
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
