package curl

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

// request is what a command is to send.
type request struct {
	URL, Body string
	Headers   map[string]string
}

func signedRequest(t *testing.T, secret signer.Secret, address, body string) request {
	t.Helper()
	now := time.Now()
	signature, err := signer.Sign("e1", now, []byte(body), secret)
	if err != nil {
		t.Fatal(err)
	}
	return request{address, body, map[string]string{
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
		if strings.ContainsFunc(strings.ReplaceAll(script, "\n", ""), harmful) {
			t.Errorf("harmful: %q", script)
		}
	}
}

// runCurl gives the command to a shell, and returns it.
func runCurl(t *testing.T, r request) string {
	t.Helper()
	script, err := Command(r.URL, r.Headers, r.Body)
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
