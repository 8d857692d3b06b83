package dispatcher_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeExample holds the README's embedding example against the Example,
// which runs.
func TestReadmeExample(t *testing.T) {
	source, readme := read(t, "example_test.go"), read(t, "../README.md")
	_, block, _ := strings.Cut(source, "// README: embed\n")
	block, _, ok := strings.Cut(block, "\t// README: end")
	if !ok {
		t.Fatal("the Example has no marks")
	}
	var want strings.Builder
	for line := range strings.Lines(block) {
		want.WriteString(strings.TrimPrefix(line, "\t"))
	}
	if !strings.Contains(readme, "```go\n"+want.String()+"```") {
		t.Errorf("README.md lacks this block:\n```go\n%s```", want.String())
	}
}

// TestOutsideModule compiles a host's module against the library, with a
// replace as the README says.
func TestOutsideModule(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(read(t, "../go.mod"), "\nrequire")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/host\n\ngo 1.26.0\n\nrequire go.smobi.com/outhook v0.0.0\n\n"+
		"replace go.smobi.com/outhook => "+root+"\n\nrequire"+requires)
	write(t, filepath.Join(dir, "go.sum"), read(t, "../go.sum"))
	write(t, filepath.Join(dir, "example_test.go"), strings.Replace(read(t, "example_test.go"), "package dispatcher_test", "package host_test", 1))
	cmd := exec.CommandContext(t.Context(), "go", "vet", "-mod=mod", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
