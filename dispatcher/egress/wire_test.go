package egress_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// ours are the headers that a receiver trusts, each to stand once.
var ours = []string{"webhook-id", "webhook-timestamp", "webhook-signature", "smobi-event-type", "smobi-attempt", "content-type", "content-length", "user-agent"}

// signed is a request with everything that the dispatcher sets, and some of an endpoint's.
func signed(url string) webhook.Request {
	request := post(url)
	request.Header.Set("smobi-event-type", "message.delivered")
	request.Header.Set("smobi-attempt", "1")
	for _, name := range []string{"X-Webhook-Signature", "Webhook", "Signature", "X-Smobi-Attempt", "Authorization", "Idempotency-Key", "Accept"} {
		request.Header.Set(name, "custom")
	}
	return request
}

// onWire sends to receivers of both protocols, and returns the names in what they got.
func onWire(t *testing.T, make func(url string) webhook.Request) map[string][]string {
	a := newAuthority(t)
	got := map[string]chan []string{"HTTP/1.1": gotten(), "HTTP/1.1 over TLS": gotten(), "HTTP/2": gotten()}
	plain := func(protocol string) func(net.Conn) {
		return func(conn net.Conn) {
			raw, _ := takeRequest(conn)
			var names []string
			for _, line := range strings.Split(strings.TrimSuffix(raw, "\r\n\r\n"), "\r\n")[1:] {
				name, _, _ := strings.Cut(line, ":")
				names = append(names, strings.ToLower(name))
			}
			got[protocol] <- names
			_, _ = io.WriteString(conn, ok)
		}
	}
	h2 := a.http2(func(p *peer) {
		stream, fields, _, err := p.take()
		if err != nil {
			return
		}
		var names []string
		for _, field := range fields {
			names = append(names, field.Name)
		}
		got["HTTP/2"] <- names
		_ = p.answer(stream, "200", "ok")
		p.drain()
	})
	client := newClient(t, a.trusting())
	names := map[string][]string{}
	for protocol, handle := range map[string]func(net.Conn){
		"HTTP/1.1": plain("HTTP/1.1"), "HTTP/1.1 over TLS": a.secure(plain("HTTP/1.1 over TLS"), "http/1.1"), "HTTP/2": h2,
	} {
		server := listen(t, "127.0.0.1:0", handle)
		url := server.https("127.0.0.1")
		if protocol == "HTTP/1.1" {
			url = server.url("127.0.0.1")
		}
		response := send(t, client, make(url))
		if response.Status == 200 {
			names[protocol] = <-got[protocol]
		} else if response.Reason != webhook.ReasonProtocol || server.accepted.Load() != 0 {
			t.Errorf("%s: %+v", protocol, response)
		}
	}
	return names
}

func gotten() chan []string { return make(chan []string, 4) }

func TestSignatureHeadersStandOnceOnTheWire(t *testing.T) {
	protocols := onWire(t, signed)
	if len(protocols) != 3 {
		t.Fatalf("only %d were sent", len(protocols))
	}
	for protocol, names := range protocols {
		for _, name := range ours {
			folded := func(other string) bool { return strings.ReplaceAll(other, "_", "-") == name }
			if first := slices.IndexFunc(names, folded); first < 0 || slices.IndexFunc(names[first+1:], folded) >= 0 {
				t.Errorf("%s: %s does not stand once in %q", protocol, name, names)
			}
		}
		if slices.Contains(names, "accept-encoding") || slices.Contains(names, "cookie") || slices.Contains(names, "transfer-encoding") {
			t.Errorf("%s: %q", protocol, names)
		}
		if !slices.Contains(names, "idempotency-key") || !slices.Contains(names, "x-webhook-signature") {
			t.Errorf("%s: an endpoint's own headers are missing in %q", protocol, names)
		}
	}
}

// Whatever passed the rules for custom headers: a request in which a name would
// stand twice is not sent.
func TestHeadersThatWouldStandTwiceAreNotSent(t *testing.T) {
	for i, change := range []func(http.Header){
		func(h http.Header) { h["webhook-signature"] = []string{"v1,b3RoZXI="} },
		func(h http.Header) { h["WEBHOOK-ID"] = []string{"evt_2"} },
		func(h http.Header) { h["Webhook_Signature"] = []string{"v1,b3RoZXI="} },
		func(h http.Header) { h["webhook_timestamp"] = []string{"1"} },
		func(h http.Header) { h.Add("Webhook-Signature", "v1,b3RoZXI=") },
		func(h http.Header) { h["Webhook-Signature"] = nil },
		func(h http.Header) { h["X-A"], h["x_a"] = []string{"1"}, []string{"2"} },
		func(h http.Header) { h["Host"] = []string{"other.example.com"} },
		func(h http.Header) { h["content-length"] = []string{"2"} },
		func(h http.Header) { h["Transfer_Encoding"] = []string{"chunked"} },
	} {
		sent := onWire(t, func(url string) webhook.Request {
			request := signed(url)
			change(request.Header)
			return request
		})
		if len(sent) != 0 {
			t.Errorf("%d: sent %v", i+1, fmt.Sprint(sent))
		}
	}
}

// Line ends in what would be a header cannot begin another one.
func TestHeadersCannotBeSmuggled(t *testing.T) {
	for name, value := range map[string]string{"X-A": "a\r\nWebhook-Signature: v1,b3RoZXI=", "X-A\r\nX-B": "a", "X-A: b\r\nX-B": "c", "X-A\n": "b", "X A": "b", "": "b", ":path": "/other", "X-C": "a\x00b"} {
		sent := onWire(t, func(url string) webhook.Request {
			request := signed(url)
			request.Header[name] = []string{value}
			return request
		})
		if len(sent) != 0 {
			t.Errorf("%q: sent %v", name, sent)
		}
	}
}
