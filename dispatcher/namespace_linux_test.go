package dispatcher_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The hostile world: targets that mean harm go through every road out, in a
// network namespace in which every address is this machine's own and each port
// that matters has a trap. What counts is not what outhook says of itself but
// which connections were accepted.

const (
	// netnsResolver makes a child of this test binary the inside of the
	// namespace, and names the resolver that it is to use.
	netnsResolver = "OUTHOOK_TEST_NETNS"
	// netnsPatience bounds a child, set-up and all.
	netnsPatience = 4 * time.Minute
)

func TestHostileWorld(t *testing.T) {
	if resolver := os.Getenv(netnsResolver); resolver != "" {
		insideHostileWorld(t, resolver)
		return
	}
	resolvers := []string{"go"}
	if os.Getenv("OUTHOOK_TEST_LONG") != "" {
		resolvers = []string{"go", "cgo"}
	}
	for _, resolver := range resolvers {
		t.Run("netdns="+resolver, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), netnsPatience)
			defer cancel()
			output, err := inNamespaces(ctx, resolver, os.Getuid() != 0).CombinedOutput()
			if errors.Is(err, syscall.EPERM) { // a root who may not do everything
				output, err = inNamespaces(ctx, resolver, true).CombinedOutput()
			}
			if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
				cannotEnter(t, err)
			}
			t.Logf("%s", output)
			switch {
			case err != nil:
				t.Errorf("the child failed: %v", err)
			case strings.Contains(string(output), "--- SKIP"):
				t.Skip("the child skipped itself")
			case !strings.Contains(string(output), "--- PASS: TestHostileWorld ("):
				t.Error("the child did not run the test")
			}
		})
	}
}

// inNamespaces is this test once more, alone in a new network and with mounts of
// its own; who is not root may do that in a user namespace. The proxies of its
// environment are traps.
func inNamespaces(ctx context.Context, resolver string, asUser bool) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHostileWorld$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), netnsResolver+"="+resolver, "GODEBUG=netdns="+resolver, "NO_PROXY=", "no_proxy=")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		for _, name := range []string{name, strings.ToLower(name)} {
			cmd.Env = append(cmd.Env, name+"=http://"+net.JoinHostPort(forbiddenProxy, "8443"))
		}
	}
	attributes := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if asUser {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attributes
	return cmd
}

// cannotEnter skips the test, unless OUTHOOK_TEST_REQUIRE asks for it.
func cannotEnter(t *testing.T, why error) {
	t.Helper()
	if strings.Contains(os.Getenv("OUTHOOK_TEST_REQUIRE"), "netns") {
		t.Fatalf("no network namespace to enter, and OUTHOOK_TEST_REQUIRE asks for one: %v", why)
	}
	t.Skipf("no network namespace to enter: %v", why)
}

// insideHostileWorld runs in the child.
func insideHostileWorld(t *testing.T, resolver string) {
	if err := isolate(t.TempDir()); err != nil {
		cannotEnter(t, err)
	}
	targets := hostileTargets()
	if len(targets) < 100 {
		t.Fatalf("%d targets", len(targets))
	}
	w := startWorld(t, resolver, targets)
	w.traps.mustCatch(t, specialAddresses())
	t.Run("roads", func(t *testing.T) { // returns when all have come to their end
		const walkers = 4
		for first := range walkers {
			t.Run(strconv.Itoa(first), func(t *testing.T) {
				t.Parallel()
				for i := first; i < len(targets); i += walkers {
					w.send(t, i, targets[i])
				}
				for i := first; i < len(targets); i += walkers {
					w.judge(t, i, targets[i])
				}
			})
		}
	})
	made := w.traps.mustHoldOnly(t, allowed4, allowed6)
	w.mustNotTell(t, targets)
	w.names.mustHaveAsked(t, resolver)
	t.Logf("%d targets by 5 roads, netdns=%s: %d connections in all", len(targets), resolver, made)
}
