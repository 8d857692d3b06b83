// Package charttest holds deploy/chart against Kubernetes and against the program, without a cluster. The chart is rendered by
// Helm's own engine, every object is decoded strictly into the types of Kubernetes, KEDA and the Prometheus operator, and the
// program itself, built from this checkout, is asked what it makes of the rendered environment and file. It is a module of its
// own, so that the product does not require any of that.
//
// Each check has a name; for each there are mistakes in mistakes_test.go that it must find.
package charttest

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// program is the binary of this checkout.
var program string

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelWarn) // Helm tells of each link that it follows
	dir, err := os.MkdirTemp("", "charttest")
	if err == nil {
		program = filepath.Join(dir, "outhook")
		err = build()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build() error {
	cmd := exec.Command("go", "build", "-o", program, "./cmd/outhook")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build outhook: %w\n%s", err, out)
	}
	return nil
}

// lacking skips a test that needs something which is not there, unless OUTHOOK_TEST_REQUIRE asks for it.
func lacking(t *testing.T, what string) {
	t.Helper()
	if strings.Contains(os.Getenv("OUTHOOK_TEST_REQUIRE"), what) {
		t.Fatalf("no %s, and OUTHOOK_TEST_REQUIRE asks for it", what)
	}
	t.Skipf("no %s", what)
}
