package bench_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// program is outhook, built for these tests: what bench measures is a process.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bench-test")
	if err == nil {
		program = filepath.Join(dir, "outhook")
		err = build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Whatever bench keeps in a temporary folder is to be gone at the end.
	temp := filepath.Join(dir, "temp")
	err = errors.Join(os.Mkdir(temp, 0o700), os.Setenv("TMPDIR", temp))
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		left, _ := os.ReadDir(temp)
		for _, entry := range left {
			fmt.Fprintln(os.Stderr, "left behind:", entry.Name())
			code = 1
		}
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}))
}

func build(to string) error {
	out, err := exec.Command("go", "build", "-o", to, "go.smobi.com/outhook/cmd/outhook").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build outhook: %w: %s", err, out)
	}
	return nil
}

// needRedis skips a test on a machine without Redis, unless there is to be one.
func needRedis(t *testing.T) {
	t.Helper()
	servers := []string{"redis-server", "valkey-server"}
	if slices.ContainsFunc(servers, func(name string) bool { _, err := exec.LookPath(name); return err == nil }) {
		return
	}
	if strings.Contains(os.Getenv("OUTHOOK_TEST_REQUIRE"), "redis") {
		t.Fatal("no redis-server or valkey-server, and OUTHOOK_TEST_REQUIRE asks for redis")
	}
	t.Skip("no redis-server or valkey-server")
}
