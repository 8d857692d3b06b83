package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"syscall"
	"time"
)

// span is how long a part of a check took, from its first start to its last stop.
type span struct {
	started time.Time
	took    time.Duration
}

func (s *span) start() {
	if s.started.IsZero() {
		s.started = time.Now()
	}
}

func (s *span) stop() { s.took = time.Since(s.started) }

// sight is what was seen of a check's connection.
type sight struct {
	dns, connect, tls span
	dnsErr, tlsErr    error
	// connected: one address answered; what others do no longer counts.
	connected bool
	// refused and timedOut say so of at least one address that was tried.
	refused, timedOut bool
	// answered: a byte came after the request.
	answered bool
	// leaf is the server's certificate, verified or not.
	leaf *x509.Certificate
	// opening holds the first bytes that the server sent, below TLS.
	opening [openingBytes]byte
	heard   int
}

// openingBytes is as far as the version in a server's first message of TLS.
const openingBytes = 11

// certificateEndsAt is zero when no certificate was seen.
func (s *sight) certificateEndsAt() time.Time {
	if s.leaf == nil {
		return time.Time{}
	}
	return s.leaf.NotAfter.UTC()
}

func (s *sight) connectDone(err error) {
	if s.connected {
		return
	}
	s.connect.stop()
	s.connected = err == nil
	s.refused = s.refused || errors.Is(err, syscall.ECONNREFUSED) || isReset(err)
	s.timedOut = s.timedOut || isTimeout(err)
}

func (s *sight) tlsDone(state tls.ConnectionState, err error) {
	s.tls.stop()
	s.tlsErr = err
	shown := state.PeerCertificates
	if invalid, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		shown = invalid.UnverifiedCertificates
	}
	if len(shown) > 0 {
		s.leaf = shown[0]
	}
}

func (s *sight) hear(bytes []byte) { s.heard += copy(s.opening[s.heard:], bytes) }

// watcher collects a sight from hooks, which are called by several goroutines
// and by dials that lost a race.
type watcher struct {
	mu  sync.Mutex
	now sight
}

// sight returns a copy.
func (w *watcher) sight() sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watcher) update(change func(*sight)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.now)
}

func (w *watcher) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { w.update(func(s *sight) { s.dns.start() }) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			w.update(func(s *sight) { s.dns.stop(); s.dnsErr = info.Err })
		},
		ConnectStart:      func(string, string) { w.update(func(s *sight) { s.connect.start() }) },
		ConnectDone:       func(_, _ string, err error) { w.update(func(s *sight) { s.connectDone(err) }) },
		TLSHandshakeStart: func() { w.update(func(s *sight) { s.tls.start() }) },
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			w.update(func(s *sight) { s.tlsDone(state, err) })
		},
		GotFirstResponseByte: func() { w.update(func(s *sight) { s.answered = true }) },
	}
}

// overheard is a connection whose first bytes the watcher gets as well: they
// tell what crypto/tls and net/http say in prose only.
type overheard struct {
	net.Conn
	watch *watcher
}

func (o overheard) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	o.watch.update(func(s *sight) { s.hear(p[:n]) })
	return n, err
}
