package deploy_test

import (
	"debug/elf"
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.smobi.com/outhook/config"
)

// instruction is one of the Dockerfile, its lines joined.
type instruction struct{ name, args string }

// dockerfile returns the instructions of each stage. The first of a stage is its FROM.
func dockerfile(t *testing.T) [][]instruction {
	t.Helper()
	var stages [][]instruction
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(read(t, "Dockerfile"), "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "":
			continue
		case name == "FROM":
			stages = append(stages, nil)
		case len(stages) == 0:
			t.Fatalf("%s stands before the first FROM", name)
		}
		stages[len(stages)-1] = append(stages[len(stages)-1], instruction{name, args})
	}
	if len(stages) != 2 {
		t.Fatalf("%d stages, want one that builds and the last", len(stages))
	}
	return stages
}

// args returns what stands behind every instruction of that name.
func args(stage []instruction, name string) []string {
	var found []string
	for _, one := range stage {
		if one.name == name {
			found = append(found, one.args)
		}
	}
	return found
}

func list(t *testing.T, stage []instruction, name string) []string {
	t.Helper()
	var words []string
	if found := args(stage, name); len(found) != 1 || json.Unmarshal([]byte(found[0]), &words) != nil {
		t.Fatalf("%s is %q, want one list in brackets, as there is no shell", name, found)
	}
	return words
}

func TestImageIsAlmostEmpty(t *testing.T) {
	last := dockerfile(t)[1]
	if got := args(last, "FROM"); got[0] != "scratch" {
		t.Errorf("the last stage is from %q", got)
	}
	if got := args(last, "USER"); len(got) != 1 || !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(got[0]) {
		t.Errorf("it runs as %q, want numbers that are not root's", got)
	}
	authorities := "/etc/ssl/certs/ca-certificates.crt" // the first place where crypto/x509 looks on Linux
	want := []string{"--from=build " + authorities + " " + authorities, "--from=build /out/outhook /outhook"}
	if got := args(last, "COPY"); !slices.Equal(got, want) {
		t.Errorf("it holds %q, want %q", got, want)
	}
	if got := list(t, last, "ENTRYPOINT"); !slices.Equal(got, []string{"/outhook"}) {
		t.Errorf("it starts %q", got)
	}
	var ports []string
	for _, listen := range []string{config.Default().HTTP.Listen, config.Default().Admin.Listen} {
		_, port, err := net.SplitHostPort(listen)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	if got := args(last, "EXPOSE"); len(got) != 1 || got[0] != strings.Join(ports, " ") {
		t.Errorf("it exposes %q, want %q", got, ports)
	}
}

func TestImageIsBuiltWithTheModulesGo(t *testing.T) {
	version := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+)`).FindStringSubmatch(read(t, "../go.mod"))
	if version == nil {
		t.Fatal("go.mod names no version")
	}
	if got := args(dockerfile(t)[0], "FROM"); got[0] != "golang:"+version[1]+" AS build" {
		t.Errorf("built from %q, and go.mod says %s", got, version[1])
	}
}

// Modules are downloaded from go.mod and go.sum alone, before the code is there.
func TestImageKeepsItsModules(t *testing.T) {
	var got []string
	for _, one := range dockerfile(t)[0] {
		if one.name == "COPY" || one.name == "RUN" {
			got = append(got, one.name+" "+one.args)
		}
	}
	want := []string{"COPY go.mod go.sum ./", "RUN go mod download", "COPY . ."}
	if len(got) != 4 || !slices.Equal(got[:3], want) {
		t.Errorf("the first steps are %q, want %q", got, want)
	}
}

// testVersion is what the tests give as the build's argument.
const testVersion = "v1.2.3-test"

// build runs the Dockerfile's own line on what .dockerignore lets through, and returns the binary.
func build(t *testing.T) string {
	t.Helper()
	steps := args(dockerfile(t)[0], "RUN")
	line, binary := steps[len(steps)-1], filepath.Join(t.TempDir(), "outhook")
	if strings.Count(line, "/out/outhook") != 1 {
		t.Fatalf("the build writes something else: %s", line)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, "/out/outhook", binary, 1))
	cmd.Dir = buildContext(t)
	cmd.Env = append(os.Environ(), "VERSION="+testVersion, "GOOS=linux", "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return binary
}

// buildContext copies what .dockerignore does not leave out.
func buildContext(t *testing.T) string {
	t.Helper()
	dir, left := t.TempDir(), ignored(t)
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case left(name) && entry.IsDir():
			return fs.SkipDir
		case left(name):
			return nil
		case entry.IsDir():
			return os.Mkdir(filepath.Join(dir, name), 0o700)
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// ignored reads .dockerignore: "*" first, then the names at the root that stay (!name), then what leaves at any depth (**/pattern),
// then files that stay all the same (!path).
func ignored(t *testing.T) func(name string) bool {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(read(t, "../.dockerignore"), "")
	words := strings.Fields(lines)
	if len(words) == 0 || words[0] != "*" {
		t.Fatal(".dockerignore does not begin with everything")
	}
	var stay, leave, kept []string
	for _, word := range words[1:] {
		if name, ok := strings.CutPrefix(word, "!"); ok && len(leave) == 0 && !strings.ContainsAny(name, "*/") {
			stay = append(stay, name)
		} else if pattern, ok := strings.CutPrefix(word, "**/"); ok && !strings.Contains(pattern, "/") {
			leave = append(leave, pattern)
		} else if name, ok := strings.CutPrefix(word, "!"); ok && !strings.Contains(name, "*") {
			kept = append(kept, name)
		} else {
			t.Fatalf(".dockerignore: the test does not know what %s does", word)
		}
	}
	return func(name string) bool {
		top, _, _ := strings.Cut(name, "/")
		if slices.Contains(kept, name) {
			return false
		}
		return !slices.Contains(stay, top) || slices.ContainsFunc(leave, func(pattern string) bool {
			matches, _ := path.Match(pattern, path.Base(name))
			return matches
		})
	}
}

// TestImageServesCompose builds what the image holds and starts it as compose does.
func TestImageServesCompose(t *testing.T) {
	binary := build(t)
	t.Run("static", func(t *testing.T) {
		file, err := elf.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for _, part := range file.Progs {
			if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
				t.Errorf("the binary has a %v: it needs files that the image lacks", part.Type)
			}
		}
	})
	if runtime.GOOS != "linux" {
		t.Skip("the rest runs the binary, which is of linux")
	}
	t.Run("version", func(t *testing.T) {
		if out := runs(t, nil, binary, "version"); !strings.HasPrefix(out, "outhook "+testVersion+",") {
			t.Errorf("it says %q", out)
		}
	})
	t.Run("command of its own", func(t *testing.T) {
		words := append(list(t, dockerfile(t)[1], "CMD"), "--help")
		if out := runs(t, nil, binary, words...); !strings.Contains(out, "--role") {
			t.Errorf("%q says %q", words, out)
		}
	})
	for name, s := range readCompose(t).ours() {
		t.Run(name, func(t *testing.T) { testService(t, binary, s) })
	}
	t.Run("with nothing else", func(t *testing.T) { testAlone(t, binary, readCompose(t).Services["worker"]) })
}
