package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.smobi.com/outhook/config"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// yamlFile writes a file for one test and returns its path.
func yamlFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outhook.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, src config.Sources) config.Config {
	t.Helper()
	c, err := config.Load(src)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return c
}
