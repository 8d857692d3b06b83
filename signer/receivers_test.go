package signer_test

import (
	"testing"

	"go.smobi.com/outhook/signer"
)

// What is shown elsewhere are the servers that a test runs.
func TestReceiversAreThoseOfThePage(t *testing.T) {
	got := signer.Receivers()
	for _, language := range []string{"go", "python", "javascript"} {
		if got[language] != block(t, language) || got[language] == "" {
			t.Errorf("%s: %q", language, got[language])
		}
	}
}
