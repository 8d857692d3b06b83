package egress_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	noTLS       = "tls: the server does not speak TLS on this port"
	oldTLS      = "tls: the protocol version is too old: TLS 1.2 or later is needed"
	unknownCA   = "tls: the certificate is signed by an unknown authority, or an intermediate certificate is missing"
	renew       = ", which is within 14 days: renew it"
	handshake   = "tls: the handshake failed"
	closedEarly = "tls: the connection was closed during the handshake"
)

func nothing(http.ResponseWriter, *http.Request) {}

func date(at time.Time) string { return at.UTC().Format(time.DateOnly) }

func TestCheckOfCertificates(t *testing.T) {
	now := time.Now()
	ca, stranger := issue(t, nil, asCA), issue(t, nil, asCA)
	from := func(parent *tls.Certificate, change func(*x509.Certificate)) *tls.Certificate {
		return issue(t, parent, change)
	}
	until := func(end time.Time) *tls.Certificate { return from(ca, func(c *x509.Certificate) { c.NotAfter = end }) }
	stale := from(ca, func(c *x509.Certificate) { asCA(c); c.Subject.CommonName = "stale"; c.NotAfter = now.Add(-time.Hour) })
	chained := from(stale, unchanged)
	chained.Certificate = append(chained.Certificate, stale.Certificate...)

	for name, test := range map[string]struct {
		cert *tls.Certificate
		want string // of the tls phase
	}{
		"for long":   {until(now.AddDate(0, 3, 0)), "certificate valid until " + date(now.AddDate(0, 3, 0))},
		"15 days":    {until(now.AddDate(0, 0, 15)), "certificate valid until " + date(now.AddDate(0, 0, 15))},
		"13 days":    {until(now.AddDate(0, 0, 13)), "certificate valid until " + date(now.AddDate(0, 0, 13)) + renew},
		"unknown CA": {from(stranger, unchanged), unknownCA[5:]},
		"of its own": {from(nil, unchanged), unknownCA[5:]},
		"expired":    {until(now.Add(-time.Hour)), "the certificate expired on " + date(now.Add(-time.Hour))},
		"not yet": {from(ca, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour) }),
			"the certificate is not valid before " + date(now.Add(time.Hour))},
		"another host": {from(ca, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"10.0.0.1", "internal.test"} }),
			"the certificate is issued for another host name"},
		"for clients": {from(ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
			"the certificate cannot be verified"},
		"expired intermediate": {chained, "a certificate that the server's depends on expired on " + date(now.Add(-time.Hour))},
	} {
		cfg := loopback()
		cfg.CABundle = pemOf(ca.Leaf)
		got := check(t, newClient(t, cfg), serveTLS(t, &tls.Config{Certificates: []tls.Certificate{*test.cert}}, false, nothing))
		if phase := got.Phases[3]; phase.Detail != test.want || got.Reachable != (phase.Result == webhook.PhaseOK) {
			t.Errorf("%s: %+v, want %s", name, got, test.want)
		}
		if !got.CertificateEndsAt.Equal(test.cert.Leaf.NotAfter) || got.CertificateEndsAt.Location() != time.UTC {
			t.Errorf("%s: ends at %v, want %v", name, got.CertificateEndsAt, test.cert.Leaf.NotAfter)
		}
	}
}

// A session of an earlier connection would show the certificate of then.
func TestCheckSeesARenewedCertificate(t *testing.T) {
	ca := issue(t, nil, asCA)
	renewed := issue(t, ca, func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(1, 0, 0) })
	current := make(chan *tls.Certificate, 1)
	current <- issue(t, ca, unchanged)
	url := serveTLS(t, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		cert := <-current
		current <- renewed
		return &tls.Config{Certificates: []tls.Certificate{*cert}}, nil
	}}, false, nothing)
	cfg := loopback()
	cfg.CABundle = pemOf(ca.Leaf)
	client := newClient(t, cfg)
	if got := send(t, client, post(url)); got.Status != 200 {
		t.Fatalf("got %+v", got)
	}
	for range 2 {
		if got := check(t, client, url); !got.CertificateEndsAt.Equal(renewed.Leaf.NotAfter) {
			t.Errorf("%+v, want an end at %v", got, renewed.Leaf.NotAfter)
		}
	}
}

func TestCheckOfTLSVersions(t *testing.T) {
	ca := issue(t, nil, asCA)
	good := []tls.Certificate{*issue(t, ca, unchanged)}
	cfg := loopback()
	cfg.CABundle = pemOf(ca.Leaf)
	for name, test := range map[string]struct {
		config *tls.Config
		want   string
	}{
		"1.3":                             {&tls.Config{Certificates: good, MinVersion: tls.VersionTLS13}, "200 OK"},
		"1.2":                             {&tls.Config{Certificates: good, MaxVersion: tls.VersionTLS12}, "200 OK"},
		"1.1":                             {&tls.Config{Certificates: good, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, oldTLS},
		"1.0":                             {&tls.Config{Certificates: good, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, oldTLS},
		"1.2, wants a client certificate": {&tls.Config{Certificates: good, MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}, handshake},
	} {
		if got := check(t, newClient(t, cfg), serveTLS(t, test.config, false, nothing)); story(got) != test.want {
			t.Errorf("%s: %+v, want %s", name, got, test.want)
		}
	}
	// In 1.3 that comes after the handshake; whether the alert is read before
	// the connection is gone is up to the network.
	url := serveTLS(t, &tls.Config{Certificates: good, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}, false, nothing)
	if got := check(t, newClient(t, cfg), url); story(got) != "http: the server ended TLS: it may ask for a client certificate" && story(got) != hungUp {
		t.Errorf("got %+v", got)
	}
}

// says reads the client's first byte, writes a text and keeps quiet.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = bufio.NewReaderSize(conn, 4<<10).Peek(1)
		_, _ = io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, conn)
	}
}

