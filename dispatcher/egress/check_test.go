package egress_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/webhook"
)

var checkOrder = []string{webhook.PhasePolicy, webhook.PhaseDNS, webhook.PhaseConnect, webhook.PhaseTLS, webhook.PhaseHTTP}

// fixedWords is all that the phases after policy may say.
var fixedWords = regexp.MustCompile(`^(|resolves|does not resolve|the host is an address|the name servers (did not answer in time|gave no usable answer)` +
	`|connected|refused|timed out|not allowed|unreachable|interrupted|http URLs have no TLS` +
	`|certificate valid until \d{4}-\d\d-\d\d(, which is within 14 days: renew it)?` +
	`|(the certificate|a certificate that the server's depends on) (expired on|is not valid before) \d{4}-\d\d-\d\d` +
	`|the certificate (is issued for another host name|cannot be verified|is signed by an unknown authority, or an intermediate certificate is missing)` +
	`|the protocol version is too old: TLS 1.2 or later is needed|the server does not speak TLS on this port|the handshake failed` +
	`|the connection was closed (during the handshake|before an answer was complete)|no answer in time` +
	`|the server ended TLS: it may ask for a client certificate|the answer is not HTTP, or its header is over 64 KiB` +
	`|[1-9]\d\d( [A-Z][A-Za-z' -]+)?(; redirects are not followed: register the final URL)?)$`)

// anAddress finds IPv4, IPv6 and their ports.
var anAddress = regexp.MustCompile(`\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f]*:|\]:\d`)

// enough is a deadline that is expected, by a phase after others that must not meet it.
const enough = 2 * time.Second

func check(t testing.TB, c *egress.Client, url string) webhook.Check {
	t.Helper()
	return checkContext(t, t.Context(), c, url)
}

// checkContext fails the test when Check does not return, or breaks what holds for every one.
func checkContext(t testing.TB, ctx context.Context, c *egress.Client, url string) webhook.Check {
	t.Helper()
	done := make(chan webhook.Check, 1)
	go func() { done <- c.Check(ctx, url) }()
	var got webhook.Check
	select {
	case got = <-done:
	case <-time.After(patience):
		t.Fatal("Check does not return")
	}
	failed := false
	for i, phase := range got.Phases {
		if len(got.Phases) != len(checkOrder) || phase.Name != checkOrder[i] {
			t.Fatalf("%s: phases %+v, want %v", url, got.Phases, checkOrder)
		}
		if skipped := phase.Result == webhook.PhaseSkipped; failed && !skipped || skipped != (phase.Duration == 0) {
			t.Errorf("%s: %+v", url, got.Phases)
		}
		if anAddress.MatchString(phase.Detail) || phase.Name != webhook.PhasePolicy && !fixedWords.MatchString(phase.Detail) {
			t.Errorf("%s: detail %q", url, phase.Detail)
		}
		failed = failed || phase.Result == webhook.PhaseFailed
	}
	if got.Reachable == failed || got.Reachable != (got.Status != 0) || strings.Contains(fmt.Sprint(got), "s3cret") {
		t.Errorf("%s: %+v", url, got)
	}
	return got
}

// story is a check in one line: what failed, or the last phase.
func story(got webhook.Check) string {
	for _, phase := range got.Phases {
		if phase.Result == webhook.PhaseFailed {
			return phase.Name + ": " + phase.Detail
		}
	}
	return got.Phases[len(got.Phases)-1].Detail
}

func (r *receiver) https(host string) string {
	return strings.Replace(r.url(host), "http:", "https:", 1)
}

func TestCheckPolicy(t *testing.T) {
	cfg := open()
	cfg.Ports = []int{443, 8443}
	client := newClient(t, cfg)
	for url, want := range map[string]string{
		"":                             "is required",
		"ftp://example.com/":           "scheme must be https or http",
		"https://example.com:1/":       "port must be one of 443, 8443",
		"https://user:s3cret@a.test/":  "must not contain credentials; set a header instead",
		"https://10.0.0.1/?t=s3cret":   "host must be reachable from the public Internet",
		"https://[fd00::1]/?t=s3cret":  "host must be reachable from the public Internet",
		"https://169.254.169.254/x":    "host must be reachable from the public Internet",
		"https://192.0.2.1.7/?t=s3":    "host must be a name, or an address in its usual form: four decimal numbers, or IPv6 in brackets",
		"https://a.test/\x00?t=s3cret": "must not contain whitespace or control characters",
	} {
		got := check(t, client, url)
		if got.Phases[0].Result != webhook.PhaseFailed || got.Phases[0].Detail != want {
			t.Errorf("%s: %+v, want policy: %s", url, got, want)
		}
	}
	if got := check(t, client, "https://user@example.com/hook?t=s3cret"); got.URL != "https://example.com/hook?redacted" {
		t.Errorf("URL %s", got.URL)
	}
}

