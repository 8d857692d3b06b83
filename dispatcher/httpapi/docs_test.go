package httpapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// documentedTypes is a service with its own event types.
type documentedTypes struct {
	*fakeService
	types []webhook.EventType
}

func (s documentedTypes) EventTypes() []webhook.EventType { return s.types }

func docs(t *testing.T) (a api, page *html.Node, header http.Header) {
	t.Helper()
	types := ownTypes(t)
	a = start(t, func(c *httpapi.Config) { c.Service = documentedTypes{newFake(), types} })
	got := a.send(t, "GET", "/docs", "", "Authorization", "")
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", got.status, got.header)
	}
	return a, must[*html.Node](t)(html.Parse(strings.NewReader(got.body))), got.header
}

func attributes(n *html.Node) map[string]string {
	found := map[string]string{}
	for _, a := range n.Attr {
		found[a.Key] = a.Val
	}
	return found
}

func textIn(n *html.Node) string {
	var b strings.Builder
	for inner := range n.Descendants() {
		if inner.Type == html.TextNode {
			b.WriteString(inner.Data)
		}
	}
	return b.String()
}

// TestDocsPageLoadsNothing holds every element against what the policy allows.
func TestDocsPageLoadsNothing(t *testing.T) {
	_, page, header := docs(t)
	ids, links := map[string]bool{}, []string{}
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attrs := attributes(n)
		switch n.Data {
		case "script", "link", "img", "iframe", "object", "embed", "form", "base", "svg", "font", "audio", "video":
			t.Errorf("there is a %s", n.Data)
		case "style":
			hash := sha256.Sum256([]byte(textIn(n)))
			want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; "
			if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, want) {
				t.Errorf("policy %q, want %q…", policy, want)
			}
		case "a":
			links = append(links, attrs["href"])
		}
		for name := range attrs {
			if name == "src" || name == "style" || strings.HasPrefix(name, "on") {
				t.Errorf("%s has %s", n.Data, name)
			}
		}
		if id := attrs["id"]; id != "" {
			if ids[id] {
				t.Errorf("id %s is there twice", id)
			}
			ids[id] = true
		}
	}
	for _, link := range links {
		if fragment, ok := strings.CutPrefix(link, "#"); link != "openapi.json" && (!ok || !ids[fragment]) {
			t.Errorf("a link leads to %q", link)
		}
	}
}

func TestDocsPageShowsEverything(t *testing.T) {
	a, page, _ := docs(t)
	anchors := map[string]bool{}
	for n := range page.Descendants() {
		if href := attributes(n)["href"]; n.Data == "a" {
			anchors[href] = true
		}
	}
	for _, op := range a.operations(t) {
		if !anchors["#"+op.id] {
			t.Errorf("%s is not in the contents", op.id)
		}
	}
	for _, e := range ownTypes(t) {
		if !anchors["#webhook-"+e.Name] {
			t.Errorf("%s is not in the contents", e.Name)
		}
	}
	shown := textIn(page)
	for _, text := range []string{"webhook-signature", "smobi-attempt", "events[].payload", "body.events[1].type", "array of object", `<script>alert("x")</script> & 'more'`} {
		if !strings.Contains(shown, text) {
			t.Errorf("%q is not shown", text)
		}
	}
}

// TestCommandsOfTheDocsPage lets a shell read the commands, and looks at what
// curl would be given.
func TestCommandsOfTheDocsPage(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	a, page, _ := docs(t)
	seen := 0
	for n := range page.Descendants() {
		if n.Data != "pre" || !strings.HasPrefix(textIn(n), "curl") {
			continue
		}
		seen++
		script := `curl() { for a in "$@"; do printf '%s\036' "$a"; done; }; ` + textIn(n)
		command := exec.CommandContext(t.Context(), shell, "-c", script)
		command.Env = []string{"OUTHOOK_SERVER=https://example.com", "OUTHOOK_KEY=k"}
		args := strings.Split(string(must[[]byte](t)(command.Output())), "\x1e")
		for i, arg := range args {
			switch {
			case arg == "-d" && !json.Valid([]byte(args[i+1])):
				t.Errorf("no JSON: %s", args[i+1])
			case strings.Contains(arg, "{id}"), strings.Contains(arg, "{brand}"):
				t.Errorf("no example: %s", arg)
			}
		}
		if !strings.Contains(strings.Join(args, "\n"), "https://example.com/v1/") || !strings.Contains(strings.Join(args, "\n"), "Authorization: Bearer k") {
			t.Errorf("%q", args)
		}
	}
	if !strings.Contains(textIn(page), `/events/msg-123-delivered/request?endpointId=crm-status"`) {
		t.Error("a command leaves out a parameter that is required")
	}
	if want := len(a.operations(t)); seen != want {
		t.Errorf("%d commands for %d operations", seen, want)
	}
}

func TestDocsPageMethodsAndPrefix(t *testing.T) {
	a, _, _ := docs(t)
	if got := a.send(t, "HEAD", "/docs", "", "Authorization", ""); got.status != http.StatusOK || got.body != "" {
		t.Errorf("HEAD: %d", got.status)
	}
	checkProblem(t, a.send(t, "POST", "/docs", "", "Authorization", ""), http.StatusUnauthorized, "", "")

	handler := must[http.Handler](t)(httpapi.New(httpapi.Config{Service: newFake(), Identify: identify}))
	mux := http.NewServeMux()
	mux.Handle("/webhooks/", http.StripPrefix("/webhooks", handler))
	for _, path := range []string{"/webhooks/docs", "/webhooks/openapi.json"} { // the link of the first leads to the second
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