func TestCheckOfTLSThatIsNone(t *testing.T) {
	t.Parallel()
	serverHello10 := "\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + strings.Repeat("r", 32) + "\x00\x00\x2f\x00"
	for name, test := range map[string]struct {
		handle func(net.Conn)
		want   string
	}{
		"plain HTTP": {says("HTTP/1.1 400 Bad Request\r\n\r\n"), noTLS},
		"mail, speaks first": {func(conn net.Conn) {
			_, _ = io.WriteString(conn, "220 192.0.2.1 ESMTP\r\n")
			_, _ = io.Copy(io.Discard, conn)
		}, noTLS},
		"three bytes, then closed": {func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4<<10)); _, _ = io.WriteString(conn, "no\n") }, noTLS},
		"a version that is none":   {says("\x16\x54\x54\x50\x2f\x31\x2e\x31"), noTLS},
		"hello of 1.0":             {says(serverHello10), oldTLS},
		"alert: version":           {says("\x15\x03\x01\x00\x02\x02\x46"), oldTLS},
		"alert: handshake":         {says("\x15\x03\x03\x00\x02\x02\x28"), handshake},
		"out of order":             {says("\x16\x03\x03\x00\x04\x0e\x00\x00\x00"), handshake},
		"hangs":                    {says(""), "tls: no answer in time"},
		"hangs in a record":        {says("\x16\x03\x03\x01\x00\x02"), "tls: no answer in time"},
		"drips a message": {func(conn net.Conn) {
			_, err := io.WriteString(conn, "\x16\x03\x03\x00\x04\x02\x00\xff\xff")
			for err == nil {
				time.Sleep(time.Millisecond) // the pace of the fault
				_, err = io.WriteString(conn, "\x16\x03\x03\x00\x01r")
			}
		}, "tls: no answer in time"},
		"floods a message": {func(conn net.Conn) {
			_, err := io.WriteString(conn, "\x16\x03\x03\x00\x04\x02\x00\xff\xff")
			for record := "\x16\x03\x03\x40\x00" + strings.Repeat("r", 0x4000); err == nil; {
				_, err = io.WriteString(conn, record)
			}
		}, handshake},
		"closes": {func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4<<10)) }, closedEarly},
		"resets": {func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)); reset(conn) }, closedEarly},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, "127.0.0.1:0", test.handle)
			cfg := loopback().WithResolver(names(t, map[string][]string{"receiver.test": {"127.0.0.1"}}))
			cfg.DefaultTimeout = patience
			if strings.HasSuffix(test.want, "in time") {
				cfg.DefaultTimeout = enough
			}
			got := check(t, newClient(t, cfg), server.https("receiver.test")+"/?t=s3cret")
			if story(got) != test.want || !got.CertificateEndsAt.IsZero() {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

func TestCheckSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	ca := issue(t, nil, asCA)
	seen := make(chan *http.Request, 1)
	url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{*issue(t, ca, unchanged)}}, true, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/hang":
			<-r.Context().Done()
		case "/hints":
			for r.Context().Err() == nil {
				w.WriteHeader(http.StatusEarlyHints)
			}
		case "/headers":
			w.Header().Set("X-A", strings.Repeat("x", 66<<10))
		default:
			seen <- r
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
	cfg := loopback()
	cfg.CABundle, cfg.DefaultTimeout = pemOf(ca.Leaf), patience
	client := newClient(t, cfg)
	if got := check(t, client, url); story(got) != "405 Method Not Allowed" {
		t.Fatalf("got %+v", got)
	}
	if r := <-seen; r.Method != http.MethodHead || r.ProtoMajor != 2 || len(r.Header) != 1 || r.Header.Get("User-Agent") != "outhook" {
		t.Errorf("got %s %s %v", r.Method, r.Proto, r.Header)
	}
	for path, want := range map[string]string{"/abort": hungUp, "/headers": hungUp, "/hints": notHTTP} {
		if got := check(t, client, url+path); story(got) != want {
			t.Errorf("%s: %+v, want %s", path, got, want)
		}
	}
	cfg.DefaultTimeout = enough
	if got := check(t, newClient(t, cfg), url+"/hang"); story(got) != late {
		t.Errorf("got %+v", got)
	}
}

// A transport of net/http would dial again and again.
func TestCheckDialsOnceAnHTTP2ServerThatTurnsItAway(t *testing.T) {
	ca := issue(t, nil, asCA)
	config := &tls.Config{Certificates: []tls.Certificate{*issue(t, ca, unchanged)}, NextProtos: []string{"h2"}}
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		inner := tls.Server(conn, config)
		if _, err := io.ReadFull(inner, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		framer := http2.NewFramer(inner, inner)
		_ = framer.WriteSettings()
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			if _, asked := frame.(*http2.HeadersFrame); asked {
				_ = framer.WriteGoAway(0, http2.ErrCodeNo, nil)
				_, _ = io.Copy(io.Discard, inner)
			}
		}
	})
	cfg := loopback()
	cfg.CABundle, cfg.DefaultTimeout = pemOf(ca.Leaf), enough
	if got := check(t, newClient(t, cfg), server.https("127.0.0.1")); story(got) != hungUp {
		t.Errorf("got %+v", got)
	}
	if n := server.accepted.Load(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
}
