package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
)

// dialer opens connections: to where the guard allows, metered, and not for
// longer than the attempt that wants them.
type dialer struct {
	guard guard
	tls   *tls.Config
}

// errHTTP1 says that a receiver which spoke HTTP/2 before does not any more.
var errHTTP1 = errors.New("the receiver speaks HTTP/1.1")

// forHTTP2 is how net/http gets a connection: the one that the attempt brings, or a new one.
func (d dialer) forHTTP2(ctx context.Context, network, address string) (net.Conn, error) {
	if conn := triesOf(ctx).takeOpened(); conn != nil {
		return conn, nil
	}
	conn, err := d.secure(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if !speaksHTTP2(conn) {
		_ = conn.Close()
		return nil, errHTTP1
	}
	return conn, nil
}

func speaksHTTP2(conn net.Conn) bool {
	secure, ok := conn.(*tls.Conn)
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}

// dial opens a connection to a destination.
func (d dialer) dial(ctx context.Context, to destination) (net.Conn, error) {
	if to.url.Scheme == "http" {
		return d.plain(ctx, "tcp", to.address)
	}
	return d.secure(ctx, "tcp", to.address)
}

// plain opens a connection without TLS.
func (d dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel, err := admitDial(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return d.open(ctx, network, address)
}

// secure opens one and does the handshake, all within the time of one attempt.
// net/http would give the handshake a time of its own.
func (d dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel, err := admitDial(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	raw, err := d.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = host
	conn := tls.Client(raw, config)
	if err := shake(ctx, conn); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

func (d dialer) open(ctx context.Context, network, address string) (*meter, error) {
	conn, err := d.guard.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return newMeter(conn), nil
}

// shake tells the attempt's trace, as net/http does for handshakes of its own.
func shake(ctx context.Context, conn *tls.Conn) error {
	hooks := httptrace.ContextClientTrace(ctx)
	hooks.TLSHandshakeStart()
	err := conn.HandshakeContext(ctx)
	hooks.TLSHandshakeDone(conn.ConnectionState(), err)
	return err
}
