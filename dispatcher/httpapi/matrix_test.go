package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// document is what the tests read of /openapi.json.
type document struct {
	OpenAPI    string                                   `json:"openapi"`
	Paths      map[string]map[string]documented         `json:"paths"`
	Webhooks   map[string]map[string]documented         `json:"webhooks"`
	Components struct{ Schemas map[string]interface{} } `json:"components"`
}

type documented struct {
	ID         string   `json:"operationId"`
	Summary    string   `json:"summary"`
	Tags       []string `json:"tags"`
	Parameters []struct {
		Name, In, Description string
		Required              bool
		Example               any
		Schema                struct{ Examples []any }
	} `json:"parameters"`
	RequestBody *body           `json:"requestBody"`
	Responses   map[string]body `json:"responses"`
}

type body struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Example, Schema json.RawMessage }
}

func (a api) document(t *testing.T) document {
	t.Helper()
	got := a.send(t, "GET", "/openapi.json", "", "Authorization", "")
	var d document
	if err := json.Unmarshal([]byte(got.body), &d); err != nil || got.status != http.StatusOK {
		t.Fatalf("%d %v", got.status, err)
	}
	return d
}

// operation is one of the document.
type operation struct {
	documented
	id, method, path string
}

// operations returns all of the document.
func (a api) operations(t *testing.T) []operation {
	t.Helper()
	var found []operation
	for path, item := range a.document(t).Paths {
		for method, op := range item {
			found = append(found, operation{op, op.ID, strings.ToUpper(method), path})
		}
	}
	slices.SortFunc(found, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	if len(found) < 32 {
		t.Errorf("only %d operations are documented", len(found))
	}
	return found
}

// pathFor returns the path for a brand, with the examples of the document.
func (op operation) pathFor(brand string) string {
	path, query := strings.ReplaceAll(op.path, "{brand}", brand), ""
	for _, p := range op.Parameters {
		switch example, ok := p.Example.(string); {
		case ok && p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", example)
		case p.In == "query" && p.Required:
			query += fmt.Sprintf("&%s=%s", p.Name, p.Schema.Examples[0])
		}
	}
	return strings.Replace(path+query, "&", "?", 1)
}

func (op operation) example() string {
	if op.RequestBody == nil {
		return ""
	}
	return string(op.RequestBody.Content["application/json"].Example)
}

// TestDocumentedExamplesAreForTheirOwnerOnly makes every request of the document
// as its examples say, on a brand that has what they name: another brand's key
// sees and changes nothing, and the owner's does it.
func TestDocumentedExamplesAreForTheirOwnerOnly(t *testing.T) {
	listed := start(t)
	for _, op := range listed.operations(t) {
		t.Run(op.id, func(t *testing.T) {
			a := start(t)
			a.stageExamples(t)
			calls := a.service.calls
			owner, stranger := "Bearer brand-acme", "Bearer brand-other"
			switch {
			case op.id == "listEventTypes", op.id == "listJobs":
				stranger = "Bearer wrong"
			case strings.HasPrefix(op.path, "/v1/jobs/"):
				calls++ // whose it is must be looked up; nothing is done with it
			case !strings.Contains(op.path, "{brand}"), op.id == "eraseBrand":
				owner, stranger = "Bearer "+adminKey, "Bearer brand-acme"
			}
			if got := a.send(t, op.method, op.pathFor("acme"), op.example(), "Authorization", stranger); got.status != 404 && got.status != 401 {
				t.Errorf("a stranger: %d %s", got.status, got.body)
			}
			if a.service.calls != calls {
				t.Error("the service was asked for a stranger")
			}
			got := a.send(t, op.method, op.pathFor("acme"), op.example(), "Authorization", owner)
			if got.status < 200 || got.status > 299 {
				t.Errorf("the owner: %d %s", got.status, got.body)
			}
			if _, ok := op.Responses[strconv.Itoa(got.status)]; !ok {
				t.Errorf("%d is not documented", got.status)
			}
		})
	}
}

// stageExamples has what the examples of the document name.
func (a api) stageExamples(t *testing.T) {
	t.Helper()
	for _, op := range a.operations(t) {
		switch op.id {
		case "createEndpoint", "publish":
			a.send(t, op.method, op.pathFor("acme"), op.example())
		case "revokeKey":
			id := op.pathFor("")[len("/v1/keys/"):]
			a.service.keys = append(a.service.keys, webhook.APIKey{ID: id})
		case "getJob":
			id := op.pathFor("")[len("/v1/jobs/"):]
			a.service.jobs = append(a.service.jobs, webhook.Job{ID: id, JobSpec: webhook.JobSpec{Brand: "acme"}})
		}
	}
	if len(a.service.endpoints)*len(a.service.events)*len(a.service.keys)*len(a.service.jobs) != 1 {
		t.Fatalf("staged %v", cmp.Diff(nil, slices.Collect(maps.Keys(a.service.endpoints))))
	}
}

// TestSameIDsOfTwoBrandsAreTwoThings publishes and creates under another
// brand's ids.
func TestSameIDsOfTwoBrandsAreTwoThings(t *testing.T) {
	a := start(t)
	a.stageExamples(t)
	other := must[*httpapi.Client](t)(httpapi.NewClient(a.url, "brand-other", a.http))
	for _, ref := range slices.Collect(maps.Keys(a.service.events)) {
		receipt := must[httpapi.Receipt](t)(other.Publish(t.Context(), "other", httpapi.PublishRequest{ID: ref.ID, Type: "message.failed", Payload: []byte(`{"x":1}`)}))
		if receipt.Duplicate || len(receipt.Deliveries) != 0 {
			t.Errorf("receipt %+v", receipt)
		}
	}
	for _, ref := range slices.Collect(maps.Keys(a.service.endpoints)) {
		_, created, err := other.CreateEndpoint(t.Context(), "other", httpapi.EndpointRequest{ID: ref.ID, URL: "https://example.com/other", Purpose: "status"})
		if !created || err != nil {
			t.Errorf("created=%v, error %v", created, err)
		}
	}
}
