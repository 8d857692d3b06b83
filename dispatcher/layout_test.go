package dispatcher_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "go.smobi.com/outhook/"

// arrows says what each package may import of ours; packages below it too
// unless they have their own line. "*" is everything.
var arrows = map[string][]string{
	"signer":                    {},
	"config":                    {},
	"dispatcher/webhook":        {"signer"},
	"dispatcher/catalog":        {"signer", "dispatcher/webhook"},
	"dispatcher/egress":         {"signer", "dispatcher/webhook"},
	"dispatcher/pipeline":       {},
	"dispatcher/redisstore":     {"signer", "dispatcher/webhook", "dispatcher/pipeline"},
	"dispatcher/httpapi":        {"signer", "dispatcher/webhook"},
	"dispatcher/session":        {},
	"dispatcher/curl":           {},
	"dispatcher/console":        {"signer", "dispatcher/webhook", "dispatcher/session", "dispatcher/curl"},
	"dispatcher/telemetry":      {"signer", "dispatcher/webhook"},
	"dispatcher/storetest":      {"signer", "dispatcher/webhook"},
	"queue":                     {"dispatcher/webhook", "dispatcher/pipeline", "queue/asynqredis"},
	"queue/asynqredis":          {"dispatcher/pipeline"},
	"queue/embedded":            {},
	"queue/embedded/redistest":  {"config"}, // reads redis.url as the program does
	"queue/monitor":             {"queue", "dispatcher/webhook", "dispatcher/session"},
	"dispatcher":                {"signer", "dispatcher/webhook", "dispatcher/catalog", "dispatcher/egress", "dispatcher/pipeline", "dispatcher/redisstore", "dispatcher/httpapi", "dispatcher/console", "dispatcher/telemetry", "queue"},
	"dispatcher/dispatchertest": {"signer", "dispatcher", "dispatcher/webhook", "dispatcher/redisstore", "queue/embedded"},
	"cmd/outhook":               {"*"},
	"cmd/outhook/bench":         {"signer", "dispatcher", "dispatcher/webhook", "dispatcher/catalog", "dispatcher/httpapi", "queue/embedded", "cmd/outhook/bench/plain"},
	"cmd/outhook/bench/plain":   {"signer"},
}

// outside says which packages alone may import a library.
var outside = map[string][]string{
	"github.com/hibiken/asynq":    {"queue", "queue/monitor", "cmd/outhook/bench/plain"},
	"github.com/hibiken/asynqmon": {"queue/monitor"},
	"code.dny.dev/ssrf":           {"dispatcher/egress"},
	// A host brings its own TracerProvider.
	"go.opentelemetry.io/otel/sdk/trace": {"cmd/outhook"},
}

// TestLayout holds the imports of every package against the arrows of the design.
func TestLayout(t *testing.T) {
	for dir, imports := range importsByPackage(t) {
		allowed, known := arrows[dir]
		if !known {
			t.Errorf("package %s has no arrow: add it to the test and to the README's layout", dir)
			continue
		}
		for _, one := range imports {
			if ours, ok := strings.CutPrefix(one, module); ok && allowed != nil && !slices.Contains(allowed, ours) && !slices.Contains(allowed, "*") {
				t.Errorf("%s imports %s", dir, ours)
			}
			if owners, ok := outside[one]; ok && !slices.Contains(owners, dir) {
				t.Errorf("%s imports %s, which only %v may", dir, one, owners)
			}
		}
	}
}

// TestTopLevel keeps the root of the repository as it is meant to be.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	fixed := []string{"go.mod", "go.sum", "README.md", "cmd", "dispatcher", "signer", "queue", "config", "deploy"}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(fixed, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}

// importsByPackage reads the imports of all files that are not tests.
func importsByPackage(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && entry.Name() != "..") {
			return errorOrSkip(err)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(strings.TrimPrefix(file, ".."+string(filepath.Separator))))
		found[dir] = append(found[dir], "")
		for _, spec := range parsed.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			found[dir] = append(found[dir], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func errorOrSkip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}
