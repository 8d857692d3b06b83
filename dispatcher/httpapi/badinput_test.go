package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/signer"
)

const (
	publishPath  = "/v1/brands/acme/events"
	batchPath    = "/v1/brands/acme/events/batch"
	endpointPath = "/v1/brands/acme/endpoints"
	checkPath    = "/v1/brands/acme/endpoints/check"
)

func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

// event is a good body of a publish, but for the fields that are added.
func event(fields string) string { return `{"type":"message.read","payload":{}` + fields + `}` }

// endpoint is a good body of a create, but for the fields that are added.
func endpoint(fields string) string {
	return `{"url":"https://example.com/","purpose":"status"` + fields + `}`
}

var badBodies = []struct {
	name, path, body string
	status           int
	location, rule   string
}{
	{"empty", publishPath, "", 400, "body", "a body is required"},
	{"blank", publishPath, " \n", 400, "body", "a body is required"},
	{"no JSON", publishPath, `{"type"}`, 400, "body", "malformed JSON at byte 8"},
	{"cut short", publishPath, `{"type":"message.read"`, 400, "body", "malformed JSON"},
	{"trailing data", publishPath, event("") + "{}", 400, "body", "malformed JSON"},
	{"array", publishPath, `[]`, 422, "body", "must be an object"},
	{"null", publishPath, `null`, 422, "body", "must be an object"},
	{"unknown field", publishPath, event(`,"extra":1`), 422, "body.extra", "is not a field"},
	{"brand in the body", publishPath, event(`,"brand":"b"`), 422, "body.brand", "is not a field"},
	{"field in another case", publishPath, `{"Type":"message.read","payload":{}}`, 422, "body.Type", "is not a field"},
	{"two payloads", publishPath, event(`,"payload":{"a":1}`), 422, "body.payload", "is given twice"},
	{"two payloads, one escaped", publishPath, event(`,"p\u0061yload":{"a":1}`), 422, "body.payload", "is given twice"},
	{"type of type", publishPath, `{"type":7,"payload":{}}`, 422, "body.type", "must be a string"},
	{"type of id", publishPath, event(`,"id":["a"]`), 422, "body.id", "must be a string"},
	{"type of expiresAt", publishPath, event(`,"expiresAt":1700000000`), 422, "body.expiresAt", "RFC 3339"},
	{"no time", publishPath, event(`,"expiresAt":"tomorrow"`), 422, "body.expiresAt", "RFC 3339"},
	{"no type", publishPath, `{"payload":{}}`, 422, "body.type", "is required"},
	{"unknown type", publishPath, `{"type":"x.y","payload":{}}`, 422, "body.type", "catalogue"},
	{"id with a dot", publishPath, event(`,"id":"a.b"`), 422, "body.id", "must match"},
	{"no payload", publishPath, `{"type":"message.read"}`, 422, "body.payload", "is required"},
	{"payload null", publishPath, `{"type":"message.read","payload":null}`, 422, "body.payload", "must be a JSON object"},
	{"payload text", publishPath, `{"type":"message.read","payload":"{}"}`, 422, "body.payload", "must be a JSON object"},
	{"payload not UTF-8", publishPath, "{\"type\":\"message.read\",\"payload\":{\"a\":\"\xff\"}}", 422, "body.payload", "must be valid UTF-8"},
	{"type not UTF-8", publishPath, "{\"type\":\"message.\xc3\",\"payload\":{}}", 422, "body.type", "must be valid UTF-8"},
	{"payload too deep", publishPath, `{"type":"message.read","payload":` + nested(65) + `}`, 422, "body.payload", "deeper than 64"},
	{"deeper than JSON goes", publishPath, `{"type":"message.read","payload":` + nested(20_000) + `}`, 422, "body", "deeper than 64"},
	{"payload too long", publishPath, `{"type":"message.read","payload":{"a":"` + strings.Repeat("x", 256<<10) + `"}}`, 422, "body.payload", "must be at most 262144 bytes"},

	{"no events", batchPath, `{}`, 422, "body.events", "at least one"},
	{"empty batch", batchPath, `{"events":[]}`, 422, "body.events", "at least one"},
	{"null batch", batchPath, `{"events":null}`, 422, "body.events", "must be an array"},
	{"batch of no array", batchPath, `{"events":{}}`, 422, "body.events", "must be an array"},
	{"batch too long", batchPath, `{"events":[` + strings.Repeat("{},", 500) + `{}]}`, 422, "body.events", "at most 500"},
	{"unknown field beside events", batchPath, `{"events":[{}],"x":1}`, 422, "body.x", "is not a field"},

	{"rate limit of a number", endpointPath, endpoint(`,"rateLimit":5`), 422, "body.rateLimit", "must be an object"},
	{"rate limit of nothing", endpointPath, endpoint(`,"rateLimit":{}`), 422, "body.rateLimit.perSecond", "is required"},
	{"rate limit of 0", endpointPath, endpoint(`,"rateLimit":{"perSecond":0}`), 422, "body.rateLimit.perSecond", "must be positive"},
	{"rate limit in words", endpointPath, endpoint(`,"rateLimit":{"perSecond":"5"}`), 422, "body.rateLimit.perSecond", "must be a number"},
	{"half a burst", endpointPath, endpoint(`,"rateLimit":{"perSecond":5,"burst":0.5}`), 422, "body.rateLimit.burst", "whole number"},
	{"negative burst", endpointPath, endpoint(`,"rateLimit":{"perSecond":5,"burst":-1}`), 422, "body.rateLimit.burst", "must be positive"},
	{"unknown field of a rate limit", endpointPath, endpoint(`,"rateLimit":{"perMinute":5}`), 422, "body.rateLimit.perMinute", "is not a field"},
	{"unknown setting", endpointPath, endpoint(`,"filter":"x"`), 422, "body.filter", "is not a field"},
	{"setting of the service", endpointPath, `{"url":"http://example.com/"}`, 422, "body.url", "https"},
	{"event types", endpointPath, endpoint(`,"eventTypes":"message.*"`), 422, "body.eventTypes", "array of strings"},
	{"no url", endpointPath, `{"purpose":"status"}`, 422, "body.url", "is required"},
	{"bad url", endpointPath, `{"url":"not a url","purpose":"status"}`, 422, "body.url", "is not a valid URL"},
	{"port that is not allowed", endpointPath, `{"url":"https://example.com:22/","purpose":"status"}`, 422, "body.url", "port must be one of 80, 443, 8443"},
	{"nothing wanted", endpointPath, `{"url":"https://example.com/"}`, 422, "body.eventTypes", "is required unless"},
	{"purpose and event types", endpointPath, endpoint(`,"eventTypes":["message.*"]`), 422, "body.eventTypes", "set one of the two to null"},
	{"pattern that matches no type", endpointPath, `{"url":"https://example.com/","eventTypes":["mesage.*"]}`, 422, "body.eventTypes", `the nearest is "message.*"`},
	{"bad header", endpointPath, endpoint(`,"headers":{"X Team":"a"}`), 422, "body.headers.X Team", "name must be"},
	{"bad header value", endpointPath, endpoint(`,"headers":{"X-Team":"a\nb"}`), 422, "body.headers.X-Team", "control characters"},
	{"reserved header", endpointPath, endpoint(`,"headers":{"Webhook-Id":"a"}`), 422, "body.headers.Webhook-Id", "is reserved"},
	{"metadata", endpointPath, endpoint(`,"metadata":[]`), 422, "body.metadata", "must be an object"},
	{"metadata of numbers", endpointPath, endpoint(`,"metadata":{"team":7}`), 422, "body.metadata.team", "must be a string"},
	{"metadata of nulls", endpointPath, endpoint(`,"metadata":{"brand":null}`), 422, "body.metadata.brand", "must be a string"},
	{"a header twice", endpointPath, endpoint(`,"headers":{"x-a":"1","x-a":"2"}`), 422, "body.headers.x-a", "is given twice"},
	{"max in flight", endpointPath, endpoint(`,"maxInFlight":1.5`), 422, "body.maxInFlight", "whole number"},
	{"negative max in flight", endpointPath, endpoint(`,"maxInFlight":-1`), 422, "body.maxInFlight", "0 (the default) or more"},
	{"short timeout", endpointPath, endpoint(`,"timeoutMs":999`), 422, "body.timeoutMs", "between 1000 and 30000"},
	{"timeout that overflows", endpointPath, endpoint(`,"timeoutMs":9223372036854775807`), 422, "body.timeoutMs", "between 1000 and 30000"},
	{"timeout beyond numbers", endpointPath, endpoint(`,"timeoutMs":9223372036854775808`), 422, "body.timeoutMs", "whole number"},
	{"signature", endpointPath, endpoint(`,"signature":"rsa"`), 422, "body.signature", "hmac or ed25519"},
	{"secret", endpointPath, endpoint(`,"secret":"whsec_c2hvcnQ="`), 422, "body.secret", "24 to 64 bytes"},
	{"secret of the wrong kind", endpointPath, endpoint(`,"signature":"ed25519","secret":"` + signer.NewSecret().Reveal() + `"`), 422, "body.secret", "whsk_"},
	{"disabled", endpointPath, endpoint(`,"disabled":"yes"`), 422, "body.disabled", "true or false"},
	{"description not UTF-8", endpointPath, endpoint(",\"description\":\"\xff\""), 422, "body.description", "must be valid UTF-8"},

	{"nothing to check", checkPath, `{}`, 422, "body.url", "is required"},
	{"null to check", checkPath, `{"url":null}`, 422, "body.url", "is required"},
	{"no body to check", checkPath, ``, 400, "body", "a body is required"},
	{"type of what is to check", checkPath, `{"url":["https://example.com/"]}`, 422, "body.url", "must be a string"},
	{"unknown field beside the url", checkPath, `{"url":"https://example.com/","method":"GET"}`, 422, "body.method", "is not a field"},
	{"type of the type of a test", endpointPath + "/ep-1/test", `{"type":1}`, 422, "body.type", "must be a string"},
	{"unknown field of a test", endpointPath + "/ep-1/test", `{"payload":{}}`, 422, "body.payload", "is not a field"},
	{"malformed test", endpointPath + "/ep-1/test", `{`, 400, "body", "malformed JSON"},

	{"brand", "/v1/brands/a.b/events", event(""), 422, "path.brand", "match pattern"},
	{"brand too long", "/v1/brands/" + strings.Repeat("a", 65) + "/events", event(""), 422, "path.brand", "match pattern"},
}

