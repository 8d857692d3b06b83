package egress

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Send POSTs a request and answers what came of it, by the deadline of the
// request. The URL is checked as by [Client.CheckURL] first. Cancelling ctx
// interrupts the attempt, unless its answer's header has come: then it stands.
//
// The receiver gets r.Header, host, content-type, content-length and user-agent,
// each name once, and nothing else. r.Body may be read for a moment after Send has returned.
func (c *Client) Send(ctx context.Context, r webhook.Request) webhook.Response {
	started := time.Now()
	response := c.attempt(ctx, r)
	response.Duration = time.Since(started)
	return response
}

func (c *Client) attempt(ctx context.Context, r webhook.Request) webhook.Response {
	target, err := c.parse(r.URL)
	if err != nil {
		return webhook.Response{Reason: webhook.ReasonBlocked}
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = c.cfg.DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	var watch trace
	request := newRequest(target, c.header(r.Header), r.Body)
	// The transport itself: a http.Client would add redirects and cookies.
	answer, err := c.transport.RoundTrip(request.WithContext(httptrace.WithClientTrace(ctx, watch.hooks())))
	if err != nil {
		reached := watch.progress()
		return webhook.Response{Reason: reasonOf(ctx, err, reached), Phases: reached.phases}
	}
	response := c.read(answer, target.RawQuery, r.KeepBody, cancel)
	response.Phases = watch.progress().phases
	return response
}

// newRequest makes a POST that net/http may repeat on another connection when
// the one it had turns out to be dead.
func newRequest(target *url.URL, header http.Header, body []byte) *http.Request {
	open := func() (io.ReadCloser, error) {
		if len(body) == 0 {
			return http.NoBody, nil
		}
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	first, _ := open()
	return &http.Request{
		Method: http.MethodPost, URL: target, Host: target.Host, Header: header,
		Body: first, GetBody: open, ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// header copies the caller's, each name once, and adds ours.
func (c *Client) header(given http.Header) http.Header {
	header := make(http.Header, len(given)+3)
	for name, values := range given {
		header[http.CanonicalHeaderKey(name)] = values
	}
	header["Content-Type"] = []string{"application/json"}
	header["User-Agent"] = []string{c.cfg.UserAgent}
	if _, set := header[replayable]; !set {
		header[replayable] = nil
	}
	return header
}

// replayable, present without a value, is not sent but tells net/http that a
// POST may be repeated when a reused connection was dead. See the package's
// documentation.
const replayable = "Idempotency-Key"
