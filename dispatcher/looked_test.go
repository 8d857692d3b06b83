package dispatcher_test

import (
	"slices"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
)

// What breaks its schema is only said by default: then no more than a hundred payloads of a type are looked at in a second.
func TestAHundredPayloadsASecondAreLookedAt(t *testing.T) {
	at := time.Unix(1767225600, 0)
	many := slices.Repeat([]time.Time{at}, 1000)
	if n := dispatcher.Looks("message.read", many...); n != 100 {
		t.Errorf("%d of 1000 in a second", n)
	}
	if n := dispatcher.Looks("message.read", append(many, slices.Repeat([]time.Time{at.Add(time.Second)}, 1000)...)...); n != 200 {
		t.Errorf("%d of 2000 in two seconds", n)
	}
}
