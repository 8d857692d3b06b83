package httpapi_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestWireShapes holds every answer, byte for byte, against testdata.
func TestWireShapes(t *testing.T) {
	a := start(t)
	stageHistory(a.service)
	stageExplanation(a.service)
	stageTest(a.service)
	stageCheck(a.service)
	secret, next, key := signer.NewSecret(), signer.NewSecret(), signer.NewPrivateKey()
	placeholders := strings.NewReplacer(
		secret.Reveal(), "(the secret)", `"secretHint":"`+secret.Hint(), `"secretHint":"(its hint)`,
		next.Reveal(), "(the next secret)", `"secretHint":"`+next.Hint(), `"secretHint":"(the next hint)`,
		key.Public().String(), "(the public key)", `"secretHint":"`+key.Hint(), `"secretHint":"(its hint)`,
	)
	fullEndpoint := strings.Replace(fullEndpoint, "SECRET", secret.Reveal(), 1)
	a.checkShapes(t, placeholders, []shape{
		{"endpoint_ed25519", "POST", "/endpoints", `{"id":"ep-2","url":"https://example.com/in","purpose":"inbound","signature":"ed25519","secret":"` + key.Reveal() + `","disabled":true}`, 201},
		{"endpoint_created", "POST", "/endpoints", fullEndpoint, 201},
		{"endpoint_again", "POST", "/endpoints", fullEndpoint, 200},
		{"endpoint_conflict", "POST", "/endpoints", `{"id":"ep-1","url":"https://example.com/other","purpose":"status"}`, 409},
		{"endpoint", "GET", "/endpoints/ep-1", "", 200},
		{"endpoints_page", "GET", "/endpoints?limit=1", "", 200},
		{"endpoints_empty", "GET", "/v1/brands/nobody/endpoints", "", 200},
		{"endpoint_patched", "PATCH", "/endpoints/ep-1", `{"description":null,"metadata":{"team":"<red>"},"headers":{"X-Team":null},"timeoutMs":0}`, 200},
		{"endpoint_disabled", "POST", "/endpoints/ep-1/disable", "", 200},
		{"endpoint_enabled", "POST", "/endpoints/ep-1/enable", "", 200},
		{"endpoint_rotated", "POST", "/endpoints/ep-1/secret/rotate", `{"overlapMs":3600000,"secret":"` + next.Reveal() + `"}`, 200},
		{"endpoint_secret_refused", "POST", "/endpoints/ep-1/secret/rotate", `{"secret":"whsec_"}`, 422},
		{"endpoint_test", "POST", "/endpoints/ep-1/test", `{"type":"message.read"}`, 200},
		{"check", "POST", "/endpoints/check", `{"url":"https://example.com/hook"}`, 200},
		{"publish", "POST", "/events", `{"id":"evt-2","type":"message.read","payload":{"a":1}}`, 202},
		{"publish_again", "POST", "/events", `{"id":"evt-2","type":"message.read","payload":{"a":1}}`, 202},
		{"publish_refused", "POST", "/events", `{"type":"message.read","payload":[]}`, 422},
		{"batch", "POST", "/events/batch", `{"events":[{"id":"evt-2","type":"message.read","payload":{"a":1}},{"id":"evt-2","type":"message.read","payload":{"a":2}},{"type":"x"}]}`, 202},
		{"event", "GET", "/events/evt-1", "", 200},
		{"event_missing", "GET", "/events/evt-0", "", 404},
		{"events", "GET", "/events?limit=1&type=message.failed", "", 200},
		{"explanation", "GET", "/events/evt-1/deliveries", "", 200},
		{"attempts", "GET", "/attempts?eventId=evt-1", "", 200},
		{"attempts_page", "GET", "/attempts?limit=1", "", 200},
		{"dead_letters", "GET", "/dead-letters", "", 200},
	})
	got := a.send(t, "GET", endpointPath, "", "Authorization", "")
	if got.status != http.StatusUnauthorized {
		t.Errorf("status %d without a key", got.status)
	}
	checkGolden(t, "unauthorized.json", got.body)
}

// TestWireShapesOfJobs does the same for what is done to what was published.
func TestWireShapesOfJobs(t *testing.T) {
	a := start(t)
	stageHistory(a.service)
	a.create(t, "acme", httpapi.EndpointRequest{ID: "ep-1", URL: "https://example.com/in", Purpose: "status"})
	a.checkShapes(t, strings.NewReplacer(), []shape{
		{"event_resent", "POST", "/events/evt-1/resend", `{"endpointId":"ep-1"}`, 202},
		{"event_cancelled", "POST", "/events/evt-1/cancel", "", 200},
		{"event_request", "GET", "/events/evt-1/request?endpointId=ep-1", "", 200},
		{"job_begun", "POST", "/endpoints/ep-1/recover", `{"since":"2025-01-31T12:00:00Z","perSecond":0.5}`, 202},
		{"job_counted", "POST", "/dead-letters/delete", `{"dryRun":true}`, 200},
		{"job", "GET", "/v1/jobs/job_00000000000000000000000000000001", "", 200},
		{"jobs", "GET", "/v1/jobs?brand=acme", "", 200},
		{"job_cancelled", "POST", "/v1/jobs/job_00000000000000000000000000000001/cancel", "", 200},
		{"job_missing", "GET", "/v1/jobs/job_0", "", 404},
		{"brand_health", "GET", "/health", "", 200},
		{"brand_erased", "POST", "/erase", "", 202},
	})
}

// shape is a request, and the file that holds its answer.
type shape struct {
	file, method, path, body string
	status                   int
}

