package egress

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

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
	if ctx.Err() != nil {
		return webhook.Response{Reason: reasonOf(ctx, ctx.Err(), progress{})}
	}
	tries := &tries{until: time.Now().Add(timeout), body: r.Body, idle: &c.idle}
	defer tries.end()
	defer time.AfterFunc(timeout, tries.expire).Stop()
	defer context.AfterFunc(ctx, tries.halt)()

	answer, err := c.roundTrip(ctx, to, r.Header, tries)
	if err != nil {
		reached := tries.trace.progress()
		return webhook.Response{Reason: tries.reasonOf(ctx, err, reached), Phases: reached.phases}
	}
	response := c.read(answer, to.url.RawQuery, r.KeepBody, tries.halt)
	response.Phases = tries.trace.progress().phases
	return response
}

// roundTrip sends the request on a connection of HTTP/1.1 that is idle, or else on a new one. What a receiver speaks
// who is reached by TLS is known once a connection is there; HTTP/2 is net/http's, which has the connection then.
func (c *Client) roundTrip(ctx context.Context, to destination, header http.Header, t *tries) (*http.Response, error) {
	if conn := c.idle.take(to.key); conn != nil {
		answer, err := conn.exchange(to, header, t)
		if err == nil || !t.mayRepeat() {
			return answer, err
		}
		t.trace.begin()
	}
	ctx = t.within(ctx)
	for {
		if _, known := c.http2.get(to.key); !known {
			conn, err := c.dialer.dial(ctx, to)
			if err != nil {
				return nil, err
			}
			if !speaksHTTP2(conn) {
				return newHTTP1(conn, to.key).exchange(to, header, t)
			}
			c.http2.put(to.key, struct{}{}, maxIdle)
			t.bring(conn)
		}
		// The transport itself: a http.Client would add redirects and cookies.
		answer, err := c.transport.RoundTrip(newRequest(ctx, to.url, header, t))
		if !errors.Is(err, errHTTP1) {
			return answer, err
		}
		c.http2.drop(to.key)
	}
}

// newRequest makes a POST that net/http may repeat when HTTP/2 says that it was not processed.
func newRequest(ctx context.Context, target *url.URL, header http.Header, tries *tries) *http.Request {
	request := http.Request{
		Method: http.MethodPost, URL: target, Host: target.Host, Header: header,
		Body: tries.open(), GetBody: tries.again, ContentLength: int64(len(tries.body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return request.WithContext(httptrace.WithClientTrace(ctx, tries.hooks()))
}

// complete adds our headers to the caller's. It refuses one whose name would stand twice on the wire, in whatever spelling, as a
// receiver might take the other signature, and what would say where the request or the connection ends.
func (c *Client) complete(header http.Header) bool {
	names := make([]string, 0, 32) // walked for each name, which is slow in a map
	for name, values := range header {
		if len(values) != 1 || isFraming(name) || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(values[0]) ||
			slices.ContainsFunc(names, func(other string) bool { return sameName(name, other) }) {
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
	return true
}
