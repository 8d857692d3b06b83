package dispatcher_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestBrandsAreWalkedThrough(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	want := make([]string, 150) // of every tag some
	for i := range want {
		want[i] = fmt.Sprintf("brand-%03d", i)
		_, _, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{Brand: want[i], URL: "https://example.com/hook", Purpose: webhook.PurposeStatus})
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for after := ""; ; {
		some, next, err := d.Brands(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, some...)
		if next == "" {
			break
		}
		after = next
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("%d brands: %q", len(got), got)
	}
	for _, place := range []string{"x", "64.", "-1.", "."} {
		if _, _, err := d.Brands(t.Context(), place); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("place %q: %v", place, err)
		}
	}
}
