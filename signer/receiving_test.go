package signer_test

import (
	"bufio"
	"go/format"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/signer"
)

// block returns the page's one code block of a language.
func block(t *testing.T, language string) string {
	t.Helper()
	found := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(readText(t, "RECEIVING.md"), -1)
	if len(found) != 1 {
		t.Fatalf("%d blocks of %s, want one", len(found), language)
	}
	return found[0][1]
}

// The page's request verifies with the page's secret.
func TestReceivingExample(t *testing.T) {
	secret := mustSecret(t, regexp.MustCompile(`whsec_[A-Za-z0-9+/=]{32,}`).FindString(readText(t, "RECEIVING.md")))
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(block(t, "http"), "\n", "\r\n"))))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatal(err)
	}
	unix, err := strconv.ParseInt(request.Header.Get(signer.HeaderTimestamp), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Verify(request.Header, body, time.Unix(unix, 0), 0, secret); err != nil {
		t.Errorf("%v\n%s", err, body)
	}
}

// Every server of the page runs, accepts what is signed, refuses what is not, and works on an event once.
func TestReceivingServers(t *testing.T) {
	for language, command := range map[string]func(*testing.T) []string{
		"go": goReceiver, "python": pythonReceiver, "javascript": nodeReceiver,
	} {
		t.Run(language, func(t *testing.T) {
			secret := signer.NewSecret()
			testReceiver(t, startReceiver(t, secret, command(t)), secret)
		})
	}
}

// goReceiver builds the block as a module of its own, with the library that go.mod has.
func goReceiver(t *testing.T) []string {
	text := block(t, "go")
	if formatted, err := format.Source([]byte(text)); err != nil || string(formatted) != text {
		t.Errorf("gofmt would change the block (error %v)", err)
	}
	library := regexp.MustCompile(`github.com/standard-webhooks/\S+ v\S+`).FindString(readText(t, "../go.mod"))
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "go.mod"), "module example.com/receiver\n\ngo 1.26.0\n\nrequire "+library+"\n")
	writeText(t, filepath.Join(dir, "go.sum"), readText(t, "../go.sum"))
	writeText(t, filepath.Join(dir, "main.go"), text)
	for _, words := range [][]string{{"vet", "."}, {"build", "-o", "receiver", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", words...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", words[0], err, out)
		}
	}
	return []string{filepath.Join(dir, "receiver")}
}

func pythonReceiver(t *testing.T) []string {
	needs(t, "python", "python3", "-c", "import standardwebhooks.webhooks")
	return []string{"python3", script(t, "python", "receiver.py")}
}

// nodeReceiver finds the library by NODE_PATH.
func nodeReceiver(t *testing.T) []string {
	needs(t, "javascript", "node", "-e", `require("standardwebhooks")`)
	return []string{"node", script(t, "javascript", "receiver.js")}
}

// needs skips the test where a language or its library is not there, unless OUTHOOK_TEST_REQUIRE asks for it.
func needs(t *testing.T, language, name string, words ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, words...).CombinedOutput()
	switch {
	case err == nil:
		return
	case strings.Contains(os.Getenv("OUTHOOK_TEST_REQUIRE"), language):
		t.Fatalf("%s %q, and OUTHOOK_TEST_REQUIRE asks for it: %v\n%s", name, words, err, out)
	}
	t.Skipf("no %s, or no library standardwebhooks for it: %v", name, err)
}

func script(t *testing.T, language, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	writeText(t, path, block(t, language))
	return path
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeText(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
