package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// oddPayloads are valid, and change when they are decoded and encoded again.
var oddPayloads = map[string]string{
	"odd spacing":      "{ \"a\" :\t1 ,\r\n\n \"b\":[ ] }",
	"exponent":         `{"n":1e2,"m":1.0,"o":-0,"p":123456789012345678901234567890}`,
	"duplicate keys":   `{"a":1,"a":2,"A":3}`,
	"html":             `{"t":"<b>&amp;</b>"}`,
	"line separators":  "{\"t\":\"a\u2028b\u2029c\"}",
	"emoji":            `{"t":"🎉","u":"\ud83c\udf89"}`,
	"escapes":          `{"t":"\u0041\/\u003c\\\"\ud800"}`,
	"brackets in text": `{"t":"}],{\\","u":{"v":[[{"w":"]"}]]}}`,
	"own field names":  `{"payload":null,"id":"x","events":[{"payload":null}]}`,
	"empty":            `{}`,
}

func TestPayloadBytesSurvive(t *testing.T) {
	a := start(t)
	var batch []httpapi.PublishRequest
	var names []string
	for name, payload := range oddPayloads {
		receipt := must[httpapi.Receipt](t)(a.Publish(t.Context(), "acme", status(payload)))
		a.checkPayload(t, name, receipt.ID, payload)
		batch, names = append(batch, status(payload)), append(names, name)
	}
	for i, result := range must[[]httpapi.BatchResult](t)(a.PublishBatch(t.Context(), "acme", batch)) {
		if result.Error != nil {
			t.Errorf("%s in a batch: %v", names[i], result.Error)
			continue
		}
		a.checkPayload(t, names[i]+" in a batch", result.ID, string(batch[i].Payload))
	}
}

func (a api) checkPayload(t *testing.T, name, id, want string) {
	t.Helper()
	if got := a.service.event("acme", id).Payload; string(got) != want {
		t.Errorf("%s: stored %q, want %q", name, got, want)
	}
	if got := must[httpapi.Event](t)(a.Event(t.Context(), "acme", id)); string(got.Payload) != want {
		t.Errorf("%s: read %q, want %q", name, got.Payload, want)
	}
}

func TestPayloadIsCutWithoutTheSpaceAroundIt(t *testing.T) {
	a := start(t)
	got := a.send(t, "POST", "/v1/brands/acme/events",
		" {\n\"payload\" :\n\t{ \"a\": 1 }\r\n ,\"ty\\u0070e\": \"message.read\" , \"id\":\"e\"} \n")
	if stored := a.service.event("acme", "e"); got.status != http.StatusAccepted || string(stored.Payload) != `{ "a": 1 }` {
		t.Errorf("%d %s: stored %q", got.status, got.body, stored.Payload)
	}
}

func TestEventWhosePayloadIsGone(t *testing.T) {
	a := start(t)
	must[httpapi.Receipt](t)(a.Publish(t.Context(), "acme", httpapi.PublishRequest{ID: "e", Type: "message.read", Payload: []byte(`{}`)}))
	e := a.service.event("acme", "e")
	e.Payload = nil
	a.service.events[e.Ref()] = e
	if got := must[httpapi.Event](t)(a.Event(t.Context(), "acme", "e")); string(got.Payload) != "null" {
		t.Errorf("payload %q", got.Payload)
	}
}

// inProcess lets a client talk to a handler without a connection.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func fuzzed(f *testing.F) (*fakeService, http.Handler, *httpapi.Client) {
	service := newFake()
	handler, err := httpapi.New(httpapi.Config{
		Service: service, Identify: identify, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		f.Fatal(err)
	}
	client, err := httpapi.NewClient("http://example.com", adminKey, &http.Client{Transport: inProcess{handler}})
	if err != nil {
		f.Fatal(err)
	}
	return service, handler, client
}

// FuzzPublishBody: whatever body is taken, its payload is what encoding/json
// cuts out of it; what is no JSON is refused; nothing is a 5xx.
func FuzzPublishBody(f *testing.F) {
	service, handler, _ := fuzzed(f)
	for _, payload := range oddPayloads {
		f.Add([]byte(`{"id":"e","type":"message.read","payload":` + payload + `}`))
		f.Add([]byte(" {\"payload\" : " + payload + "\n, \"type\":\"message.read\",\"id\":\"e\" }"))
	}
	f.Add([]byte(`{"id":"e","type":"message.read","payload":{},"payload":{"x":1}}`))
	f.Add([]byte(`{"id":"e","type":"message.read","Payload":{}}`))
	f.Add([]byte("{\"id\":\"e\",\"type\":\"message.read\",\"payload\":{\"a\":\"\xff\"}}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		clear(service.events)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, publishing(body))
		if w.Code >= 500 || (w.Code == http.StatusAccepted && !json.Valid(body)) {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		if w.Code != http.StatusAccepted {
			return
		}
		var want struct{ Payload json.RawMessage }
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		for _, e := range service.events {
			if !bytes.Equal(e.Payload, want.Payload) {
				t.Fatalf("payload %q, want %q", e.Payload, want.Payload)
			}
		}
	})
}

func publishing(body []byte) *http.Request {
	r := httptest.NewRequest("POST", "/v1/brands/acme/events", bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+adminKey)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// FuzzPayload: a payload that the client sends and the API takes is stored and
// read back as it was, alone and in a batch.
func FuzzPayload(f *testing.F) {
	service, _, client := fuzzed(f)
	for _, payload := range oddPayloads {
		f.Add([]byte(payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		clear(service.events)
		e := httpapi.PublishRequest{ID: "e", Type: "message.read", Payload: payload}
		if _, err := client.Publish(t.Context(), "acme", e); err != nil {
			return
		}
		want := bytes.Trim(payload, " \t\r\n")
		if got := service.event("acme", "e").Payload; !bytes.Equal(got, want) {
			t.Fatalf("stored %q, want %q", got, want)
		}
		read, err := client.Event(t.Context(), "acme", "e")
		if err != nil || !bytes.Equal(read.Payload, want) {
			t.Fatalf("read %q, error %v, want %q", read.Payload, err, want)
		}
		results, err := client.PublishBatch(t.Context(), "acme", []httpapi.PublishRequest{e, e})
		if err != nil || !results[0].Duplicate || !results[1].Duplicate {
			t.Fatalf("in a batch it is another event: %+v, error %v", results, err)
		}
	})
}
