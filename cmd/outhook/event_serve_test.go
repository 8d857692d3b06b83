package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// seeing is a serving process, and whoever looks at it by the command line.
type seeing struct {
	*child
	env []string
}

// with is the same with another key.
func (s seeing) with(key string) seeing {
	s.env = []string{"OUTHOOK_SERVER=" + s.api, "OUTHOOK_KEY=" + key}
	return s
}

// sees runs a command that must succeed and print all of this, however wide its columns are.
func (s seeing) sees(t *testing.T, command string, want ...string) string {
	t.Helper()
	got := s.run(t, command)
	text := regexp.MustCompile(` +`).ReplaceAllString(got.out, " ")
	if got.code != exitDone || got.errOut != "" {
		t.Errorf("%s: %+v", command, got)
	}
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q is not in:\n%s", command, part, text)
		}
	}
	return got.out
}

func (s seeing) run(t *testing.T, line string) outcome {
	t.Helper()
	return command(t, s.env, strings.Fields(line)...)
}

// startSeeing has a brand with one endpoint of every kind: it takes events, is gone, is disabled, wants others.
func startSeeing(t *testing.T) seeing {
	t.Helper()
	s := seeing{child: startServe(t, redistest.Start(t).Addr())}.with(testKey)
	s.awaitReady(t, 200, "ok\n")
	fine := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(fine.Close)
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusGone)
		_, _ = io.WriteString(w, hostile)
	}))
	t.Cleanup(gone.Close)
	for _, e := range []httpapi.EndpointRequest{
		{ID: "fine", URL: fine.URL, Purpose: "status"}, {ID: "gone", URL: gone.URL, Purpose: "status"},
		{ID: "off", URL: fine.URL, Purpose: "status", Disabled: true}, {ID: "inbound", URL: fine.URL, Purpose: "inbound"},
	} {
		if _, _, err := s.client(t).CreateEndpoint(t.Context(), "acme", e); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Everything that there is to see of events, against a real process.
func TestEventCommandsAgainstServe(t *testing.T) {
	t.Parallel()
	s := startSeeing(t)
	if got := s.publish(t, "--type=message.read", "--id=e1", "--data", oddPayload); got.code != exitDone {
		t.Fatalf("publish: %+v", got)
	}
	states := " e1 message.read 1 delivered, 1 not sent, 1 dead\n"
	dispatchertest.Eventually(t, func() bool {
		return strings.Contains(regexp.MustCompile(` +`).ReplaceAllString(s.run(t, "event list --brand acme").out, " "), states)
	})
	s.sees(t, "event list --brand acme --type message.read --since 1h", states)
	for _, none := range []string{"--type message.failed", "--until 1h", "--since 2999-01-01T00:00:00Z"} {
		if got := s.sees(t, "event list --brand acme "+none); got != "TIME  ID  TYPE  ENDPOINTS\n" {
			t.Errorf("%s: %s", none, got)
		}
	}

	card := s.sees(t, "event get e1 --brand acme", "id: e1\n", "fine delivered 1 - ", "gone dead 1 - ", "off not sent 0 - ")
	if !strings.HasSuffix(card, "\n\n"+oddPayload+"\n") {
		t.Errorf("the payload is not as published:\n%s", card)
	}
	for command, path := range map[string]string{
		"event get e1 --brand acme -o json": "/v1/brands/acme/events/e1", "event list --brand acme -o json": "/v1/brands/acme/events",
		"event explain e1 --brand acme -o json": "/v1/brands/acme/events/e1/deliveries", "openapi": "/openapi.json",
	} {
		_, want := get(t, s.api+path, testKey)
		if got := s.sees(t, command); strings.TrimSuffix(got, "\n") != strings.TrimSuffix(escaped(path, want), "\n") {
			t.Errorf("%s is not the document of the API:\n%s\n%s", command, got, want)
		}
	}
	checkExplained(t, s)
	s.sees(t, "attempt list --brand acme --event e1 --endpoint gone", " e1 gone message.read 1 410 ", " dead gone delivery\n")
	s.sees(t, "attempt list --brand acme --outcome delivered --since 1h", " e1 fine message.read 1 200 ", " delivered ok delivery\n")
	s.sees(t, "dead-letter list --brand acme", " e1 gone message.read 1 gone 410 after ")
	if got := s.sees(t, "dead-letter list --brand acme --endpoint fine"); strings.Count(got, "\n") != 1 {
		t.Errorf("dead letters of an endpoint that has none:\n%s", got)
	}
	s.run(t, "event get e9 --brand acme").fails(t, exitFailed, "event get: event e9 of brand acme: not found, or not for this key to see")
	s.run(t, "event list --brand acme --cursor x").refusedFor(t, "event list: --cursor: ")
}

// escaped is what is written where a receiver's text is in a document; everything else is as it was.
func escaped(path, document string) string {
	if strings.HasSuffix(path, "/deliveries") {
		return string(escapeHarmful([]byte(document)))
	}
	return document
}

// refusedFor wants one line that begins with this.
func (o outcome) refusedFor(t *testing.T, line string) {
	t.Helper()
	if o.code != exitFailed || !strings.HasPrefix(o.errOut, "outhook: "+line) || strings.Count(o.errOut, "\n") != 1 {
		t.Errorf("%+v, want %q", o, line)
	}
}

func checkExplained(t *testing.T, s seeing) {
	t.Helper()
	got := s.sees(t, "event explain e1 --brand acme", "endpoints: 1 not matched, 1 delivered, 1 not sent, 1 dead\n",
		"gone DEAD\n given up at ", "answer: 410 Gone\n", "fine DELIVERED\n delivered at ", "attempt 1 was answered 200 after ",
		"off NOT SENT\n not sent: ", "inbound NOT MATCHED\n not matched: the endpoint wants interaction.*, workflow.*")
	checkHarmless(t, got, strings.Count(got, "\n"))
	if order := regexp.MustCompile(`(?m)^\w+  [A-Z]+`).FindAllString(got, -1); len(order) != 4 || order[0] != "gone  DEAD" || order[3] != "inbound  NOT" {
		t.Errorf("order %q", order)
	}
}

// A brand's key sees its brand and nothing else, and nothing at all once it is revoked.
func TestKeyCommandsAgainstServe(t *testing.T) {
	t.Parallel()
	s := startSeeing(t)
	if got := s.publish(t, "--type=message.read", "--id=e1", "--data={}"); got.code != exitDone {
		t.Fatalf("publish: %+v", got)
	}
	created := s.run(t, "key create --brand acme --description page")
	found := regexp.MustCompile(`^(key_\w+), of brand acme: `).FindStringSubmatch(created.errOut)
	if created.code != exitDone || found == nil || !regexp.MustCompile(`^ohk_\w+\n$`).MatchString(created.out) {
		t.Fatalf("%+v", created)
	}
	id, brand := found[1], s.with(strings.TrimSuffix(created.out, "\n"))
	s.sees(t, "key list", id+" brand acme ", " page\n")

	brand.sees(t, "event list --brand acme", " e1 message.read ")
	for _, command := range []string{"event list", "event get e1", "event explain e1", "attempt list", "dead-letter list"} {
		denied := brand.run(t, command+" --brand other")
		if denied.code != exitFailed || denied.out != "" || !strings.HasSuffix(denied.errOut, "brand other: not found, or not for this key to see\n") {
			t.Errorf("%s of another brand: %+v", command, denied)
		}
		brand.sees(t, command+" --brand acme")
	}
	for _, command := range []string{"key list", "key create --admin", "key create --brand acme", "key revoke " + id} {
		brand.run(t, command).refusedFor(t, strings.Join(strings.Fields(command)[:2], " ")+": key")
	}

	admin := s.with(strings.TrimSuffix(s.run(t, "key create --admin").out, "\n"))
	admin.sees(t, "event list --brand acme", " e1 message.read ")
	admin.sees(t, "key revoke "+id, "revoked "+id+": in force everywhere within 5 s\n")
	admin.run(t, "key revoke "+id).fails(t, exitFailed, "key revoke: key "+id+": not found, or not for this key to see")
	var got outcome
	dispatchertest.Eventually(t, func() bool {
		got = brand.run(t, "event list --brand acme")
		return got.code != exitDone
	})
	got.refusedFor(t, "event list: the key of --key or OUTHOOK_KEY is not valid, or was revoked")
	admin.sees(t, "event list --brand acme", " e1 message.read ")
}
