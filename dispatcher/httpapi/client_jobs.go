package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// ResendEvent sends an event once more: with an empty endpointID to all
// endpoints that it went to, else to this one, also if it never went there. A
// delivery that waits for its retry is due now. It answers how they stand.
func (c *Client) ResendEvent(ctx context.Context, brand, id, endpointID string) ([]Delivery, error) {
	return c.deliveries(ctx, brand, id, "resend", endpointID)
}

// CancelEvent ends the open deliveries of an event, or with an endpointID the one
// to this endpoint, and answers how they stand.
func (c *Client) CancelEvent(ctx context.Context, brand, id, endpointID string) ([]Delivery, error) {
	return c.deliveries(ctx, brand, id, "cancel", endpointID)
}

func (c *Client) deliveries(ctx context.Context, brand, id, action, endpointID string) ([]Delivery, error) {
	var out Deliveries
	err := c.item(ctx, http.MethodPost, brand, []string{"events", id, action}, DeliveriesRequest{EndpointID: endpointID}, &out)
	return out.Deliveries, err
}

// SignedRequest gets the POST of a delivery as it would be made now, freshly
// signed. It holds the values of the endpoint's headers: do not log it.
func (c *Client) SignedRequest(ctx context.Context, brand, id, endpointID string) (SignedRequest, error) {
	if err := webhook.CheckID("id", id); err != nil {
		return SignedRequest{}, err
	}
	query := url.Values{"endpointId": {endpointID}}
	return get[SignedRequest](ctx, c, call{brand: brand, path: []string{"events", id, "request"}, query: query})
}

// ResendDeadLetters begins a job that sends dead letters once more. With
// DryRun there is none, and of the answer only Matched is set.
func (c *Client) ResendDeadLetters(ctx context.Context, brand string, r ResendDeadLettersRequest) (Job, error) {
	return c.begin(ctx, call{brand: brand, path: []string{"dead-letters", "resend"}}, r)
}

// DeleteDeadLetters begins a job that deletes dead letters. With DryRun there is
// none, and of the answer only Matched is set.
func (c *Client) DeleteDeadLetters(ctx context.Context, brand string, r DeadLettersRequest) (Job, error) {
	return c.begin(ctx, call{brand: brand, path: []string{"dead-letters", "delete"}}, r)
}

// Recover begins a job that sends an endpoint what it missed. With DryRun there
// is none, and of the answer only Matched is set.
func (c *Client) Recover(ctx context.Context, brand, endpointID string, r RecoverRequest) (Job, error) {
	if err := webhook.CheckID("id", endpointID); err != nil {
		return Job{}, err
	}
	return c.begin(ctx, call{brand: brand, path: []string{"endpoints", endpointID, "recover"}}, r)
}

// EraseBrand begins a job that deletes everything of a brand: events, attempts,
// dead letters, endpoints and keys. Only an admin can, and nobody can undo it.
func (c *Client) EraseBrand(ctx context.Context, brand string) (Job, error) {
	return c.begin(ctx, call{brand: brand, path: []string{"erase"}}, EraseRequest{})
}

func (c *Client) begin(ctx context.Context, what call, body any) (Job, error) {
	var out Job
	what.method = http.MethodPost
	err := c.send(ctx, what, body, &out)
	return out, err
}

// JobQuery says which jobs are wanted.
type JobQuery struct {
	// Brand is empty for those of all brands that the key sees.
	Brand string
	Page
}

// Jobs lists jobs, the last begun first.
func (c *Client) Jobs(ctx context.Context, q JobQuery) (List[Job], error) {
	query := q.Page.query()
	setIf(query, "brand", q.Brand)
	return get[List[Job]](ctx, c, call{global: true, path: []string{"jobs"}, query: query})
}

// Job gets one job.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	return c.job(ctx, http.MethodGet, id)
}

// CancelJob ends a job, if it still runs, and answers it. What it sent goes on.
func (c *Client) CancelJob(ctx context.Context, id string) (Job, error) {
	return c.job(ctx, http.MethodPost, id, "cancel")
}

func (c *Client) job(ctx context.Context, method, id string, action ...string) (Job, error) {
	var out Job
	if err := webhook.CheckID("id", id); err != nil {
		return out, err
	}
	err := c.send(ctx, call{method: method, global: true, path: append([]string{"jobs", id}, action...)}, nil, &out)
	return out, err
}

// BrandHealth gets how all endpoints of a brand are doing together.
func (c *Client) BrandHealth(ctx context.Context, brand string) (BrandHealth, error) {
	return get[BrandHealth](ctx, c, call{brand: brand, path: []string{"health"}})
}
