package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/signer"
)

// recorded is the last request that a server got.
type recorded struct {
	mu     sync.Mutex
	target string
	header http.Header
	body   string
}

func (r *recorded) ServeHTTP(_ http.ResponseWriter, asked *http.Request) {
	body, _ := io.ReadAll(asked.Body) // what is missing shows
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target, r.header, r.body = asked.Method+" "+asked.RequestURI, asked.Header, string(body)
}

// take returns what came last: method and target, header, body.
func (r *recorded) take() (string, http.Header, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.target, r.header, r.body
}

func signedRequest(t *testing.T, secret signer.Secret, address, body string) httpapi.SignedRequest {
	t.Helper()
	now := time.Now()
	signature, err := signer.Sign("e1", now, []byte(body), secret)
	if err != nil {
		t.Fatal(err)
	}
	return httpapi.SignedRequest{Method: "POST", URL: address, Body: body, Headers: map[string]string{
		signer.HeaderID: "e1", signer.HeaderTimestamp: fmt.Sprint(now.Unix()), signer.HeaderSignature: signature, "content-type": "application/json",
	}}
}

// curlBodies are what a shell, printf or curl may stumble over.
func curlBodies() []string {
	bodies := []string{"{}", "@/etc/hostname", "-", "\x00\n", `{"long":"` + strings.Repeat("it's", 60_000) + `"}`}
	for _, text := range awkward()[1:] {
		bodies = append(bodies, `{"a":"`+text+"\"}\r\n")
	}
	return bodies
}

// Whatever is in the body, the headers and the URL, curl sends it as it is, and the signature holds.
func TestCurlSendsTheRequest(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl on this machine")
	}
	var got recorded
	server := httptest.NewServer(&got)
	t.Cleanup(server.Close)
	targets := []string{"/", "/a/../b/./c?q=1&x=$HOME", "/?t=[1-3]&u={a,b}&v='&w=`id`", "/%20%27?k=%0a"}
	secret := signer.NewSecret()
	for i, body := range curlBodies() {
		target := targets[i%len(targets)]
		r := signedRequest(t, secret, server.URL+target, body)
		r.Headers["x-team"], r.Headers["x-empty"] = "it's $HOME `id` \"q\" \\ %s !! @x; a:b \u202e\u009b", ""
		script := runCurl(t, r)
		line, header, sent := got.take()
		if line != "POST "+target || sent != body {
			t.Fatalf("asked %s with %.200q, want %s with %.200q:\n%.2000s", line, sent, target, body, script)
		}
		for name, value := range r.Headers {
			if values, ok := header[http.CanonicalHeaderKey(name)]; !ok || values[0] != value {
				t.Errorf("header %s is %q, want %q", name, values, value)
			}
		}
		if err := signer.Verify(header, []byte(sent), time.Now(), time.Minute, secret); err != nil {
			t.Errorf("%v:\n%.2000s", err, script)
		}
		checkHarmless(t, script, strings.Count(script, "\n"))
	}
}

// runCurl gives the command to a shell, and returns it.
func runCurl(t *testing.T, r httpapi.SignedRequest) string {
	t.Helper()
	script, err := curlCommand(r)
	if err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("sh")
	shell.Stdin = strings.NewReader(script) // a large one would be no argument
	if out, err := shell.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 200 OK\r\n") {
		t.Fatalf("%v: %s\n%.2000s", err, out, script)
	}
	return script
}

