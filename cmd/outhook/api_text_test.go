package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// hostile is a receiver's or a stranger's text that would do things to a terminal.
const hostile = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\r\nFAKE  ROW\u2028\x7f"

// playText is [playAPI] with answers of 200 in the API's own bytes.
func playText(t *testing.T, answers ...string) *playedAPI {
	t.Helper()
	p := &playedAPI{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		text := answers[min(len(p.asked), len(answers)-1)]
		p.asked = append(p.asked, r.Method+" "+r.URL.RequestURI())
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	p.env = []string{"OUTHOOK_SERVER=" + server.URL, "OUTHOOK_KEY=" + testKey}
	return p
}

// encodedAs is what the API writes.
func encodedAs(t *testing.T, body any) string {
	t.Helper()
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func (p *playedAPI) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return command(t, p.env, args...)
}

// prints fails unless the command did what it should, wrote exactly this on stdout, and had nothing else to say.
func (o outcome) prints(t *testing.T, want string) {
	t.Helper()
	checkOutcome(t, o, outcome{exitDone, want, ""})
}

// fails wants an exit code and one line on stderr.
func (o outcome) fails(t *testing.T, code int, line string) {
	t.Helper()
	checkOutcome(t, o, outcome{code, "", "outhook: " + line + "\n"})
}

// checkHarmless fails when anything that was printed could do more to a terminal than end a line, or ended more of them
// than it should.
func checkHarmless(t *testing.T, printed string, lines int) {
	t.Helper()
	if strings.ContainsFunc(strings.ReplaceAll(printed, "\n", ""), harmful) || strings.Contains(printed, "\nFAKE") {
		t.Errorf("harmful: %q", printed)
	}
	if got := strings.Count(printed, "\n"); got != lines {
		t.Errorf("%d lines, want %d: %q", got, lines, printed)
	}
}

type usageCase struct {
	args []string
	line string
}

// checkUsage runs what asks no server: there is none.
func checkUsage(t *testing.T, cases map[string]usageCase) {
	t.Helper()
	env := []string{"OUTHOOK_SERVER=http://127.0.0.1:1", "OUTHOOK_KEY=" + testKey}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { command(t, env, tc.args...).fails(t, exitUsage, tc.line) })
	}
}

type refusedCase struct {
	answer apiAnswer
	args   []string
	line   string
}

// checkRefused runs what the API refuses.
func checkRefused(t *testing.T, cases map[string]refusedCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { playAPI(t, tc.answer).run(t, tc.args...).fails(t, exitFailed, tc.line) })
	}
}

func ok(body any) apiAnswer { return apiAnswer{200, body} }

func notFound() apiAnswer { return refused(404, "not found", "", "") }

// failedAttempt got an answer that says why.
func failedAttempt() *httpapi.Attempt {
	return &httpapi.Attempt{
		ID: "att_1", EventID: "e1", EndpointID: "ep_c", Type: "message.read", Number: 3, Trigger: "delivery",
		StartedAt: at("03:10:00"), DurationMs: 31, Phases: httpapi.AttemptPhases{DNSMs: 2, ConnectMs: 3, TLSMs: 9, FirstByteMs: 17},
		Request: httpapi.AttemptRequest{URL: "https://example.com/hook?redacted"}, Status: new(503), Outcome: "retrying", Reason: "http_status",
		Response: &httpapi.AttemptResponse{
			Headers: map[string]string{"content-type": "application/json", "retry-after": "600", "x-other": "1"}, Body: `{"error":"down for <maintenance>"}`,
		},
		NextAttemptAt: at("03:20:00"),
	}
}

func unansweredAttempt() *httpapi.Attempt {
	return &httpapi.Attempt{
		ID: "att_2", EventID: "e1", EndpointID: "ep_f", Type: "message.read", Number: 9, Trigger: "delivery", StartedAt: at("03:09:45"),
		DurationMs: 15000, Request: httpapi.AttemptRequest{URL: "https://example.com/slow"}, Outcome: "dead", Reason: "timeout",
	}
}

// hostileAttempt is an attempt whose every text means no good.
func hostileAttempt() *httpapi.Attempt {
	a := failedAttempt()
	a.EventID, a.EndpointID, a.Type, a.Trigger, a.Outcome, a.Reason = hostile, hostile, hostile, hostile, hostile, hostile
	a.Request.URL = "https://example.com/" + hostile
	a.Response.Headers = map[string]string{"server": hostile, "location": hostile, hostile: hostile}
	a.Response.Body = hostile + strings.Repeat("\nline", 100)
	return a
}
