package webhook_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// What must not be printed, each with no part in common with anything else here.
const (
	hiddenQuery   = "qtoken-51840"
	hiddenHeader  = "hvalue-62951"
	hiddenPayload = "15552229073"
	hiddenAnswer  = "banswer-84173"
)

func secretEndpoint(secret signer.Secret) webhook.Endpoint {
	return webhook.Endpoint{
		Brand: "acme", ID: "shown", URL: "https://example.com/hook?token=" + hiddenQuery,
		Headers: map[string]string{"x-key": hiddenHeader}, Secrets: []webhook.EndpointSecret{{HMAC: secret}},
	}
}

func secretEvent() webhook.Event {
	return webhook.Event{Brand: "acme", ID: "shown", Type: "message.read", Payload: json.RawMessage(`{"to":"` + hiddenPayload + `"}`)}
}

// printedValues are of every type that holds something to hide; each must still tell which one it is.
func printedValues(secret signer.Secret) map[string]any {
	endpoint, event := secretEndpoint(secret), secretEvent()
	header, body := http.Header{"X-Key": {hiddenHeader}}, []byte(hiddenAnswer)
	request := webhook.Request{URL: "https://shown.example.com/?" + hiddenQuery, Header: header, Body: event.Payload}
	response := webhook.Response{Status: 500, Reason: "shown", Header: header, Body: body}
	attempt := webhook.Attempt{ID: "shown", Status: 500, ResponseHeader: header, ResponseBody: body}
	return map[string]any{
		"endpoint": endpoint, "*endpoint": &endpoint, "event": event, "*event": &event, "request": request, "*request": &request,
		"response": response, "*response": &response, "attempt": attempt, "*attempt": &attempt,
		"claim": webhook.Claim{Event: event, Endpoint: &endpoint}, "fan-out": webhook.Fanout{Event: event},
		"status": webhook.EventStatus{Event: event}, "explanation": webhook.Explanation{Event: event},
	}
}

func checkHidden(t *testing.T, how, text string, secret signer.Secret) {
	t.Helper()
	if !strings.Contains(text, "shown") {
		t.Errorf("%s does not tell what it is: %s", how, text)
	}
	revealed := strings.TrimPrefix(secret.Reveal(), "whsec_")
	for _, hidden := range []string{hiddenQuery, hiddenHeader, hiddenPayload, hiddenAnswer, revealed} {
		numbers := strings.Trim(fmt.Sprint([]byte(hidden)), "[]")
		for _, form := range []string{
			hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden), fmt.Sprintf("% x", hidden), fmt.Sprintf("%# x", hidden),
			base64.StdEncoding.EncodeToString([]byte(hidden)), numbers, strings.ReplaceAll(fmt.Sprintf("%# x", hidden), " ", ", "),
		} {
			if strings.Contains(text, form) {
				t.Errorf("%s tells %s: %s", how, hidden, text)
			}
		}
	}
}

func TestPrintedWithoutWhatIsHidden(t *testing.T) {
	secret := signer.NewSecret()
	for name, value := range printedValues(secret) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			checkHidden(t, name+" "+verb, fmt.Sprintf(verb, value), secret)
			checkHidden(t, name+" in a list "+verb, fmt.Sprintf(verb, []any{value}), secret)
		}
		for _, verb := range []string{"%x", "%d"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, fmt.Sprintf("%x", hiddenHeader)) {
				t.Errorf("%s %s: %s", name, verb, text)
			}
		}
		var text, object bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", name, value)
		slog.New(slog.NewJSONHandler(&object, nil)).Info("m", name, value)
		checkHidden(t, name+" in a log", text.String(), secret)
		checkHidden(t, name+" in a log of JSON", object.String(), secret)
	}
}

// Nothing keeps these as JSON, and a log may come by them inside something else.
func TestMarshalledWithoutWhatIsHidden(t *testing.T) {
	secret := signer.NewSecret()
	values := printedValues(secret)
	for _, name := range []string{"endpoint", "*endpoint", "request", "*request", "response", "*response"} {
		text, err := json.Marshal([]any{values[name]})
		if err != nil {
			t.Fatal(err)
		}
		checkHidden(t, name, string(text), secret)
	}
}

// A host keeps an event that could not be published: as JSON it is whole.
func TestEventAsJSONIsWhole(t *testing.T) {
	want := secretEvent()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got webhook.Event
	if err := json.Unmarshal(text, &got); err != nil || string(got.Payload) != string(want.Payload) || got.Ref() != want.Ref() {
		t.Errorf("%s: %v", text, err)
	}
}

func TestPrintedURL(t *testing.T) {
	for url, want := range map[string]string{
		"https://example.com/hook":        "https://example.com/hook",
		"https://example.com/hook?a=b":    "https://example.com/hook?[redacted]",
		"https://example.com/hook#a?b":    "https://example.com/hook?[redacted]",
		"https://user:pw@example.com/":    "[redacted]",
		"https://example.com:x/%zz?a=b#c": "https://example.com:x/%zz?[redacted]",
		"":                                "",
	} {
		if got := fmt.Sprint(webhook.Request{URL: url}); got != "{POST "+want+" 0 headers 0 bytes}" {
			t.Errorf("%q: %s", url, got)
		}
		endpoint := fmt.Sprintf("%+v", webhook.Endpoint{URL: url})
		if !strings.Contains(endpoint, "URL:"+want+" ") {
			t.Errorf("%q: %s", url, endpoint)
		}
	}
}