func TestBadBodies(t *testing.T) {
	a := start(t)
	for _, c := range badBodies {
		t.Run(c.name, func(t *testing.T) {
			checkProblem(t, a.send(t, "POST", c.path, c.body), c.status, c.location, c.rule)
			if len(a.service.events)+len(a.service.endpoints) != 0 {
				t.Error("something was stored")
			}
		})
	}
}

func checkProblem(t *testing.T, got answer, status int, location, rule string) {
	t.Helper()
	var p httpapi.Problem
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	if got.status != status || p.Status != status || p.Title != http.StatusText(status) {
		t.Errorf("status %d, in the body %d %q, want %d", got.status, p.Status, p.Title, status)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("content type %q", kind)
	}
	if location == "" {
		return
	}
	if len(p.Errors) == 0 || p.Errors[0].Location != location || !strings.Contains(p.Errors[0].Message, rule) {
		t.Errorf("errors %+v, want %q at %s", p.Errors, rule, location)
	}
}

func TestBadEntryOfABatchIsItsOwnError(t *testing.T) {
	a := start(t)
	good := `{"type":"message.read","payload":{}}`
	bad := map[string]string{
		`7`:                                "body.events[1]",
		`null`:                             "body.events[1]",
		`"{}"`:                             "body.events[1]",
		`{"type":[],"payload":{}}`:         "body.events[1].type",
		`{"type":"message.read","x":1}`:    "body.events[1].x",
		`{"type":"message.read"}`:          "body.events[1].payload",
		"{\"payload\":{\"a\":\"\xff\"}}":   "body.events[1].payload",
		`{"payload":{},"payload":{}}`:      "body.events[1].payload",
		`{"type":"x","expiresAt":"never"}`: "body.events[1].expiresAt",
		`{"payload":{"a":"` + strings.Repeat("x", 256<<10) + `"}}`: "body.events[1].payload",
	}
	for entry, location := range bad {
		got := a.send(t, "POST", batchPath, `{"events":[`+good+` , `+entry+","+good+`]}`)
		var out httpapi.BatchResponse
		if err := json.Unmarshal([]byte(got.body), &out); err != nil || got.status != http.StatusAccepted || len(out.Results) != 3 {
			t.Errorf("%.40s: %d %s", entry, got.status, got.body)
			continue
		}
		if r := out.Results; r[0].Error != nil || r[2].Error != nil || r[1].Error == nil || r[1].Error.Errors[0].Location != location {
			t.Errorf("%.40s: %s, want an error at %s", entry, got.body, location)
		}
	}
	if n := len(a.service.events); n != 2*len(bad) {
		t.Errorf("%d events stored, want %d", n, 2*len(bad))
	}
}

