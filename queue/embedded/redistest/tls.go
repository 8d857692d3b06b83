package redistest

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

// StartTLS runs a server as [Start] does that answers TLS too, at the address returned, with the certificate of these PEM files,
// and only clients whose own certificate is from the authority.
func StartTLS(t testing.TB, authority, certificate, key string, opts ...string) (s *Server, addr string) {
	t.Helper()
	port := strconv.Itoa(freePort(t))
	s, err := start(t, append([]string{
		"--tls-port", port, "--tls-auth-clients", "yes",
		"--tls-ca-cert-file", authority, "--tls-cert-file", certificate, "--tls-key-file", key,
	}, opts...))
	if err != nil && strings.Contains(err.Error(), "Bad directive") {
		lacking(t, "this redis-server was built without TLS")
	}
	if err != nil {
		t.Fatalf("start redis: %v", err)
	}
	return s, net.JoinHostPort("127.0.0.1", port)
}
