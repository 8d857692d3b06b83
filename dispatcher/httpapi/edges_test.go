package httpapi_test

import (
	"net/http"
	"testing"
)

// A path that is not clean is nobody's, like any other that does not exist: the
// mux would redirect, to whoever asks.
func TestUncleanPaths(t *testing.T) {
	a := start(t)
	for _, path := range []string{"//v1/keys", "/v1//keys", "/v1/brands/acme/../other/endpoints", "/v1/brands//endpoints", "/v1/./keys", "/openapi.json/."} {
		if got := a.send(t, "GET", path, "", "Authorization", ""); got.status != http.StatusUnauthorized {
			t.Errorf("%s without a key: %d %v", path, got.status, got.header)
		}
		if got := a.send(t, "GET", path, "", "Authorization", "Bearer brand-acme"); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
	}
}

// Half of a pair of UTF-16 would be stored as something else than was sent. In a
// payload it is delivered as it came.
func TestHalfAPairIsRefused(t *testing.T) {
	a := start(t)
	for field, value := range map[string]string{
		"description": `"a\ud800b"`, "headers": `{"X-Team":"\udc00"}`, "metadata": `{"\ud800\u0041":"x"}`, "url": `"https://example.com/\uD83D"`,
	} {
		got := a.send(t, "POST", endpointPath, `{"url":"https://example.com/","purpose":"status","`+field+`":`+value+`}`)
		if field == "url" {
			got = a.send(t, "POST", endpointPath, `{"purpose":"status","url":`+value+`}`)
		}
		checkProblem(t, got, http.StatusUnprocessableEntity, "body."+field, "half of a pair")
	}
	for _, text := range []string{`\ud83d\ude00`, `\\ud800`, `\\\\ud800`, `\u0041\ud83d\ude00\n`} {
		if got := a.send(t, "POST", endpointPath, `{"url":"https://example.com/","purpose":"status","description":"`+text+`"}`); got.status != http.StatusCreated {
			t.Errorf("%s: %d %s", text, got.status, got.body)
		}
	}
	if got := a.send(t, "POST", publishPath, `{"type":"message.read","payload":{"a":"\ud800"}}`); got.status != http.StatusAccepted {
		t.Errorf("payload: %d %s", got.status, got.body)
	}
}
