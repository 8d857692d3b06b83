package egress

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// progress is how far an attempt has come, and how long its parts took.
type progress struct {
	phases                               webhook.Phases
	connected, answered                  bool
	tlsFailed                            bool
	dnsStart, connectStart, tlsStart, at time.Time
	dialled                              bool
}

// trace watches one attempt. Its hooks are called from several goroutines, and
// by a dial that goes on after the attempt.
type trace struct {
	mu  sync.Mutex
	now progress
}

// progress returns a copy.
func (t *trace) progress() progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// dialHooks are for a dial only: most attempts find a connection, and do without.
func (t *trace) dialHooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { t.dialling(func(p *progress) { p.dnsStart = time.Now() }) },
		DNSDone:           func(httptrace.DNSDoneInfo) { t.dialling(func(p *progress) { p.phases.DNS = time.Since(p.dnsStart) }) },
		ConnectStart:      func(string, string) { t.dialling((*progress).connectStarted) },
		ConnectDone:       func(_, _ string, err error) { t.dialling(func(p *progress) { p.connectDone(err) }) },
		TLSHandshakeStart: func() { t.dialling((*progress).tlsStarted) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { t.dialling(func(p *progress) { p.tlsDone(err) }) },
	}
}

// begin starts over, as when a stale connection was found out.
func (t *trace) begin() { t.update(func(p *progress) { *p = progress{} }) }

func (t *trace) gotConn(reused bool) { t.update(func(p *progress) { p.gotConn(reused) }) }

func (t *trace) firstByte() { t.update((*progress).firstByte) }

func (t *trace) update(change func(*progress)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.now)
}

// dialling is update for what belongs to a dial: nothing of it counts once the
// attempt has a connection, which may be another that became idle meanwhile.
func (t *trace) dialling(change func(*progress)) {
	t.update(func(p *progress) {
		if !p.connected {
			change(p)
		}
	})
}

func (p *progress) connectStarted() {
	if p.connectStart.IsZero() {
		p.connectStart = time.Now()
	}
}

// connectDone is called for every address tried; the one that worked is the end.
func (p *progress) connectDone(err error) {
	if !p.dialled {
		p.phases.Connect = time.Since(p.connectStart)
	}
	p.dialled = p.dialled || err == nil
}

func (p *progress) tlsStarted() {
	if p.tlsStart.IsZero() {
		p.tlsStart = time.Now()
	}
}

func (p *progress) tlsDone(err error) {
	if p.phases.TLS == 0 {
		p.phases.TLS, p.tlsFailed = time.Since(p.tlsStart), err != nil
	}
}

func (p *progress) gotConn(reused bool) {
	p.connected, p.at = true, time.Now()
	if reused {
		p.phases = webhook.Phases{}
	}
}

func (p *progress) firstByte() {
	p.answered, p.phases.FirstByte = true, time.Since(p.at)
}
