package console

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1000): "1,000", count(-1234567): "-1,234,567", count(-100): "-100",
		share(0, 0): "–", share(1, 3): "33.3 %", share(1, 1): "100 %", share(99_999, 100_000): "99.9 %", share(0, 7): "0 %", share(1, 2): "50 %",
		took(0): "<1 ms", took(1500 * time.Millisecond): "1,500 ms", took(15 * time.Second): "15.0 s",
		rough(59 * time.Second): "59 s", rough(47 * time.Hour): "47 h", rough(49 * time.Hour): "2 days", rough(90 * time.Second): "1 min",
		purposeText("status"): "Message Status Webhook", purposeText("inbound"): "Inbound Message Webhook",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestConsoleIsBesideTheAPI(t *testing.T) {
	h, err := New(Config{Service: &manyBrands{}, Identify: func(*http.Request) (webhook.Identity, error) { return webhook.Identity{}, webhook.ErrNotFound }})
	if err != nil {
		t.Fatal(err)
	}
	both := Beside(http.NotFoundHandler(), h)
	for path, want := range map[string]int{"/": 404, "/v1/keys": 404, "/console": 303, "/console/x": 401, "/consoles": 404, "//console/": 404} {
		answer := httptest.NewRecorder()
		both.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://example.com"+path, nil))
		if answer.Code != want {
			t.Errorf("%s: %d, want %d", path, answer.Code, want)
		}
	}
}
