package dispatcher_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// picture is all that a brand can see, but for the time-dependent.
func (m *matrixAPI) picture(t *testing.T, brand string) string {
	t.Helper()
	seen := ""
	for _, path := range []string{"/endpoints", "/events", "/attempts", "/dead-letters", "/events/" + brand + "-event/deliveries"} {
		got := m.send(t, brand, "GET", "/v1/brands/"+brand+path, "")
		if got.status != http.StatusOK || !strings.Contains(got.body, brand) {
			t.Fatalf("%s of %s: %d %s", path, brand, got.status, got.body)
		}
		seen += got.body
	}
	return seen
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	m := startMatrix(t)
	operations := m.operations(t)
	key, _, err := m.CreateKey(t.Context(), webhook.APIKey{Description: "to be revoked"})
	if err != nil {
		t.Fatal(err)
	}
	missing := m.send(t, "alpha", "GET", "/v1/brands/alpha/endpoints/none", "")
	if missing.status != http.StatusNotFound {
		t.Fatalf("a missing id: %+v", missing)
	}
	m.key = key.ID
	before := m.picture(t, "beta")
	for _, op := range operations {
		t.Run("denied "+op.method+" "+op.path, func(t *testing.T) { m.denied(t, op, missing) })
	}
	if after := m.picture(t, "beta"); after != before {
		t.Errorf("something of the other brand changed\nbefore %s\nafter  %s", before, after)
	}
	for _, op := range operations {
		t.Run("granted "+op.method+" "+op.path, func(t *testing.T) { m.granted(t, op) })
	}
}

// denied asks with alpha's key for what is beta's, in every way there is.
func (m *matrixAPI) denied(t *testing.T, op operation, missing matrixAnswer) {
	global := !strings.Contains(op.path, "{brand}")
	if global && strings.HasPrefix(op.path, "/v1/event-types") {
		return // the same for everybody
	}
	if op.path == "/v1/jobs" {
		if got := m.send(t, "alpha", op.method, op.path, ""); !strings.Contains(got.body, m.jobs["alpha"]) || strings.Contains(got.body, m.jobs["beta"]) {
			t.Errorf("the jobs: %+v", got)
		}
		return
	}
	if got := m.send(t, "alpha", op.method, m.in(t, op, "beta", "beta"), m.asked(op)); got != missing {
		t.Errorf("below the other brand: %+v, want just %+v", got, missing)
	}
	if global {
		return
	}
	inside := m.in(t, op, "alpha", "beta")
	if strings.Contains(op.path, "{id}") {
		if got := m.send(t, "alpha", op.method, inside, m.asked(op)); got != missing {
			t.Errorf("the other's id below the own brand: %+v, want just %+v", got, missing)
		}
	}
	if strings.Contains(op.body, `"endpointId"`) {
		own := m.in(t, op, "alpha", "alpha")
		if got := m.send(t, "alpha", op.method, own, m.asked(op)); got != missing {
			t.Errorf("the other's endpoint: %+v, want just %+v", got, missing)
		}
	}
	for name, id := range map[string]string{"endpointId": "beta-ok", "eventId": "beta-event"} {
		if !op.parameters[name] {
			continue
		}
		if strings.HasSuffix(op.path, "/request") {
			if got := m.send(t, "alpha", op.method, "/v1/brands/alpha/events/alpha-event/request?endpointId="+id, ""); got != missing {
				t.Errorf("the other's endpoint: %+v, want just %+v", got, missing)
			}
			continue
		}
		got := m.send(t, "alpha", op.method, inside+"?"+name+"="+id, "")
		if got.status != http.StatusOK || strings.Contains(got.body, "beta") || !strings.Contains(got.body, `"items":[]`) {
			t.Errorf("filter %s: %+v", name, got)
		}
	}
	if op.parameters["cursor"] {
		got := m.send(t, "alpha", op.method, inside+"?cursor="+m.cursor(t, op), "")
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "query.cursor") {
			t.Errorf("the other's cursor: %+v", got)
		}
		own := m.send(t, "alpha", op.method, inside+"?limit=200", "")
		if own.status != http.StatusOK || strings.Contains(own.body, "beta") || !strings.Contains(own.body, "alpha") {
			t.Errorf("the list: %+v", own)
		}
	}
}

// cursor is one of beta's own list.
func (m *matrixAPI) cursor(t *testing.T, op operation) string {
	t.Helper()
	var list struct{ NextCursor *string }
	got := m.send(t, "beta", op.method, m.in(t, op, "beta", "beta")+"?limit=1", "")
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || list.NextCursor == nil {
		t.Fatalf("no second page: %+v", got)
	}
	if next := m.send(t, "beta", op.method, m.in(t, op, "beta", "beta")+"?limit=1&cursor="+*list.NextCursor, ""); next.status != http.StatusOK {
		t.Fatalf("the owner's second page: %+v", next)
	}
	return *list.NextCursor
}

// granted makes the requests that were denied as their owner.
func (m *matrixAPI) granted(t *testing.T, op operation) {
	as := "beta"
	if strings.HasPrefix(op.path, "/v1/keys") || strings.HasSuffix(op.path, "/erase") {
		as = ""
	}
	got := m.send(t, as, op.method, m.in(t, op, "beta", "beta"), m.asked(op))
	if got.status < 200 || got.status > 299 {
		t.Errorf("%+v", got)
	}
}

// The same ids in two brands are two events and two endpoints.
func TestIdsBelongToABrand(t *testing.T) {
	t.Parallel()
	m := startMatrix(t)
	before := m.picture(t, "beta")
	publishBody := `{"id":"beta-event","type":"message.read","payload":{"of":"alpha"}}`
	got := m.send(t, "alpha", "POST", "/v1/brands/alpha/events", publishBody)
	if got.status != http.StatusAccepted || !strings.Contains(got.body, `"duplicate":false`) || strings.Contains(got.body, "beta-ok") {
		t.Errorf("publish: %+v", got)
	}
	batch := m.send(t, "alpha", "POST", "/v1/brands/alpha/events/batch", `{"events":[`+strings.Replace(publishBody, "beta-event", "beta-other", 1)+`]}`)
	if batch.status != http.StatusAccepted || !strings.Contains(batch.body, `"duplicate":false`) {
		t.Errorf("batch: %+v", batch)
	}
	endpoint := m.send(t, "alpha", "POST", "/v1/brands/alpha/endpoints", `{"id":"beta-ok","purpose":"status","url":"`+m.hook+`/alpha"}`)
	if endpoint.status != http.StatusCreated {
		t.Errorf("endpoint: %+v", endpoint)
	}
	m.WaitDelivered(t, "alpha", "beta-event")
	if after := m.picture(t, "beta"); !bytes.Equal([]byte(after), []byte(before)) {
		t.Errorf("the other brand changed\nbefore %s\nafter  %s", before, after)
	}
}
