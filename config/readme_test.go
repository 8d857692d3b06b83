package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.smobi.com/outhook/config"
)

// TestReadmeTable holds the README's table of keys against the keys.
func TestReadmeTable(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| key | default | what it does |\n|---|---|---|\n")
	for _, k := range config.Keys() {
		standard := "none"
		if k.Default != "" {
			standard = "`" + k.Default + "`"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", k.Path, standard, strings.ReplaceAll(k.Usage, "|", `\|`))
	}
	if !strings.Contains(string(readme), want.String()) {
		t.Errorf("README.md lacks this table:\n%s", want.String())
	}
}
