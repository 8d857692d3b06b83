package dispatcher_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// Each target has a brand of its own, and in it endpoints of these ids. The
// control is a good one, which goes the same roads beside it.
const (
	viaCreate, viaPatch, viaStore, viaControl = "created", "patched", "stored", "control"
)

// controls are URLs, without their path, of what must be reached.
var controls = []string{
	"https://" + allowed4, "https://[" + allowed6 + "]:8443", "https://good-4" + hostileZone + ":80", "https://good-6" + hostileZone, "https://Good" + hostileZone + ".:8443",
}

func controlNames() []target {
	return []target{
		named("good-4", reached, lookup{allowed4}), named("good-6", reached, lookup{allowed6}), named("good", reached, lookup{allowed4, allowed6}),
	}
}

// controlPath is one for each target and road: each is counted.
func controlPath(i int, road string) string { return fmt.Sprintf("/control/%d/%s", i, road) }

func controlURL(i int, road string) string { return controls[i%len(controls)] + controlPath(i, road) }

// object is a JSON object.
type object map[string]any

// ask calls the API as the brand of target i, keeps the answer for mustNotTell,
// and decodes it into out.
func (w *world) ask(t *testing.T, i int, method, path string, in, out any) int {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, fmt.Sprintf("/v1/brands/t%d%s", i, path), bytes.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	answer := httptest.NewRecorder()
	w.api.ServeHTTP(answer, r)
	w.told[i] = append(w.told[i], answer.Body.String())
	if out != nil && answer.Code < 300 {
		if err := json.Unmarshal(answer.Body.Bytes(), out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, answer.Body)
		}
	}
	return answer.Code
}

// send takes a target along every road but the end of the last: the delivery is judged later.
func (w *world) send(t *testing.T, i int, target target) {
	t.Helper()
	w.create(t, i, target)
	w.patch(t, i, target)
	w.check(t, i, target)
	w.test(t, i, target)
	event := object{"id": fmt.Sprintf("e%d", i), "type": "message.delivered", "payload": object{"n": i}}
	if status := w.ask(t, i, http.MethodPost, "/events", event, nil); status != http.StatusAccepted {
		t.Errorf("%s: publish: %d", target.url, status)
	}
}

func (w *world) create(t *testing.T, i int, target target) {
	t.Helper()
	if target.check == refused {
		w.smuggle(t, i, target)
	}
	for id, url := range map[string]string{viaCreate: target.url, viaPatch: controlURL(i, "unused"), viaControl: controlURL(i, "unused")} {
		want, purpose := http.StatusCreated, webhook.PurposeStatus
		switch {
		case id == viaPatch:
			purpose = webhook.PurposeInbound // no delivery, unless it is patched
		case id == viaCreate && target.check == refused:
			want = http.StatusUnprocessableEntity
		}
		if status := w.ask(t, i, http.MethodPost, "/endpoints", object{"id": id, "url": url, "purpose": purpose}, nil); status != want {
			t.Errorf("%s: create %s: %d, want %d", target.url, id, status, want)
		}
	}
}

