package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var _ webhook.Checker = (*Client)(nil)

// Check looks at a URL by one HEAD, without a body or any header of an endpoint,
// and says phase by phase what it found: the rules of [Client.CheckURL], DNS,
// connect, TLS, HTTP. Any answer counts as reachable, a redirect is one.
//
// The connection is opened for the check and closed after it, under the same
// guard, TLS rules and limits as those of deliveries. Config.DefaultTimeout
// bounds the check, and so does ctx. Details are words of this package's own:
// they name no address, and repeat nothing that the receiver or the network said.
func (c *Client) Check(ctx context.Context, rawURL string) webhook.Check {
	check := webhook.Check{URL: RedactURL(rawURL)}
	started := time.Now()
	target, err := c.parse(rawURL)
	policy := webhook.CheckPhase{Name: webhook.PhasePolicy, Result: webhook.PhaseOK, Duration: time.Since(started), Detail: "allowed"}
	var l look
	if err != nil {
		policy.Result, policy.Detail = webhook.PhaseFailed, brokenRule(err)
	} else {
		l = c.look(ctx, target)
	}
	check.Phases = untilFailure(policy, l.phases())
	check.Status, check.Reachable = l.status, l.status != 0
	check.CertificateEndsAt = l.seen.certificateEndsAt()
	return check
}

// brokenRule returns what parse says; it is about the text of the URL, and does
// not say which range refused an address.
func brokenRule(err error) string {
	if field, ok := errors.AsType[*webhook.FieldError](err); ok {
		return field.Rule
	}
	return "is not a valid URL"
}

// untilFailure returns all phases; those after one that failed are skipped.
func untilFailure(first webhook.CheckPhase, others []webhook.CheckPhase) []webhook.CheckPhase {
	phases := []webhook.CheckPhase{first}
	failed := first.Result == webhook.PhaseFailed
	for _, phase := range others {
		if failed {
			phase = webhook.CheckPhase{Name: phase.Name, Result: webhook.PhaseSkipped}
		}
		failed = failed || phase.Result == webhook.PhaseFailed
		phases = append(phases, phase)
	}
	return phases
}

// look is what came of looking at a URL that the rules allow.
type look struct {
	// literal: the host is an address. plain: no TLS.
	literal, plain bool
	// err ended it, in whatever phase; reason is what a delivery would call it.
	err    error
	reason webhook.Reason
	status int
	http   span
	seen   sight
}

func (c *Client) look(ctx context.Context, target *url.URL) look {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DefaultTimeout)
	defer cancel()
	_, notAddress := netip.ParseAddr(target.Hostname())
	l := look{literal: notAddress == nil, plain: target.Scheme == "http"}

	var watch watcher
	ctx = httptrace.WithClientTrace(ctx, watch.hooks())
	// A connection of its own, rather than a round trip of the transport: that
	// would dial again for as long as an HTTP/2 server turns the request away.
	conn, err := c.probe(&watch).NewClientConn(ctx, target.Scheme, net.JoinHostPort(target.Hostname(), target.Port()))
	if err == nil {
		l.http.start()
		l.status, err = c.head(ctx, conn, target)
		l.http.stop()
	}
	l.err, l.seen = err, watch.sight()
	if err != nil {
		l.reason = reasonOf(ctx, err, progress{connected: true, answered: l.seen.answered, tlsFailed: l.seen.tlsErr != nil})
	}
	return l
}

// probe makes a transport for one connection, which is watched. Without a cache
// of sessions: a resumed one would show the certificate of an earlier connection.
func (c *Client) probe(watch *watcher) *http.Transport {
	transport := newTransport(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := c.dialer.open(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn.begin(0) // never ended: there is one request, and the connection goes with it
		return overheard{Conn: conn, watch: watch}, nil
	}, newTLSConfig(c.roots))
	transport.DisableKeepAlives = true
	return transport
}

var errNoStatus = errors.New("status is below 100")

// head asks once, closes the connection and returns the status.
func (c *Client) head(ctx context.Context, conn *http.ClientConn, target *url.URL) (int, error) {
	defer func() { _ = conn.Close() }() // nothing was left to write
	request := &http.Request{
		Method: http.MethodHead, URL: target, Host: target.Host,
		Header: http.Header{"User-Agent": {c.cfg.UserAgent}},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	answer, err := conn.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	// Of 101 the body is the connection itself.
	defer answer.Body.Close()
	if answer.StatusCode < http.StatusContinue {
		return 0, errNoStatus // net/http takes any three digits
	}
	return answer.StatusCode, nil
}
