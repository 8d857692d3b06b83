package dispatcher_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// What breaks its schema is only said by default: then few payloads are looked at in a second, and of every brand some.
func TestFewPayloadsASecondAreLookedAt(t *testing.T) {
	at := time.Unix(1767225600, 0)
	one := webhook.Event{Brand: "acme", Type: "message.read", PublishedAt: at}
	other, later := one, one
	other.Brand, later.PublishedAt = "beta", at.Add(time.Second)
	many := slices.Repeat([]webhook.Event{one}, 1000)
	if n := dispatcher.Looks(many...); n != 20 {
		t.Errorf("%d of 1000 in a second", n)
	}
	if n := dispatcher.Looks(append(many, other, later)...); n != 22 {
		t.Errorf("%d with another brand and another second", n)
	}
	var brands []webhook.Event
	for i := range 2000 {
		brands = append(brands, webhook.Event{Brand: fmt.Sprint("b", i), Type: "message.read", PublishedAt: at})
	}
	if n := dispatcher.Looks(brands...); n != 1000 {
		t.Errorf("%d of 2000 brands", n)
	}
}
