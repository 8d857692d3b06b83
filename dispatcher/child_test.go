package dispatcher_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// The tests run themselves as child processes that can be killed for real.
const (
	childRole     = "OUTHOOK_TEST_CHILD"
	childRedis    = "OUTHOOK_TEST_CHILD_REDIS"
	childBrand    = "OUTHOOK_TEST_CHILD_BRAND"
	childPoint    = "OUTHOOK_TEST_CHILD_POINT"
	childKeys     = "OUTHOOK_TEST_CHILD_KEYS"
	childAttempts = "OUTHOOK_TEST_CHILD_ATTEMPTS"
	childPerHost  = "OUTHOOK_TEST_CHILD_PER_HOST"
	childLane     = "OUTHOOK_TEST_CHILD_LANE"
)

// sharedKeys is the encryption key of parent and children, after newer ones; it guards nothing.
func sharedKeys(newer ...string) dispatcher.KeyRing {
	ring, err := dispatcher.ParseKeyRing(append(newer, "test:"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))))
	if err != nil {
		panic(err)
	}
	return ring
}

// child starts this test binary in a role; it is killed when the test ends.
func child(t *testing.T, role, redisURL string, env ...string) *exec.Cmd {
	t.Helper()
	return start(t, exec.Command(os.Args[0]), role, redisURL, env...)
}

// lowly is child behind every other process that wants the processor, where there is chrt(1).
func lowly(t *testing.T, role, redisURL string, env ...string) *exec.Cmd {
	t.Helper()
	chrt, err := exec.LookPath("chrt")
	if err != nil {
		return child(t, role, redisURL, env...)
	}
	return start(t, exec.Command(chrt, "--idle", "0", os.Args[0]), role, redisURL, env...)
}

func start(t *testing.T, cmd *exec.Cmd, role, redisURL string, env ...string) *exec.Cmd {
	t.Helper()
	cmd.Env = append(os.Environ(), append(env, childRole+"="+role, childRedis+"="+redisURL)...)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// kill ends a child that is still alive.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); !wasKilled(err) {
		t.Fatalf("child ended by itself: %v", err)
	}
}

// awaitKilled waits until a child has killed itself at its point.
func awaitKilled(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	late := time.AfterFunc(dispatchertest.Patience, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer late.Stop()
	if err := cmd.Wait(); !wasKilled(err) {
		t.Fatalf("not killed at its point: %v", err)
	}
}

func runChild() {
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func work() error {
	if os.Getenv(childRole) == "receive" {
		return receive()
	}
	rdb := redis.NewUniversalClient(redistest.OptionsOf(os.Getenv(childRedis)))
	if point := os.Getenv(childPoint); point != "" {
		k, err := newKiller(point)
		if err != nil {
			return err
		}
		rdb.AddHook(k)
	}
	cfg := dispatchertest.Config()
	cfg.Redis, cfg.Secrets, cfg.Catalog.Validation = rdb, sharedKeys(), catalog.ValidationOff
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg.Retry.MaxAttempts, _ = strconv.Atoi(os.Getenv(childAttempts))
	cfg.MaxInFlightPerHost, _ = strconv.Atoi(os.Getenv(childPerHost))
	if lane := os.Getenv(childLane); lane != "" {
		for shard := range 4 {
			cfg.Serve = append(cfg.Serve, fmt.Sprint(lane, "-", shard))
		}
	}
	if keys := os.Getenv(childKeys); keys != "" {
		cfg.Secrets, _ = dispatcher.ParseKeyRing(strings.Split(keys, ",")) // without keys New refuses
	}
	d, err := dispatcher.New(cfg)
	if err != nil {
		return err
	}
	switch os.Getenv(childRole) {
	case "publish":
		_, err = d.Publish(context.Background(), eventOf(os.Getenv(childBrand), "e1"))
	case "work":
		err = d.Run(context.Background())
	case "reencrypt":
		_, err = d.ReencryptSecrets(context.Background(), nil)
	}
	return err
}

func wasKilled(err error) bool {
	exit, ok := err.(*exec.ExitError)
	return ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}
