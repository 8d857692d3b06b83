package egress

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Send POSTs a request and answers what came of it, by the deadline of the
// request. The URL is checked as by [Client.CheckURL] first. Cancelling ctx
// interrupts the attempt, unless its answer's header has come: then it stands.
//
// The receiver gets r.Header, host, content-type, content-length and user-agent,
// each name once, and nothing else. r.Header is Send's own from then on, which adds to it; r.Body may be read for a moment
// after Send has returned.
func (c *Client) Send(ctx context.Context, r webhook.Request) webhook.Response {
	started := time.Now()
	response := c.attempt(ctx, r)
	response.Duration = time.Since(started)
	return response
}

func (c *Client) attempt(ctx context.Context, r webhook.Request) webhook.Response {
	to, err := c.destination(r.URL)
	if err != nil {
		return webhook.Response{Reason: webhook.ReasonBlocked}
	}
	if !c.complete(r.Header) {
		return webhook.Response{Reason: webhook.ReasonProtocol}
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = c.cfg.DefaultTimeout
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tries := &tries{until: time.Now().Add(timeout), body: r.Body, cancel: cancel}
	defer tries.end()
	defer time.AfterFunc(timeout, tries.expire).Stop()

	// The transport itself: a http.Client would add redirects and cookies.
	answer, err := c.transport.RoundTrip(newRequest(ctx, to.url, r.Header, tries))
	if err != nil {
		reached := tries.trace.progress()
		return webhook.Response{Reason: tries.reasonOf(ctx, err, reached), Phases: reached.phases}
	}
	response := c.read(answer, to.url.RawQuery, r.KeepBody, cancel)
	response.Phases = tries.trace.progress().phases
	return response
}

// newRequest makes a POST that net/http may repeat on another connection when
// the one it had turns out to be dead.
func newRequest(ctx context.Context, target *url.URL, header http.Header, tries *tries) *http.Request {
	request := http.Request{
		Method: http.MethodPost, URL: target, Host: target.Host, Header: header,
		Body: tries.open(), GetBody: tries.again, ContentLength: int64(len(tries.body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return request.WithContext(httptrace.WithClientTrace(withTries(ctx, tries), tries.hooks()))
}

// complete adds our headers to the caller's. It refuses one whose name would stand twice on the wire, in whatever spelling: a
// receiver might take the other signature.
func (c *Client) complete(header http.Header) bool {
	names := make([]string, 0, 32) // walked for each name, which is slow in a map
	for name, values := range header {
		if len(values) != 1 || slices.ContainsFunc(names, func(other string) bool { return sameName(name, other) }) {
			return false
		}
		names = append(names, name)
	}
	for _, name := range names {
		if key := http.CanonicalHeaderKey(name); key != name {
			header[key] = header[name]
			delete(header, name)
		}
	}
	header["Content-Type"] = c.contentType
	header["User-Agent"] = c.userAgent
	if _, set := header[replayable]; !set {
		header[replayable] = nil
	}
	return true
}

// replayable, present without a value, is not sent but tells net/http that a
// POST may be repeated when a reused connection was dead. See the package's
// documentation.
const replayable = "Idempotency-Key"
