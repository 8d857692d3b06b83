package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// apiAnswer is what the API of a test answers: a value of httpapi, or a problem.
type apiAnswer struct {
	status int
	body   any // nil for none
}

// playedAPI plays the API: it keeps what it is asked and answers from a list, the last for ever.
type playedAPI struct {
	env []string

	mu      sync.Mutex
	asked   []string // method, path and query, then a space and the body, if any
	answers []apiAnswer
}

func playAPI(t *testing.T, answers ...apiAnswer) *playedAPI {
	t.Helper()
	p := &playedAPI{answers: answers}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer "+testKey {
			t.Errorf("authorization %q, %v", r.Header.Get("Authorization"), err)
		}
		p.answer(t, w, r.Method+" "+r.URL.RequestURI(), bytes.TrimSuffix(body, []byte("\n")))
	}))
	t.Cleanup(server.Close)
	p.env = []string{"OUTHOOK_SERVER=" + server.URL, "OUTHOOK_KEY=" + testKey}
	return p
}

func (p *playedAPI) answer(t *testing.T, w http.ResponseWriter, line string, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(body) > 0 {
		line += " " + string(body)
	}
	p.asked = append(p.asked, line)
	next := p.answers[0]
	if len(p.answers) > 1 {
		p.answers = p.answers[1:]
	}
	kind := "application/json"
	if _, refused := next.body.(*httpapi.Problem); refused {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(next.status)
	if next.body == nil {
		return
	}
	if err := json.NewEncoder(w).Encode(next.body); err != nil {
		t.Error(err)
	}
}

// requests are what it was asked so far.
func (p *playedAPI) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// refused is a problem of one field.
func refused(status int, detail, location, rule string) apiAnswer {
	problem := &httpapi.Problem{Status: status, Title: http.StatusText(status), Detail: detail}
	if location != "" {
		problem.Errors = []httpapi.ProblemError{{Location: location, Message: rule}}
	}
	return apiAnswer{status, problem}
}

// at is a moment of a fixed day.
func at(clock string) httpapi.Time {
	moment, err := time.Parse(time.RFC3339Nano, "2026-01-02T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return httpapi.Time{Time: moment}
}

// fullEndpoint has every field, two of them from somebody who means no good.
func fullEndpoint() httpapi.Endpoint {
	return httpapi.Endpoint{
		ID: "status", URL: "https://example.com/hook?k=1", EventTypes: []string{"message.*", "workflow.*"},
		Description: "core\x1b[31m team\n<b>", Metadata: map[string]string{"team": "core", "a": "b=c"},
		Headers: map[string]string{"X-Team": "core", "Authorization": "Bearer t"}, MaxInFlight: 8, RateLimit: &httpapi.RateLimit{PerSecond: 2.5, Burst: 4}, TimeoutMs: 2500,
		Signature: "hmac", Disabled: true, DisabledReason: "gone", DisabledAt: at("03:04:05.678"), DisabledAnswer: "410", SecretHint: "abcd",
		OldSecrets: []httpapi.OldSecret{{SecretHint: "efgh", EndsAt: at("15:00:00")}},
		CreatedAt:  at("03:04:05"), UpdatedAt: at("03:04:05.678"),
		Health: &httpapi.EndpointHealth{
			Breaker: "open", OpenUntil: at("03:10:00"), WaitingFor: "breaker", WaitingUntil: at("03:10:00"), Limit: 8, InFlight: 1, Waiting: 20, Retrying: 3, OldestWaitingAt: at("03:00:00"),
			LastHour: httpapi.Traffic{Attempts: 1200, Delivered: 1182, MeanMs: 31, MaxMs: 2100, Busy: 0.4234},
		},
	}
}

// bareEndpoint has what every endpoint has.
func bareEndpoint(id string) httpapi.Endpoint {
	return httpapi.Endpoint{
		ID: id, URL: "https://example.com/hook", Purpose: "status", Signature: "hmac", SecretHint: "abcd",
		CreatedAt: at("03:04:05"), UpdatedAt: at("03:04:05"),
	}
}

// endpoint runs a command of the group for the brand acme.
func (p *playedAPI) endpoint(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return commandWith(t, stdin, p.env, append(append([]string{"endpoint"}, args...), "--brand=acme")...)
}
