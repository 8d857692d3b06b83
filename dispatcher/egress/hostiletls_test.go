package egress_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// hello waits for the client to begin, so that what follows is an answer.
func hello(then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			then(conn)
		}
	}
}

// floodTLS answers a client's hello with the same bytes for ever. It goes on
// reading, or closing would reset the connection before the client has read them.
func floodTLS(again []byte) func(net.Conn) {
	packed := bytes.Repeat(again, max(1, 32<<10/len(again)))
	return hello(func(conn net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		for {
			if _, err := conn.Write(packed); err != nil {
				return
			}
		}
	})
}

func drain(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// record is one of TLS 1.2 (RFC 5246, section 6.2.1).
func record(kind byte, content []byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(content) >> 8), byte(len(content))}, content...)
}

// chained shows a chain of so many certificates, each of over a kilobyte.
func (a authority) chained(n int) func(net.Conn) {
	chain := *a.cert
	chain.Certificate = append(slices.Clone(chain.Certificate), slices.Repeat(a.long.Certificate, n)...)
	config := &tls.Config{Certificates: []tls.Certificate{chain}}
	return func(conn net.Conn) {
		secured := tls.Server(conn, config)
		if secured.Handshake() == nil {
			answers(ok)(secured)
		}
	}
}

func tlsKinds(a authority, w wait) []hostile {
	drip := hello(func(conn net.Conn) {
		for _, b := range record(22, make([]byte, 1<<14)) {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(time.Second) // the pace of the fault
		}
	})
	kinds := []hostile{
		{name: "TLS: nothing after the connection", handle: func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, reasons: isTimeout, timeout: w.soon, hangsUp: true},
		{name: "TLS: reads nothing", handle: deaf("", w.over), reasons: isTimeout, timeout: w.soon, hangsUp: true},
		{name: "TLS: one byte a second", handle: drip, reasons: isTimeout, timeout: w.soon, hangsUp: true},
		{name: "TLS: garbage", handle: floodTLS([]byte("\x00\xff what?")), reasons: isTLS, hangsUp: true},
		{name: "TLS: plain HTTP", handle: hello(func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 No\r\n\r\n"); drain(conn) }), reasons: isTLS},
		{name: "TLS: a message of 16 MiB", handle: floodTLS(record(22, append([]byte{2, 0xff, 0xff, 0xff}, make([]byte, 1<<14-4)...))), reasons: isTLS, hangsUp: true},
		{name: "TLS: empty records", handle: floodTLS(record(22, nil)), reasons: isTLS, hangsUp: true},
		{name: "TLS: warnings", handle: floodTLS(record(21, []byte{1, 90})), reasons: isTLS, hangsUp: true},
		{name: "TLS: changes of cipher", handle: floodTLS(record(20, []byte{1})), reasons: isTLS, hangsUp: true},
		{name: "TLS: 190 KiB of certificates", handle: a.chained(150), reasons: isTLS, hangsUp: true},
		{name: "TLS: 380 KiB of certificates", handle: a.chained(300), reasons: isTLS, hangsUp: true},
		{name: "TLS: 30 KiB of certificates", handle: a.chained(24), reasons: isOK, status: 200},
		{name: "TLS: stalls after the request", handle: a.secure(stall("")), reasons: isTimeout, timeout: w.soon},
		{name: "TLS: body without end, 500", handle: a.secure(flood("HTTP/1.1 500 No\r\n\r\n", strings.Repeat("x", 32<<10))), reasons: isOK, status: 500, hangsUp: true},
		{name: "TLS: body a byte a record, 500", handle: a.secure(flood("HTTP/1.1 500 No\r\n\r\n", "x")), reasons: isOK, status: 500, hangsUp: true},
		{name: "TLS: reset in mid-body, 200", handle: func(conn net.Conn) { a.secure(once(head200 + "some"))(conn); reset(conn) }, reasons: isOK, status: 200},
		{name: "TLS: reads nothing, answers 500", handle: func(conn net.Conn) {
			shrink(conn)
			a.secure(func(secured net.Conn) {
				_, _ = secured.Read(make([]byte, 1))
				_, _ = io.WriteString(secured, head500+"some")
				<-w.over
			})(conn)
		}, reasons: isOK, status: 500, timeout: w.later, body: huge},
	}
	return secured(kinds)
}
