package catalog_test

import (
	"testing"

	"go.uber.org/goleak"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns the catalogue of a config that must be accepted.
func open(t testing.TB, config catalog.Config) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantField fails unless err is a field error of this text.
func wantField(t *testing.T, err error, field, rule string) {
	t.Helper()
	e, ok := err.(*webhook.FieldError)
	if !ok {
		t.Fatalf("got %#v, want a field error of %s", err, field)
	}
	if e.Field != field || e.Rule != rule {
		t.Errorf("got  %s\nwant %s: %s", e, field, rule)
	}
}
