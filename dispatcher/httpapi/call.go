package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// answerBytes bounds what a client reads: a full page of attempts, whose
	// response bodies may grow sixfold by escaping, fits.
	answerBytes = 64 << 20
	// longestRetryAfter, in seconds, keeps nonsense from overflowing.
	longestRetryAfter = 24 * 60 * 60
)

// call is one request.
type call struct {
	method string
	brand  string
	// global is for what belongs to no brand.
	global bool
	// path holds the elements under the brand; none needs escaping.
	path  []string
	query url.Values
	body  []byte
}

// get makes a GET and decodes the answer.
func get[T any](ctx context.Context, c *Client, what call) (T, error) {
	var out T
	what.method = http.MethodGet
	_, err := c.do(ctx, what, &out)
	return out, err
}

// item makes a request for path, whose second element is an id; an empty third is left out.
func (c *Client) item(ctx context.Context, method, brand string, path []string, body, out any) error {
	if err := webhook.CheckID("id", path[1]); err != nil {
		return err
	}
	if path[len(path)-1] == "" {
		path = path[:len(path)-1]
	}
	return c.send(ctx, call{method: method, brand: brand, path: path}, body, out)
}

// send encodes body, unless it is nil, makes the request, and decodes the answer into out, unless that is nil.
func (c *Client) send(ctx context.Context, what call, body, out any) error {
	if body != nil {
		encoded, err := encode(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		what.body = encoded
	}
	_, err := c.do(ctx, what, out)
	return err
}

// do returns the status, also with an error when there was an answer.
func (c *Client) do(ctx context.Context, what call, out any) (int, error) {
	if !what.global {
		if err := webhook.CheckID("brand", what.brand); err != nil {
			return 0, err
		}
	}
	request, err := c.request(ctx, what)
	if err != nil {
		return 0, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", webhook.ErrUnavailable, err)
	}
	defer func() { _ = response.Body.Close() }() // what was read counts
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytes+1))
	switch {
	case err != nil:
		return response.StatusCode, fmt.Errorf("%w: %w", webhook.ErrUnavailable, err)
	case len(body) > answerBytes:
		return response.StatusCode, fmt.Errorf("the server's answer is longer than %d bytes", answerBytes)
	case response.StatusCode < 200 || response.StatusCode > 299:
		return response.StatusCode, receivedProblem(response, body)
	}
	if response.StatusCode == http.StatusNoContent {
		return response.StatusCode, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return response.StatusCode, fmt.Errorf("the server's answer is not of the API: %w", err)
	}
	return response.StatusCode, nil
}

func (c *Client) request(ctx context.Context, what call) (*http.Request, error) {
	path := []string{"v1"}
	if !what.global {
		path = append(path, "brands", what.brand)
	}
	target := c.base.JoinPath(append(path, what.path...)...)
	target.RawQuery = what.query.Encode()
	request, err := http.NewRequestWithContext(ctx, what.method, target.String(), bytes.NewReader(what.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("Accept", jsonType)
	nameSpan(ctx, request.Header)
	if what.body != nil {
		request.Header.Set("Content-Type", jsonType)
	}
	return request, nil
}

// receivedProblem also makes a problem of what something between us and the API answered.
func receivedProblem(r *http.Response, body []byte) *Problem {
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != problemType || json.Unmarshal(body, p) != nil || p.Title == "" {
		p = problem(r.StatusCode, "")
	}
	p.Status = r.StatusCode
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(min(seconds, longestRetryAfter)) * time.Second
	}
	return p
}
