package egress_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func pemOf(certs ...*x509.Certificate) []byte {
	var text []byte
	for _, cert := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return text
}

// issue makes a certificate for 127.0.0.1, signed by parent or by itself.
func issue(t *testing.T, parent *tls.Certificate, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "example.com"},
		NotBefore:    time.Now().Add(-2 * time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	change(template)
	issuer, signer := template, any(key)
	if parent != nil {
		issuer, signer = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func asCA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func unchanged(*x509.Certificate) {}

func serveTLS(t *testing.T, config *tls.Config, http2 bool, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handle)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS, server.EnableHTTP2 = config, http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func TestTLS(t *testing.T) {
	ca, stranger := issue(t, nil, asCA), issue(t, nil, asCA)
	good := issue(t, ca, unchanged)
	cfg := loopback()
	cfg.CABundle = pemOf(ca.Leaf)

	for name, test := range map[string]struct {
		config *tls.Config
		want   webhook.Reason
	}{
		"bundle, TLS 1.3": {&tls.Config{Certificates: []tls.Certificate{*good}, MinVersion: tls.VersionTLS13}, webhook.ReasonOK},
		"bundle, TLS 1.2": {&tls.Config{Certificates: []tls.Certificate{*good}, MaxVersion: tls.VersionTLS12}, webhook.ReasonOK},
		"TLS 1.1":         {&tls.Config{Certificates: []tls.Certificate{*good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, webhook.ReasonTLS},
		"unknown CA":      {&tls.Config{Certificates: []tls.Certificate{*issue(t, stranger, unchanged)}}, webhook.ReasonTLS},
		"self-signed":     {&tls.Config{Certificates: []tls.Certificate{*issue(t, nil, unchanged)}}, webhook.ReasonTLS},
		"expired": {&tls.Config{Certificates: []tls.Certificate{*issue(t, ca, func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(-time.Hour)
		})}}, webhook.ReasonTLS},
		"not yet valid": {&tls.Config{Certificates: []tls.Certificate{*issue(t, ca, func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(30 * time.Minute)
		})}}, webhook.ReasonTLS},
		"another host": {&tls.Config{Certificates: []tls.Certificate{*issue(t, ca, func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"example.com"}
		})}}, webhook.ReasonTLS},
		"wants a client certificate": {&tls.Config{
			Certificates: []tls.Certificate{*good}, MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert,
		}, webhook.ReasonTLS},
	} {
		url := serveTLS(t, test.config, false, func(http.ResponseWriter, *http.Request) {})
		if got := send(t, newClient(t, cfg), post(url)); got.Reason != test.want {
			t.Errorf("%s: got %+v, want %s", name, got, test.want)
		}
	}
}

func TestTLSThatIsNone(t *testing.T) {
	for name, test := range map[string]struct {
		handle func(net.Conn)
		want   webhook.Reason
	}{
		"plain HTTP": {func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4<<10))
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}, webhook.ReasonTLS},
		"hangs in the handshake":  {hang(t), webhook.ReasonTimeout},
		"closes in the handshake": {func(conn net.Conn) { _, _ = bufio.NewReader(conn).Peek(1) }, webhook.ReasonReset},
		"resets in the handshake": {func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)); reset(conn) }, webhook.ReasonReset},
		"an alert in the handshake": {func(conn net.Conn) {
			_, _ = bufio.NewReader(conn).Peek(1)
			_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, 40})
			_, _ = io.Copy(io.Discard, conn)
		}, webhook.ReasonTLS},
		"a handshake out of order": {func(conn net.Conn) {
			_, _ = bufio.NewReader(conn).Peek(1)
			_, _ = conn.Write([]byte{22, 3, 3, 0, 4, 14, 0, 0, 0})
			_, _ = io.Copy(io.Discard, conn)
		}, webhook.ReasonTLS},
	} {
		server := listen(t, "127.0.0.1:0", test.handle)
		request := post(strings.Replace(server.url("127.0.0.1"), "http:", "https:", 1))
		request.Timeout = short
		if got := send(t, newClient(t, loopback()), request); got.Reason != test.want || got.Status != 0 {
			t.Errorf("%s: got %+v, want %s", name, got, test.want)
		}
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	ca := issue(t, nil, asCA)
	seen := make(chan *http.Request, 1)
	bodies := make(chan string, 1)
	url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{*issue(t, ca, unchanged)}}, true, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/hang":
			<-r.Context().Done()
		case "/headers":
			w.Header().Set("X-A", strings.Repeat("x", 66<<10))
		case "/stall":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/error":
			http.Error(w, "no", http.StatusServiceUnavailable)
		default:
			body, _ := io.ReadAll(r.Body)
			seen <- r
			bodies <- string(body)
		}
	})
	cfg := loopback()
	cfg.CABundle = pemOf(ca.Leaf)
	client := newClient(t, cfg)

	request := post(url + "/")
	if got := send(t, client, request); got.Status != 200 {
		t.Fatalf("got %+v", got)
	}
	r := <-seen
	if body := <-bodies; r.ProtoMajor != 2 || body != string(request.Body) || len(r.Header["Webhook-Signature"]) != 1 ||
		r.Header.Get("Content-Type") != "application/json" || r.Header["Accept-Encoding"] != nil || r.Header["Idempotency-Key"] != nil {
		t.Errorf("got %s, %v, %q", r.Proto, r.Header, body)
	}
	for path, want := range map[string]webhook.Response{
		"/abort":   {Reason: webhook.ReasonReset},
		"/hang":    {Reason: webhook.ReasonTimeout},
		"/headers": {Reason: webhook.ReasonReset}, // too large: net/http gives up the connection, by an error without a type
		"/stall":   {Reason: webhook.ReasonOK, Status: 200},
		"/error":   {Reason: webhook.ReasonOK, Status: 503, Body: []byte("no\n")},
	} {
		request := post(url + path)
		if want.Reason == webhook.ReasonTimeout {
			request.Timeout = short
		}
		if got := send(t, client, request); got.Reason != want.Reason || got.Status != want.Status || string(got.Body) != string(want.Body) {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}
