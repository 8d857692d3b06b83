package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// publishing is a server whose API the command talks to, and an endpoint of it.
type publishing struct {
	env      []string
	road     *dispatchertest.Dispatcher
	receiver *dispatchertest.Receiver

	mu sync.Mutex
	// batches are the bodies of all batches, in order.
	batches [][]byte
	// lose makes so many batches be answered with 503, after they were published.
	lose int
}

func startPublishing(t *testing.T, change ...func(*httpapi.Config)) *publishing {
	t.Helper()
	p := &publishing{road: dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.AdminKeyHash = sha256.Sum256([]byte(testKey))
		c.Redis = redistest.Start(t).Client(t) // the in-process one may take longer for 500 events than the API waits
	})}
	p.receiver = p.road.Receiver(t, "acme", webhook.PurposeStatus)
	c := httpapi.Config{Service: p.road, Identify: httpapi.NewAuthenticator(p.road.Authenticate).Identify}
	for _, f := range change {
		f(&c)
	}
	handler, err := httpapi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p.watch(t, handler))
	t.Cleanup(server.Close)
	p.env = []string{"OUTHOOK_SERVER=" + server.URL, "OUTHOOK_KEY=" + testKey}
	return p
}

func (p *publishing) watch(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		lost := false
		if strings.HasSuffix(r.URL.Path, "/batch") {
			p.mu.Lock()
			p.batches = append(p.batches, body)
			lost = p.lose > 0
			p.lose--
			p.mu.Unlock()
		}
		if lost {
			next.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p *publishing) publish(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return commandWith(t, stdin, p.env, append([]string{"publish", "--brand=acme"}, args...)...)
}

// bodies are those received, by event id, once there are so many.
func (p *publishing) bodies(t *testing.T, n int) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, r := range p.receiver.Wait(t, n) {
		if _, twice := found[r.ID()]; twice {
			t.Errorf("%s was received twice", r.ID())
		}
		found[r.ID()] = string(r.Body)
	}
	return found
}

func TestPublishOneKeepsBytes(t *testing.T) {
	t.Parallel()
	p := startPublishing(t)
	file := filepath.Join(t.TempDir(), "payload.json")
	if err := os.WriteFile(file, []byte("\t"+oddPayload+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for id, tc := range map[string]struct {
		stdin string
		args  []string
	}{
		"data":  {"", []string{"--data", oddPayload}},
		"file":  {"", []string{"--file", file}},
		"stdin": {oddPayload + "\n", []string{"-"}},
	} {
		got := p.publish(t, tc.stdin, append(tc.args, "--type=message.read", "--id", id)...)
		if got.code != exitDone || got.errOut != "" {
			t.Fatalf("%s: %+v", id, got)
		}
	}
	want := map[string]string{"data": oddPayload, "file": oddPayload, "stdin": oddPayload}
	if diff := cmp.Diff(want, p.bodies(t, 3)); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

func TestPublishOnePrints(t *testing.T) {
	t.Parallel()
	p := startPublishing(t)
	endpoint := p.receiver.Endpoint.ID
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--type=message.read", "--id=e1"}, "ID  DUPLICATE  ENDPOINTS\ne1  no         " + endpoint + "\n"},
		{[]string{"--type=message.read", "--id=e1"}, "ID  DUPLICATE  ENDPOINTS\ne1  yes        " + endpoint + "\n"},
		{[]string{"--type=message.read", "--id=e1", "-o=json"}, `{"id":"e1","duplicate":true,"deliveries":[{"endpointId":"` + endpoint + `"}]}` + "\n"},
		{[]string{"--type=workflow.sms.matched_text", "--id=e2"}, "ID  DUPLICATE  ENDPOINTS\ne2  no         none\n"},
		{[]string{"--type=workflow.sms.matched_text", "--id=e2", "-o", "json"}, `{"id":"e2","duplicate":true,"deliveries":[]}` + "\n"},
	} {
		if got := p.publish(t, "", append(tc.args, "--data={}")...); got.code != exitDone || got.out != tc.want {
			t.Errorf("%v: %+v, want:\n%s", tc.args, got, tc.want)
		}
	}
	got := p.publish(t, "", "--type=message.read", "--data={}")
	if got.code != exitDone || !strings.Contains(got.out, webhook.EventPrefix) {
		t.Errorf("without an id: %+v", got)
	}
}

func TestPublishRefused(t *testing.T) {
	t.Parallel()
	p := startPublishing(t)
	one := []string{"--type=message.read", "--data={}"}
	for name, tc := range map[string]struct {
		args []string
		code int
		line string
	}{
		"unknown type":      {[]string{"--type=message.seen", "--data={}"}, exitFailed, "type: "},
		"conflict":          {[]string{"--type=message.read", "--id=taken", `--data={"other":1}`}, exitFailed, "the id is taken by other content"},
		"another key":       {append(one, "--key=another"), exitFailed, "a valid key is required: Authorization: Bearer KEY"},
		"key with a space":  {append(one, "--key=a b"), exitUsage, "key: is required, in printable ASCII without spaces"},
		"no server":         {append(one, "--server=example.com"), exitUsage, "server: must be a URL such as https://example.com"},
		"no type":           {[]string{"--data={}"}, exitUsage, "--type: is required for a single event"},
		"no payload":        {[]string{"--type=message.read"}, exitUsage, "exactly one of --data, --file and - must be given"},
		"two payloads":      {append(one, "-"), exitUsage, "exactly one of --data, --file and - must be given"},
		"empty payload":     {[]string{"--type=message.read", "--data="}, exitUsage, "payload: is required"},
		"payload not JSON":  {[]string{"--type=message.read", "--data={"}, exitUsage, "payload: malformed JSON at byte 1: unexpected end of JSON input"},
		"payload of shell":  {[]string{"--type=message.read", `--data={"a":1,'b':2}`}, exitUsage, `payload: malformed JSON at byte 8: invalid character '\'' looking for beginning of object key string`},
		"payload no object": {[]string{"--type=message.read", "--data=[1]"}, exitUsage, "payload: must be a JSON object"},
		"payload too deep":  {[]string{"--type=message.read", "--data=" + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)}, exitUsage, "payload: must not nest deeper than 64"},
		"payload no text":   {[]string{"--type=message.read", "--data=\"\xff"}, exitUsage, "payload: must be valid UTF-8"},
		"no file":           {[]string{"--type=message.read", "--file=/nonexistent/f"}, exitUsage, "--file: open /nonexistent/f: no such file or directory"},
		"bad brand":         {append(one, "--brand=a.b"), exitUsage, "brand: must match [A-Za-z0-9_-]{1,64}"},
		"bad id":            {append(one, "--id=a.b"), exitUsage, "id: must match [A-Za-z0-9_-]{1,64}"},
		"id for lines":      {[]string{"-", "--id=e1"}, exitUsage, "--id: is for a single event; lines have their own"},
		"negative patience": {[]string{"-", "--retry-for=-1s"}, exitUsage, "--retry-for: must be 0 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			if taken := p.publish(t, "", append(one, "--id=taken")...); taken.code != exitDone {
				t.Fatalf("publish: %+v", taken)
			}
			got := p.publish(t, "", tc.args...)
			if got.code != tc.code || !strings.HasPrefix(got.errOut, "outhook: publish: "+tc.line) || strings.Count(got.errOut, "\n") != 1 || got.out != "" {
				t.Errorf("%+v, want exit code %d and %q", got, tc.code, tc.line)
			}
		})
	}
}