func TestCheckNeverConnectsToARefusedAddress(t *testing.T) {
	canary := listen(t, "127.0.0.1:0", answers(ok))
	resolver := names(t, map[string][]string{
		"loopback.test": {"127.0.0.1"}, "mapped.test": {"::ffff:127.0.0.1"}, "six.test": {"::1"}, "both.test": {"127.0.0.1", "::1"},
		"metadata.test": {"169.254.169.254"}, "private.test": {"10.0.0.1", "192.168.0.1"}, "zero.test": {"0.0.0.0"}, "nat64.test": {"64:ff9b::7f00:1"},
	})
	client := newClient(t, open().WithResolver(resolver))
	for _, raw := range refusedURLs {
		url := strings.ReplaceAll(raw, "PORT", strconv.Itoa(canary.port))
		if got := check(t, client, url); got.Phases[0].Result != webhook.PhaseFailed {
			t.Errorf("%s: %+v, want policy to fail", raw, got)
		}
	}
	for _, host := range []string{"loopback.test", "mapped.test", "six.test", "both.test", "metadata.test", "private.test", "zero.test", "nat64.test"} {
		for _, url := range []string{canary.url(host), canary.https(host)} {
			got := check(t, client, url)
			if story(got) != "connect: not allowed" || got.Phases[1].Detail != "resolves" {
				t.Errorf("%s: %+v, want not allowed", url, got)
			}
		}
	}
	if n := canary.count(t); n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestCheckNames(t *testing.T) {
	broken := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }}
	for want, cfg := range map[string]egress.Config{
		"dns: does not resolve":                       loopback().WithResolver(names(t, nil)),
		"dns: the name servers gave no usable answer": loopback().WithResolver(broken),
	} {
		if got := check(t, newClient(t, cfg), "http://receiver.test/?t=s3cret"); story(got) != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

func TestCheckOfNameServersThatHangMeetsTheDeadline(t *testing.T) {
	answer := make(chan struct{})
	t.Cleanup(func() { close(answer) })
	cfg := loopback().WithResolver(&net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		<-answer
		return nil, net.ErrClosed
	}})
	cfg.DefaultTimeout = short
	if got := check(t, newClient(t, cfg), "http://receiver.test/"); story(got) != "dns: the name servers did not answer in time" {
		t.Errorf("got %+v", got)
	}
}

func TestCheckConnects(t *testing.T) {
	server, closed := listen(t, "127.0.0.1:0", answers(ok)), listen(t, "127.0.0.1:0", answers(ok))
	closed.Close()
	cfg := loopback().WithResolver(names(t, map[string][]string{
		"receiver.test": {"127.0.0.1"}, "mixed.test": {"10.0.0.1", "127.0.0.1", "169.254.169.254"}, "both.test": {"::1", "127.0.0.1"},
	}))
	client := newClient(t, cfg)
	for url, want := range map[string]string{
		server.url("receiver.test"): "200 OK",
		server.url("127.0.0.1"):     "200 OK",
		server.url("mixed.test"):    "200 OK", // one of three is allowed
		server.url("both.test"):     "200 OK", // one of two listens
		closed.url("receiver.test"): "connect: refused",
		closed.url("127.0.0.1"):     "connect: refused",
		closed.url("mixed.test"):    "connect: refused", // one was tried: down, not forbidden
	} {
		got := check(t, client, url)
		if story(got) != want {
			t.Errorf("%s: %+v, want %s", url, got, want)
		}
		if literal := strings.Contains(url, "127.0.0.1"); (got.Phases[1].Result == webhook.PhaseSkipped) != literal {
			t.Errorf("%s: dns %+v", url, got.Phases[1])
		}
	}
}

// What is sent, on which connection, and that it is closed.
func TestCheckIsOneHEADOnAConnectionOfItsOwn(t *testing.T) {
	heads, ended := make(chan string, 9), make(chan struct{}, 9)
	server := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		for {
			head, _ := takeRequest(conn)
			if head == "" {
				ended <- struct{}{}
				return
			}
			heads <- head
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	cfg := loopback()
	cfg.UserAgent = "outhook/1.2.3"
	client := newClient(t, cfg)
	send(t, client, post(server.url("127.0.0.1")))
	<-heads
	for range 2 {
		if got := check(t, client, server.url("127.0.0.1")+"/hook?a=s3cret"); got.Status != 200 {
			t.Fatalf("got %+v", got)
		}
		<-ended // though the client is not closed
		lines := strings.Split(strings.TrimSuffix(<-heads, "\r\n\r\n"), "\r\n")
		slices.Sort(lines[1:])
		want := []string{"HEAD /hook?a=s3cret HTTP/1.1", "Connection: close", fmt.Sprintf("Host: 127.0.0.1:%d", server.port), "User-Agent: outhook/1.2.3"}
		if !slices.Equal(lines, want) {
			t.Errorf("got %q, want %q", lines, want)
		}
	}
	if got := send(t, client, post(server.url("127.0.0.1"))); got.Status != 200 || got.Phases.Connect != 0 {
		t.Errorf("%+v: the connection of deliveries was not left alone", got)
	}
	if n := server.accepted.Load(); n != 3 {
		t.Errorf("%d connections, want one for two deliveries and two for two checks", n)
	}
}

func TestConcurrentChecks(t *testing.T) {
	server := listen(t, "127.0.0.1:0", answers(ok))
	client := newClient(t, loopback().WithResolver(names(t, map[string][]string{"receiver.test": {"127.0.0.1"}})))
	results := make(chan webhook.Check)
	for range 20 {
		go func() { results <- client.Check(t.Context(), server.url("receiver.test")) }()
	}
	for range 20 {
		if got := <-results; story(got) != "200 OK" {
			t.Errorf("got %+v", got)
		}
	}
}