func TestCurlCommandReads(t *testing.T) {
	t.Parallel()
	r := httpapi.SignedRequest{Method: "POST", URL: "https://example.com/hook?k=1", Body: `{"a":"it's"}`,
		Headers: map[string]string{"webhook-id": "e1", "content-type": "application/json"}}
	p := playAPI(t, ok(r))
	checkOutcome(t, p.run(t, "event", "explain", "e1", "--brand=acme", "--curl", "--endpoint=ep_a"), outcome{exitDone, `curl -sSi \
  -H 'content-type: application/json' \
  -H 'webhook-id: e1' \
  --data-binary '{"a":"it'\''s"}' \
  'https://example.com/hook?k=1'
`, curlNote})
	p.run(t, "event", "explain", "e1", "--brand=acme", "--curl", "--endpoint=ep_a", "-o=json").prints(t, encodedAs(t, r))
	want := eventsPath + "/e1/request?endpointId=ep_a"
	if diff := cmp.Diff([]string{want, want}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

const curlNote = "signed now, good for some five minutes; nothing was sent. It shows the values of the endpoint's headers\n"

// The endpoint is the only one that the event went to, or must be named.
func TestCurlFindsTheEndpoint(t *testing.T) {
	t.Parallel()
	event := func(endpoints ...string) apiAnswer {
		e := httpapi.Event{ID: "e1", Payload: []byte("{}"), Deliveries: []httpapi.Delivery{}}
		for _, id := range endpoints {
			e.Deliveries = append(e.Deliveries, httpapi.Delivery{EndpointID: id})
		}
		return ok(e)
	}
	curl := []string{"event", "explain", "e1", "--brand=acme", "--curl"}
	p := playAPI(t, event("ep_a"), ok(httpapi.SignedRequest{URL: "https://example.com", Body: "{}"}))
	checkOutcome(t, p.run(t, curl...), outcome{exitDone, "curl -sSi \\\n  --data-binary '{}' \\\n  'https://example.com'\n", curlNote})
	if diff := cmp.Diff([]string{eventsPath + "/e1", eventsPath + "/e1/request?endpointId=ep_a"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	playAPI(t, event("ep_a", "ep_b")).run(t, curl...).fails(t, exitUsage, "event explain: --endpoint: is required, as the event has deliveries to ep_a, ep_b")
	playAPI(t, event()).run(t, curl...).fails(t, exitUsage, "event explain: --endpoint: is required, as the event has no delivery")
}

// Nothing that could do something else than the POST is printed.
func TestCurlRefuses(t *testing.T) {
	t.Parallel()
	const line = "event explain: event e1 of brand acme: the "
	curl := []string{"event", "explain", "e1", "--brand=acme", "--curl", "--endpoint=ep_a"}
	for name, tc := range map[string]struct {
		url, body, header, value, line string
	}{
		"no payload":    {"https://example.com", "", "a", "b", "payload is no longer kept: there is nothing to send"},
		"a file":        {"file:///etc/passwd", "{}", "a", "b", "server answered a URL that is none of http or https"},
		"an option":     {"-o/etc/passwd", "{}", "a", "b", "server answered a URL that is none of http or https"},
		"headers' file": {"https://example.com", "{}", "@/etc/passwd", "b", "server answered a header that is none"},
		"two headers":   {"https://example.com", "{}", "a", "b\r\nc: d", "server answered a header that is none"},
		"no name":       {"https://example.com", "{}", "", "b", "server answered a header that is none"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httpapi.SignedRequest{URL: tc.url, Body: tc.body, Headers: map[string]string{tc.header: tc.value}}
			playAPI(t, ok(r)).run(t, curl...).fails(t, exitFailed, line+tc.line)
		})
	}
	checkRefused(t, map[string]refusedCase{
		"unknown": {notFound(), curl, "event explain: event e1 of brand acme, or endpoint ep_a: not found, or not for this key to see"},
	})
	checkUsage(t, map[string]usageCase{
		"endpoint alone": {[]string{"event", "explain", "e1", "--brand=acme", "--endpoint=ep_a"}, "event explain: --endpoint: goes with --curl; the explanation is of all endpoints"},
		"empty endpoint": {[]string{"event", "explain", "e1", "--brand=acme", "--curl", "--endpoint="}, "event explain: --endpoint: must match [A-Za-z0-9_-]{1,64}"},
	})
}