// smuggle stores what create refuses, as an operator's older rules may have left it.
func (w *world) smuggle(t *testing.T, i int, target target) {
	t.Helper()
	_, _, err := w.store.CreateEndpoint(t.Context(), webhook.Endpoint{
		ID: viaStore, Brand: fmt.Sprintf("t%d", i), URL: target.url, Purpose: webhook.PurposeStatus, Signature: webhook.SignatureHMAC,
		Secrets: []webhook.EndpointSecret{{HMAC: signer.NewSecret()}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) patch(t *testing.T, i int, target target) {
	t.Helper()
	want := http.StatusOK
	if target.check == refused {
		want = http.StatusUnprocessableEntity
	}
	if status := w.ask(t, i, http.MethodPatch, "/endpoints/"+viaPatch, object{"url": target.url, "purpose": "status"}, nil); status != want {
		t.Errorf("%s: PATCH: %d, want %d", target.url, status, want)
	}
	if status := w.ask(t, i, http.MethodPatch, "/endpoints/"+viaControl, object{"url": controlURL(i, "patched")}, nil); status != http.StatusOK {
		t.Errorf("PATCH of the control: %d", status)
	}
}

func (w *world) check(t *testing.T, i int, target target) {
	t.Helper()
	for url, want := range map[string]fate{target.url: target.check, controlURL(i, "check"): reached} {
		var found httpapi.Check
		status := w.ask(t, i, http.MethodPost, "/endpoints/check", object{"url": url}, &found)
		fault := faultOf(found)
		if status != http.StatusOK || !strings.HasPrefix(fault, faults[want]) || found.Reachable != (fault == "") || found.Reachable != want.isReached() {
			t.Errorf("check of %s: %d, reachable: %t, fault %q, want %s", url, status, found.Reachable, fault, want)
		}
	}
}

// faults are how that of a check begins.
var faults = map[fate]string{refused: webhook.PhasePolicy + ": ", blocked: webhook.PhaseConnect + ": not allowed", unknown: webhook.PhaseDNS + ": "}

// faultOf is the phase of a check that failed, and why; empty when none did.
func faultOf(found httpapi.Check) string {
	for _, phase := range found.Phases {
		if phase.Result == string(webhook.PhaseFailed) {
			return phase.Name + ": " + phase.Detail
		}
	}
	return ""
}

// endpointOf is the one that has the target's URL for sure.
func endpointOf(target target) string {
	if target.check == refused {
		return viaStore
	}
	return viaCreate
}

func (w *world) test(t *testing.T, i int, target target) {
	t.Helper()
	for id, want := range map[string]fate{endpointOf(target): target.test, viaControl: reached} {
		var a httpapi.Attempt
		status := w.ask(t, i, http.MethodPost, "/endpoints/"+id+"/test", object{}, &a)
		if status != http.StatusOK || !slices.Contains(reasons[want], webhook.Reason(a.Reason)) {
			t.Errorf("%s: test of %s: %d, %s, want %s", target.url, id, status, a.Reason, want)
		}
	}
}

// reasons are what an attempt may have to say of a fate.
var reasons = map[fate][]webhook.Reason{
	refused: {webhook.ReasonBlocked}, blocked: {webhook.ReasonBlocked}, lost: {webhook.ReasonBlocked, webhook.ReasonDNS},
	unknown: {webhook.ReasonDNS}, reached: {webhook.ReasonOK}, redirected: {webhook.ReasonHTTPStatus},
}

// judge waits for the deliveries of a target and holds each against its fate.
func (w *world) judge(t *testing.T, i int, target target) {
	t.Helper()
	want := map[string]fate{viaControl: reached, endpointOf(target): target.deliver}
	if target.check != refused {
		want[viaPatch] = target.deliver
	}
	var found httpapi.Explanation
	dispatchertest.Eventually(t, func() bool {
		found = httpapi.Explanation{}
		w.ask(t, i, http.MethodGet, fmt.Sprintf("/events/e%d/deliveries", i), nil, &found)
		return !slices.ContainsFunc(found.Items, unsettled)
	})
	for _, x := range found.Items {
		expected, known := want[x.EndpointID]
		delete(want, x.EndpointID)
		switch {
		case known != x.Matched:
			t.Errorf("%s: %s matched: %t", target.url, x.EndpointID, x.Matched)
		case known && (x.LastAttempt == nil || !slices.Contains(reasons[expected], webhook.Reason(x.LastAttempt.Reason))):
			t.Errorf("%s: delivery to %s: %s, want %s", target.url, x.EndpointID, x.Explanation, expected)
		}
	}
	if len(want) > 0 {
		t.Errorf("%s: no word of %v", target.url, want)
	}
	w.ask(t, i, http.MethodGet, "/attempts?limit=200", nil, nil)
	if heads, posts := w.traps.answered("HEAD", controlPath(i, "check")), w.traps.answered("POST", controlPath(i, "patched")); heads != 1 || posts != 2 {
		t.Errorf("%s: the control was asked %d times by check, want 1, and %d times by test and delivery, want 2", target.url, heads, posts)
	}
	if target.check != refused {
		w.names.mustHaveTold(t, target)
	}
}

// unsettled tells whether a delivery is not settled yet.
func unsettled(x httpapi.Explained) bool {
	return x.Matched && (x.Delivery == nil || webhook.State(x.Delivery.State).Open())
}
