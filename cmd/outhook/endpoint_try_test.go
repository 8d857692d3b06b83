package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func triedAttempt(outcome, reason string, status *int) httpapi.Attempt {
	return httpapi.Attempt{
		ID: "att_1", EventID: "evt_1", EndpointID: "a", Type: "message.delivered", Number: 1, Trigger: "test",
		StartedAt: at("03:04:05"), DurationMs: 80,
		Phases:  httpapi.AttemptPhases{DNSMs: 1, ConnectMs: 8, FirstByteMs: 60},
		Request: httpapi.AttemptRequest{URL: "https://example.com/hook", Headers: map[string]string{}},
		Status:  status, Outcome: outcome, Reason: reason,
	}
}

// What the cards of all attempts begin with, and where the time of those that were answered went.
const (
	triedHead = `attempt:       att_1
event:         evt_1 (message.delivered)
url:           https://example.com/hook
`
	triedPhases = `  dns:             1ms  █
  connect:         8ms  ████
  tls:              0s
  first byte:     60ms  ██████████████████████████████
`
)

func TestEndpointTestShowsTheAttempt(t *testing.T) {
	failed := triedAttempt("dead", "http_status", new(503))
	failed.Response = &httpapi.AttemptResponse{
		Headers: map[string]string{"content-type": "application/json", "x-evil": "a\x1b[2J\r\nb"},
		Body:    `{"error":"a` + "\u202e" + `b","n":[1]}`,
	}
	silent := triedAttempt("dead", "timeout", nil)
	silent.Phases = httpapi.AttemptPhases{}
	for name, tc := range map[string]struct {
		attempt httpapi.Attempt
		want    outcome
	}{
		"delivered": {triedAttempt("delivered", "ok", new(204)), outcome{exitDone, triedHead + `outcome:       delivered
reason:        ok
status:        204 No Content
took:          80ms
` + triedPhases, ""}},
		"failed": {failed, outcome{exitFailed, triedHead + `outcome:       dead
reason:        http_status
status:        503 Service Unavailable
took:          80ms
` + triedPhases + `answered:      content-type: application/json
               x-evil: a[2Jb
body:          {
                 "error": "ab",
                 "n": [
                   1
                 ]
               }
`, "outhook: endpoint test: endpoint a did not take it: it answered 503 (http_status)\n"}},
		"silent": {silent, outcome{exitFailed, triedHead + `outcome:       dead
reason:        timeout
status:        no answer
took:          80ms
  dns:              0s
  connect:          0s
  tls:              0s
  first byte:       0s
`, "outhook: endpoint test: endpoint a gave no answer: timeout\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			checkOutcome(t, playAPI(t, apiAnswer{200, tc.attempt}).endpoint(t, "", "test", "a"), tc.want)
			if got := withoutColours(drawn(t, tryCard(tc.attempt), true)); got != tc.want.out {
				t.Errorf("in colours:\n%s", got)
			}
		})
	}
}

func TestEndpointTestAsksAndPrintsJSON(t *testing.T) {
	api := playAPI(t, apiAnswer{200, triedAttempt("retrying", "http_status", new(500))})
	got := api.endpoint(t, "", "test", "a", "--type=message.read", "-o=json")
	checkOutcome(t, got, outcome{exitFailed, `{"id":"att_1","eventId":"evt_1","endpointId":"a","type":"message.delivered","number":1,"trigger":"test",` +
		`"startedAt":"2026-01-02T03:04:05.000Z","durationMs":80,"phases":{"dnsMs":1,"connectMs":8,"tlsMs":0,"firstByteMs":60},` +
		`"request":{"url":"https://example.com/hook","headers":{}},"status":500,"outcome":"retrying","reason":"http_status"}` + "\n",
		"outhook: endpoint test: endpoint a did not take it: it answered 500 (http_status)\n"})
	if diff := cmp.Diff([]string{`POST /v1/brands/acme/endpoints/a/test {"type":"message.read"}`}, api.requests()); diff != "" {
		t.Error(diff)
	}
}

