package console

import (
	"testing"
	"time"
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
