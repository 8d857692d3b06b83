package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// FuzzBatch: whatever is sent as a batch, the answer has an entry for each event
// that encoding/json finds in it, and what was accepted was cut out byte for byte.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"events":[]}`, `{"events":[{"type":"message.read","payload":{"a":1}}]}`, `{"events":[{"type":"message.read","payload":{}},1,null]}`,
		` { "events" : [ {"payload" : {"n":1e2,"n":"]}"} , "type":"message.read"} , {} ] } `, `{"events":[{"type":"message.read","payload":{"a":"\\\"}]"}}]}`,
		`{"events":{}}`, `{"events":[{}],"events":[]}`, `[]`, `{"events":[` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `]}`, "{\"events\":[\"\xff\"]}",
	} {
		f.Add([]byte(seed))
	}
	service := newFake()
	handler, err := httpapi.New(httpapi.Config{Service: service, Identify: identify})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		clear(service.events)
		r := httptest.NewRequest(http.MethodPost, "/v1/brands/acme/events/batch", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+adminKey)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusAccepted {
			if w.Code < 400 || w.Code > 499 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			return
		}
		var sent struct{ Events []json.RawMessage }
		var got struct{ Results []struct{ ID string } }
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatalf("accepted what is no JSON: %q", body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Results) != len(sent.Events) {
			t.Fatalf("%d results for %d events: %v", len(got.Results), len(sent.Events), err)
		}
		for i, result := range got.Results {
			if result.ID == "" {
				continue // refused
			}
			payload := service.event("acme", result.ID).Payload
			if !json.Valid(payload) || !bytes.Contains(sent.Events[i], payload) {
				t.Errorf("event %d: payload %q is not cut out of %q", i, payload, sent.Events[i])
			}
		}
	})
}