// Whatever a receiver answers, what is shown of it is bounded.
func TestEndpointTestBoundsTheAnswer(t *testing.T) {
	a := triedAttempt("dead", "http_status", new(500))
	a.Response = &httpapi.AttemptResponse{Headers: map[string]string{}, Body: strings.Repeat("line\n", 10_000)}
	for i := range 100 {
		a.Response.Headers[fmt.Sprintf("x-%03d", i)] = strings.Repeat("v", 10_000)
	}
	got := drawn(t, tryCard(a), false)
	if lines := strings.Count(got, "\n"); lines > 90 || len(got) > 20_000 {
		t.Errorf("%d lines, %d bytes", lines, len(got))
	}
	for _, want := range []string{"… 100 headers in all\n", "… 50000 bytes in all\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestEndpointCheckShowsPhases(t *testing.T) {
	reachable := httpapi.Check{
		URL: "https://example.com/hook", Reachable: true, Status: new(405), CertificateEndsAt: at("00:00:00"),
		Phases: []httpapi.CheckPhase{
			{Name: "policy", Result: "ok", Detail: "allowed"}, {Name: "dns", Result: "ok", DurationMs: 12, Detail: "resolves"},
			{Name: "connect", Result: "ok", DurationMs: 3}, {Name: "tls", Result: "ok", DurationMs: 20, Detail: "valid"}, {Name: "http", Result: "ok", DurationMs: 1500, Detail: "405"},
		},
	}
	blocked := httpapi.Check{URL: "http://x/", Phases: []httpapi.CheckPhase{
		{Name: "policy", Result: "failed", Detail: "must be\nhttps"}, {Name: "dns", Result: "skipped"},
	}}
	for name, tc := range map[string]struct {
		found httpapi.Check
		want  outcome
	}{
		"reachable": {reachable, outcome{exitDone, `https://example.com/hook
✓  policy       0s  allowed
✓  dns        12ms  resolves
✓  connect     3ms
✓  tls        20ms  valid
✓  http       1.5s  405
certificate until 2026-01-02T00:00:00.000Z
reachable, answered 405
`, ""}},
		"blocked": {blocked, outcome{exitFailed, `http://x/
✗  policy      0s  must be https
–  dns         0s
not reachable
`, "outhook: endpoint check: http://x/ is not reachable: policy: must be https\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			api := playAPI(t, apiAnswer{200, tc.found})
			checkOutcome(t, api.endpoint(t, "", "check", tc.found.URL), tc.want)
			if diff := cmp.Diff([]string{`POST /v1/brands/acme/endpoints/check {"url":"` + tc.found.URL + `"}`}, api.requests()); diff != "" {
				t.Error(diff)
			}
			coloured := drawn(t, checkTable(tc.found), true)
			if got := withoutColours(coloured); got != tc.want.out || got == coloured {
				t.Errorf("in colours:\n%s", coloured)
			}
		})
	}
}

func TestEndpointCheckPrintsJSON(t *testing.T) {
	found := httpapi.Check{URL: "http://x/", Phases: []httpapi.CheckPhase{{Name: "policy", Result: "failed", Detail: "no"}}}
	got := playAPI(t, apiAnswer{200, found}).endpoint(t, "", "check", "http://x/", "-o=json")
	checkOutcome(t, got, outcome{exitFailed,
		`{"url":"http://x/","reachable":false,"status":null,"phases":[{"name":"policy","result":"failed","durationMs":0,"detail":"no"}]}` + "\n",
		"outhook: endpoint check: http://x/ is not reachable: policy: no\n"})
}

// A completion has the values that there are, and asks no server.
func TestEndpointCompletion(t *testing.T) {
	const noFiles = ":4\n"
	api := playAPI(t, apiAnswer{500, nil})
	for args, want := range map[string]string{
		"endpoint create --purpose ":     "status\ninbound\n" + noFiles,
		"endpoint update --purpose ":     "status\ninbound\n" + noFiles,
		"endpoint create --signature ":   "hmac\ned25519\n" + noFiles,
		"endpoint list -o ":              "table\njson\n" + noFiles,
		"endpoint get ":                  noFiles,
		"endpoint get --brand ":          noFiles,
		"endpoint check ":                noFiles,
		"endpoint create --secret-file ": ":0\n",
	} {
		got := command(t, api.env, append([]string{"__complete"}, strings.Split(args, " ")...)...)
		if got.code != exitDone || got.out != want {
			t.Errorf("%s: %+v, want %q", args, got, want)
		}
	}
	for _, flag := range []string{"test a --type", "create --event-type"} {
		got := command(t, api.env, append([]string{"__complete", "endpoint"}, append(strings.Split(flag, " "), "")...)...)
		if !strings.Contains(got.out, "message.delivered\n") || !strings.HasSuffix(got.out, noFiles) {
			t.Errorf("%s: %+v", flag, got)
		}
	}
	if asked := api.requests(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}
