package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.smobi.com/outhook/config"
	"go.yaml.in/yaml/v3"
)

// wants are the `# want: ` lines of a file.
func wants(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if want, ok := strings.CutPrefix(line, "# want: "); ok {
			found = append(found, strings.TrimSuffix(want, "\n"))
		}
	}
	return found
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("files %s: %d, %v", pattern, len(paths), err)
	}
	return paths
}

// Each file of testdata/good says which values differ from the defaults.
func TestGood(t *testing.T) {
	defaults := printed(t, config.Default())
	for _, path := range files(t, "testdata/good/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got := printed(t, load(t, config.Sources{File: path}))
			for key, value := range defaults {
				if cmp.Equal(got[key], value) {
					delete(got, key)
				}
			}
			want := map[string]any{}
			for _, line := range wants(t, path) {
				key, value, _ := strings.Cut(line, ": ")
				want[key] = decode[any](t, value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("values unlike the defaults (-want +got):\n%s", diff)
			}
		})
	}
}

// Each file of testdata/bad says every problem it has.
func TestBad(t *testing.T) {
	for _, path := range files(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := config.Load(config.Sources{File: path})
			problems, ok := errors.AsType[config.Problems](err)
			if !ok {
				t.Fatalf("loaded with error %v", err)
			}
			got := strings.Split(strings.ReplaceAll(problems.Error(), path+":", ""), "\n")
			if diff := cmp.Diff(wants(t, path), got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("secret in %v", err)
			}
			if diff := cmp.Diff(printed(t, config.Config{}), printed(t, c)); diff != "" {
				t.Errorf("a config beside the error:\n%s", diff)
			}
		})
	}
}

// printed is the output of Print by path.
func printed(t testing.TB, c config.Config) map[string]any {
	t.Helper()
	values := map[string]any{}
	for section, keys := range decode[map[string]map[string]any](t, text(t, c)) {
		for key, value := range keys {
			values[section+"."+key] = value
		}
	}
	return values
}

func text(t testing.TB, c config.Config) string {
	t.Helper()
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatalf("print: %v", err)
	}
	return out.String()
}

func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	return v
}
