package webhook_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestCheckID(t *testing.T) {
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	for _, good := range []string{"a", "-", "_", "0", alphabet, "evt_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f"} {
		if err := webhook.CheckID("id", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", alphabet + "a", "a.b", ".", "a:b", "a b", " a", "a\n", "\na", "a\x00", "a/b", "a*", "é", "ａ", "а", "١", "a\xff"} {
		err := webhook.CheckID("endpointId", bad)
		if fieldOf(t, err) != "endpointId" {
			t.Errorf("%q: %v", bad, err)
		} else if want := "endpointId: " + webhook.IDRule; err.Error() != want {
			t.Errorf("%q: got %q, want %q", bad, err, want)
		}
	}
}

func TestNewID(t *testing.T) {
	for _, prefix := range []string{webhook.EventPrefix, webhook.EndpointPrefix, webhook.AttemptPrefix} {
		id := webhook.NewID(prefix)
		digits, ok := strings.CutPrefix(id, prefix)
		if !ok || len(digits) != 32 || strings.ToLower(digits) != digits {
			t.Errorf("%q is not %s and 32 small hexadecimal digits", id, prefix)
		}
		if parsed, err := uuid.Parse(digits); err != nil || parsed.Version() != 7 || parsed.Variant() != uuid.RFC4122 {
			t.Errorf("%q: version %d, variant %s, %v", id, parsed.Version(), parsed.Variant(), err)
		}
		if err := webhook.CheckID("id", id); err != nil {
			t.Error(err)
		}
	}
}

func TestNewIDSorts(t *testing.T) {
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = webhook.NewID(webhook.AttemptPrefix)
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort by the order they were made in")
	}
}

func TestNewIDIsUnique(t *testing.T) {
	var seen sync.Map
	var makers sync.WaitGroup
	for range 8 {
		makers.Go(func() {
			for range 1000 {
				id := webhook.NewID(webhook.EventPrefix)
				if _, again := seen.LoadOrStore(id, true); again {
					t.Errorf("%s was made twice", id)
				}
			}
		})
	}
	makers.Wait()
}
