package console

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// What others wrote is what they published.
func TestVendoredFilesAreThePublishedOnes(t *testing.T) {
	table, err := os.ReadFile("static/README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := staticFiles.ReadDir("static")
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "console.") {
			continue
		}
		content, _ := staticFiles.ReadFile("static/" + entry.Name())
		hash := sha256.Sum256(content)
		if !strings.Contains(string(table), "| `"+entry.Name()+"` |") || !strings.Contains(string(table), "`"+hex.EncodeToString(hash[:])+"`") {
			t.Errorf("%s of hash %x is not in the table", entry.Name(), hash)
		}
	}
}