func (a api) checkShapes(t *testing.T, placeholders *strings.Replacer, shapes []shape) {
	t.Helper()
	for _, c := range shapes {
		t.Run(c.file, func(t *testing.T) {
			got := a.send(t, c.method, strings.Replace("/v1/brands/acme"+c.path, "/v1/brands/acme/v1", "/v1", 1), c.body)
			if got.status != c.status {
				t.Fatalf("status %d, want %d: %s", got.status, c.status, got.body)
			}
			checkGolden(t, c.file+".json", placeholders.Replace(got.body))
		})
	}
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	if !json.Valid([]byte(got)) {
		t.Errorf("no JSON: %s", got)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

const fullEndpoint = `{"id":"ep-1","url":"https://example.com/hook?token=1","eventTypes":["message.*"],` +
	`"description":"CRM <eu>","metadata":{"team":"blue"},"headers":{"x-team":"b"},"maxInFlight":8,"timeoutMs":5000,` +
	`"secret":"SECRET","signature":"hmac"}`

// stageCheck has a check whose every phase was reached but one.
func stageCheck(f *fakeService) {
	f.checked = webhook.Check{
		Reachable: true, Status: 405, CertificateEndsAt: epoch,
		Phases: []webhook.CheckPhase{
			{Name: webhook.PhasePolicy, Result: webhook.PhaseOK, Detail: "allowed"},
			{Name: webhook.PhaseDNS, Result: webhook.PhaseOK, Duration: 3 * time.Millisecond},
			{Name: webhook.PhaseConnect, Result: webhook.PhaseSkipped},
		},
	}
}

// stageHistory has one event with a delivery in every kind of state, and three attempts.
func stageHistory(f *fakeService) {
	ref := webhook.EventRef{Brand: "acme", ID: "evt-1"}
	to := func(endpoint string) webhook.DeliveryRef {
		return webhook.DeliveryRef{Brand: ref.Brand, EventID: ref.ID, EndpointID: endpoint}
	}
	f.events[ref] = webhook.Event{
		ID: ref.ID, Brand: ref.Brand, Type: "message.failed", PublishedAt: epoch, ExpiresAt: epoch.Add(time.Hour),
		Payload: json.RawMessage("{ \"a\" : 1e2, \"a\":\"<\u2028\" }"),
	}
	f.states[ref] = []webhook.Delivery{
		{Ref: to("ep-1"), State: webhook.StateRetrying, Attempts: 2, NextAttemptAt: epoch.Add(25 * time.Second), UpdatedAt: epoch.Add(5 * time.Second)},
		{Ref: to("ep-2"), State: webhook.StateWaiting, WaitingFor: webhook.GateRateLimit, WaitingUntil: epoch.Add(time.Second), Position: 3, UpdatedAt: epoch},
		{Ref: to("ep-3"), State: webhook.StateDead, Attempts: 1, DeathReason: webhook.DeathGone, UpdatedAt: epoch},
		{Ref: to("ep-4"), State: webhook.StateDelivered, Attempts: 1, UpdatedAt: epoch},
	}
	f.health[webhook.EndpointRef{Brand: "acme", ID: "ep-1"}] = webhook.Health{
		Breaker: webhook.BreakerOpen, OpenUntil: epoch.Add(time.Minute), WaitingFor: webhook.GateBreaker, WaitingUntil: epoch.Add(time.Minute),
		Limit: 8, InFlight: 1, Waiting: 120, Retrying: 2, OldestWaitingAt: epoch,
		History:  []webhook.BreakerChange{{State: webhook.BreakerOpen, At: epoch}, {State: webhook.BreakerClosed, At: epoch.Add(-time.Minute)}},
		LastHour: webhook.Traffic{Attempts: 3, Delivered: 1, Mean: 1500 * time.Microsecond, Max: 15 * time.Second, Busy: 0.125},
	}
	f.brandHealth = webhook.BrandHealth{
		Disabled: 1, Failing: 1, InFlight: 1, Waiting: 120, Retrying: 2, OldestWaitingAt: epoch, LastHour: f.health[webhook.EndpointRef{Brand: "acme", ID: "ep-1"}].LastHour,
	}
	f.deadLetters = []webhook.DeadLetter{{Delivery: f.states[ref][2], Type: "message.failed"}}
	f.attempts[ref] = []webhook.Attempt{
		{
			ID: "att-1", Ref: to("ep-1"), Type: "message.failed", Number: 1, Trigger: webhook.TriggerDelivery, StartedAt: epoch,
			Duration: 1500 * time.Microsecond, Phases: webhook.Phases{DNS: time.Millisecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond, FirstByte: 4 * time.Millisecond},
			URL: "https://example.com/hook", Status: 500, Outcome: webhook.OutcomeRetrying, Reason: webhook.ReasonHTTPStatus,
			ResponseHeader: http.Header{"Content-Type": {"text/html"}, "Via": {"a", "b"}}, ResponseBody: []byte("<p>\xff"),
			NextAttemptAt: epoch.Add(5 * time.Second),
		},
		{
			ID: "att-2", Ref: to("ep-1"), Type: "message.failed", Number: 2, Trigger: webhook.TriggerDelivery, StartedAt: epoch.Add(5 * time.Second),
			Duration: 15 * time.Second, URL: "https://example.com/hook", Outcome: webhook.OutcomeRetrying, Reason: webhook.ReasonTimeout,
			NextAttemptAt: epoch.Add(25 * time.Second),
		},
		{
			ID: "att-3", Ref: to("ep-4"), Type: "message.failed", Number: 1, Trigger: webhook.TriggerDelivery, StartedAt: epoch.Add(time.Second),
			Duration: 20 * time.Millisecond, URL: "https://example.com/ok", Status: 204, Outcome: webhook.OutcomeDelivered, Reason: webhook.ReasonOK,
		},
	}
}
