package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	maxHeader = 64 << 10
	// idleTimeout is just below the minute after which common load balancers
	// close, so that we are the ones who do.
	idleTimeout = 55 * time.Second
	// An HTTP/2 connection that a network dropped in silence would fail every
	// attempt on it; a ping finds out.
	pingAfter, pingTimeout = 15 * time.Second, 10 * time.Second
	// writeTimeout ends an HTTP/2 connection whose receiver takes not one byte.
	writeTimeout = 10 * time.Second
	// What HTTP/2 keeps in memory before it is read: of one answer, of all on a
	// connection, and of one frame. A body is read as far as the first.
	maxStream, maxConnection, maxFrame = maxBody, 1 << 20, 16 << 10
	// maxWindow is what a receiver may send on a connection before it is read:
	// net/http adds maxConnection to the window that HTTP/2 begins with (RFC 9113,
	// section 6.9.2).
	maxWindow = maxConnection + 1<<16 - 1
	// Many hosts keep a connection or two; one busy host keeps as many as it
	// may have deliveries in flight (delivery.maxInFlight).
	maxIdle, maxIdlePerHost = 4096, 256
	tlsSessions             = 1024
)

var _ webhook.Sender = (*Client)(nil)

// Client sends requests out. It is safe for concurrent use; a process needs one,
// whose connections all its attempts share. Checks share none.
type Client struct {
	cfg    Config
	guard  guard
	roots  *x509.CertPool
	known  bounded[destination] // by URL
	dialer dialer
	// idle has the connections of HTTP/1.1, transport has those of HTTP/2.
	idle      idle
	transport *http.Transport
	// http2 has the destinations, by key, whose last connection spoke HTTP/2.
	http2 bounded[struct{}]
	// contentType and userAgent are values of the headers of every request.
	contentType, userAgent []string
}

// New returns a client. Errors are [webhook.FieldError]s that name a key of the
// configuration: egress.allow, egress.ports, egress.caBundle, egress.userAgent,
// delivery.responseBodyBytes, delivery.timeout.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, guard: newGuard(cfg), roots: roots,
		contentType: []string{"application/json"}, userAgent: []string{cfg.UserAgent},
	}
	config := newTLSConfig(roots)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(tlsSessions)
	c.dialer = dialer{guard: c.guard, tls: config}
	c.transport = newTransport(c.dialer.plain, config.Clone()) // which it changes
	c.transport.DialTLSContext = c.dialer.forHTTP2
	return c, nil
}

// newTLSConfig returns the rules of every connection.
func newTLSConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}
}

// newTransport builds from scratch: a clone of the default one would take its
// proxies from the environment, past the guard that is below dial.
func newTransport(dial dialFunc, config *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dial,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    dialTimeout,
		DisableCompression:     true, // sends no accept-encoding, decompresses nothing
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		Protocols:              protocols,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout,
			MaxReceiveBufferPerStream: maxStream, MaxReceiveBufferPerConnection: maxConnection, MaxReadFrameSize: maxFrame,
		},
	}
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Close closes idle connections and ends dials that nobody waits for. Attempts
// in flight go on.
func (c *Client) Close() {
	c.idle.close()
	c.transport.CloseIdleConnections()
}
