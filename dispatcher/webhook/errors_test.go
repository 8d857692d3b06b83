package webhook_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// fieldOf returns the field that err complains of, "" when err is nil, and
// checks that it is what callers look for.
func fieldOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("%v is not ErrInvalid", err)
	}
	broken, ok := errors.AsType[*webhook.FieldError](err)
	if !ok {
		t.Fatalf("%v is not a FieldError", err)
	}
	if broken.Rule == "" || err.Error() != broken.Field+": "+broken.Rule {
		t.Errorf("message %q of field %q and rule %q", err, broken.Field, broken.Rule)
	}
	return broken.Field
}

func TestFieldError(t *testing.T) {
	err := webhook.Invalid("headers.X-Team", "must be at most %d bytes", 256)
	if want := "headers.X-Team: must be at most 256 bytes"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	wrapped := fmt.Errorf("create endpoint: %w", err)
	if !errors.Is(wrapped, webhook.ErrInvalid) {
		t.Error("a wrapped FieldError is not ErrInvalid")
	}
	for _, other := range []error{webhook.ErrConflict, webhook.ErrNotFound, webhook.ErrUnavailable, webhook.ErrLimit} {
		if errors.Is(wrapped, other) {
			t.Errorf("a FieldError is %v", other)
		}
	}
	if broken, ok := errors.AsType[*webhook.FieldError](wrapped); !ok || broken.Field != "headers.X-Team" {
		t.Errorf("the field is lost: %+v", broken)
	}
}

// Who knows nothing of a full store still does the right thing: tries later.
func TestAFullStoreIsUnavailable(t *testing.T) {
	if !errors.Is(webhook.ErrFull, webhook.ErrUnavailable) || errors.Is(webhook.ErrUnavailable, webhook.ErrFull) {
		t.Error("ErrFull is one case of ErrUnavailable")
	}
}

func TestRetryError(t *testing.T) {
	err := fmt.Errorf("handle: %w", &webhook.RetryError{After: 90 * time.Second})
	again, ok := errors.AsType[*webhook.RetryError](err)
	if !ok || again.After != 90*time.Second {
		t.Errorf("the delay is lost: %+v", again)
	}
	if want := "handle: again in 1m30s"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
