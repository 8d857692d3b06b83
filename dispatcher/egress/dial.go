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

// plain opens a connection without TLS.
func (d dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel, err := admitDial(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return d.open(ctx, network, address)
}

// errHTTP1 says that the connection was handed to the attempt that it was dialled for.
var errHTTP1 = errors.New("the receiver speaks HTTP/1.1")

// secure opens one for net/http and does the handshake, all within the time of one attempt:
// net/http would give the handshake a time of its own. Only HTTP/2 is left to it.
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
	if t, ok := ctx.Value(triesKey{}).(*tries); ok && conn.ConnectionState().NegotiatedProtocol != "h2" {
		t.hand(newHTTP1(conn, t.to.key))
		return nil, errHTTP1
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
	if hooks == nil {
		return conn.HandshakeContext(ctx)
	}
	hooks.TLSHandshakeStart()
	err := conn.HandshakeContext(ctx)
	hooks.TLSHandshakeDone(conn.ConnectionState(), err)
	return err
}
