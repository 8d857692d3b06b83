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
	header, ok := c.header(r.Header)
	if !ok {
		return webhook.Response{Reason: webhook.ReasonProtocol}
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = c.cfg.DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tries := &tries{until: time.Now().Add(timeout), size: len(r.Body), cancel: cancel}
	defer tries.end()
	defer time.AfterFunc(timeout+stuckGrace, tries.cut).Stop()

	watch := trace{got: tries.got}
	request := newRequest(target, header, r.Body, tries)
	// The transport itself: a http.Client would add redirects and cookies.
	answer, err := c.transport.RoundTrip(request.WithContext(httptrace.WithClientTrace(withTries(ctx, tries), watch.hooks())))
	if err != nil {
		reached := watch.progress()
		reason := webhook.ReasonReset // as often as it may be
		if !tries.spent() {
			reason = reasonOf(ctx, err, reached)
		}
		return webhook.Response{Reason: reason, Phases: reached.phases}
	}
	response := c.read(answer, target.RawQuery, r.KeepBody, cancel)
	response.Phases = watch.progress().phases
	return response
}

// newRequest makes a POST that net/http may repeat on another connection when
// the one it had turns out to be dead.
func newRequest(target *url.URL, header http.Header, body []byte, tries *tries) *http.Request {
	open := func() (io.ReadCloser, error) {
		if len(body) == 0 {
			return http.NoBody, nil
		}
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	first, _ := open()
	return &http.Request{
		Method: http.MethodPost, URL: target, Host: target.Host, Header: header,
		Body: first, GetBody: tries.again(open), ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// header copies the caller's and adds ours. It refuses one whose name would stand
// twice on the wire, in whatever spelling: a receiver might take the other signature.
func (c *Client) header(given http.Header) (header http.Header, ok bool) {
	header = make(http.Header, len(given)+3)
	for name, values := range given {
		for other := range header {
			if sameName(name, other) {
				return nil, false
			}
		}
		if len(values) != 1 {
			return nil, false
		}
		header[http.CanonicalHeaderKey(name)] = values
	}
	header["Content-Type"] = []string{"application/json"}
	header["User-Agent"] = []string{c.cfg.UserAgent}
	if _, set := header[replayable]; !set {
		header[replayable] = nil
	}
	return header, true
}

// replayable, present without a value, is not sent but tells net/http that a
// POST may be repeated when a reused connection was dead. See the package's
// documentation.
const replayable = "Idempotency-Key"
