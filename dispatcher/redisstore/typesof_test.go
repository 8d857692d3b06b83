package redisstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestTypesOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redisstore.Config{})
	var many []string
	for i := range 200 { // whose ids fill more than what is read
		many = append(many, fmt.Sprintf("ep_%032d", i))
	}
	large := w.event("large")
	large.Type, large.Payload = "message.read", bytes.Repeat([]byte("x"), 100_000)
	w.admit(large, many...)
	w.admit(w.event("small"))
	newer := webhook.EventRef{Brand: brand, ID: "newer"}
	w.must(w.rdb.Set(t.Context(), redisstore.EventKey(newer), "2 of another version", 0).Err())

	ref := func(id string) webhook.EventRef { return webhook.EventRef{Brand: brand, ID: id} }
	got, err := w.TypesOf(t.Context(), []webhook.EventRef{ref("large"), ref("nothing"), ref("newer"), ref("small"), {Brand: "other", ID: "small"}})
	if want := []string{"message.read", "", "", "message.delivered", ""}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if got, err := w.TypesOf(t.Context(), nil); err != nil || len(got) > 0 {
		t.Errorf("of nothing: %q, %v", got, err)
	}
	w.must(w.client.Close())
	if _, err := w.TypesOf(t.Context(), []webhook.EventRef{ref("small")}); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
}
