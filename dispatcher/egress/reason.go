package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// dialError is why there is no connection. It holds nothing else of the error
// behind it, which names addresses.
type dialError struct{ reason webhook.Reason }

func (e dialError) Error() string { return "dial: " + string(e.reason) }

func dialReason(err error, blocked bool) webhook.Reason {
	if blocked {
		return webhook.ReasonBlocked
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return webhook.ReasonDNS
	}
	if isReset(err) { // accepted and dropped, seen before the dialler was done
		return webhook.ReasonReset
	}
	return webhook.ReasonConnect
}

// reasonOf says why a request got no answer. ctx is its own: a
// deadline is a timeout, and a cancellation can only come from the parent. net/http
// makes many errors without a type; how far the attempt had come decides those:
// without a byte of an answer the connection is what broke, HTTP/2's included.
func reasonOf(ctx context.Context, err error, p progress) webhook.Reason {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return webhook.ReasonInterrupted
	case ctx.Err() != nil:
		return webhook.ReasonTimeout
	}
	if dial, ok := errors.AsType[dialError](err); ok {
		return dial.reason
	}
	switch {
	case isTimeout(err):
		return webhook.ReasonTimeout
	case isReset(err):
		return webhook.ReasonReset
	case p.tlsFailed || isTLS(err):
		return webhook.ReasonTLS
	case errors.Is(err, errFlood):
		return webhook.ReasonProtocol
	case p.connected && !p.answered:
		return webhook.ReasonReset
	}
	return webhook.ReasonProtocol
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// isTLS finds what TLS has to say after the handshake: in TLS 1.3 a server may
// ask for a client's certificate, and refuse it, only then.
func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "remote error" || op.Op == "local error") // as crypto/tls marks alerts
}
