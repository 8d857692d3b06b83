package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The README's quick start does what it says: its blocks are run as they stand,
// but for the ports, which may be taken here.
func TestReadmeQuickStart(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this machine", tool)
		}
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks, want that of the command line and that of curl", len(blocks))
	}
	server := startServe(t, redistest.Start(t).Addr())
	server.awaitReady(t, 200, "ok\n")
	listener := freeAddress(t)
	moved := strings.NewReplacer("http://127.0.0.1:8080", server.api, "127.0.0.1:9000", listener)

	out := runBlock(t, server, moved.Replace(blocks[0][1]))
	expectInOrder(t, out, "listening on", "id: ", "reachable, answered 405", "outcome:", "delivered",
		"r1-delivered", "delivered at", "not matched: the endpoint wants interaction.*", "old secret:", "deleted")
	out = runBlock(t, server, moved.Replace(blocks[1][1]))
	expectInOrder(t, out, `"key":"ohk_`, `"secret":"whsec_`, `"X-Team":"blue"`, `"reachable":`, `"trigger":"test"`, `"id":"r2-read"`,
		`"explanation":`, `"items":[`, `"oldSecrets":[`)
}

// What outhook is measured against is quoted whole.
func TestReadmeQuotesThePlainProgram(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("bench/plain/plain.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```go\n"+string(program)+"```\n") {
		t.Error("README.md does not quote bench/plain/plain.go as it is")
	}
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// runBlock runs it in a shell where outhook is this program, and returns all that it prints.
func runBlock(t *testing.T, server *child, script string) string {
	t.Helper()
	dir := t.TempDir()
	wrapper := "#!/bin/sh\n" + childMark + "=1 exec '" + os.Args[0] + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "outhook"), []byte(wrapper), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), dispatchertest.Patience)
	defer cancel()
	// -m: the receiver in the background is a job of its own, as on a terminal.
	cmd := exec.CommandContext(ctx, "bash", "-emuc", script)
	cmd.Dir = dir
	cmd.Env = append(withoutOurs(os.Environ()), "PATH="+dir+":"+os.Getenv("PATH"), "OUTHOOK_SERVER="+server.api, "ADMIN_KEY="+testKey)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func expectInOrder(t *testing.T, out string, parts ...string) {
	t.Helper()
	rest := out
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%q is missing, or not in its place:\n%s", part, out)
		}
		rest = after
	}
}