func TestBatchOfNothingButErrorsAsksNothing(t *testing.T) {
	a := start(t)
	got := a.send(t, "POST", batchPath, `{"events":[{"x":1},{"y":1}]}`)
	if got.status != http.StatusAccepted || a.service.calls != 0 {
		t.Errorf("%d %s, %d calls", got.status, got.body, a.service.calls)
	}
}

func TestBadHeaders(t *testing.T) {
	a := start(t)
	body := `{"type":"message.read","payload":{}}`
	for _, c := range []struct {
		name, header, value string
		status              int
	}{
		{"no content type", "Content-Type", "", 415},
		{"form", "Content-Type", "application/x-www-form-urlencoded", 415},
		{"text", "Content-Type", "text/json", 415},
		{"no media type", "Content-Type", ";;", 415},
		{"charset", "Content-Type", "application/json; charset=utf-16", 415},
		{"gzip", "Content-Encoding", "gzip", 415},
		{"identity", "Content-Encoding", "identity", 415},
		{"charset utf-8", "Content-Type", "Application/JSON; charset=UTF-8", 202},
		{"any answer", "Accept", "text/html", 202},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.send(t, "POST", publishPath, body, c.header, c.value)
			if c.status == 202 && got.status == 202 {
				return
			}
			checkProblem(t, got, c.status, "", "")
		})
	}
}

func TestLongNamesAreNotRepeated(t *testing.T) {
	a := start(t)
	got := a.send(t, "POST", publishPath, `{"`+strings.Repeat("n", 100_000)+`":1}`)
	if checkProblem(t, got, 422, "", ""); len(got.body) > 1000 {
		t.Errorf("an answer of %d bytes", len(got.body))
	}
	got = a.send(t, "GET", endpointPath+"?"+strings.Repeat("&x", 1)+manyParameters(1000), "")
	var p httpapi.Problem
	if err := json.Unmarshal([]byte(got.body), &p); err != nil || len(p.Errors) != 20 {
		t.Errorf("%d errors shown, %v", len(p.Errors), err)
	}
}

func manyParameters(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("&p" + string(rune('a'+i%26)) + strings.Repeat("z", i/26))
	}
	return b.String()
}
