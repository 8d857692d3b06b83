package dispatcher_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
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
	childRole  = "OUTHOOK_TEST_CHILD"
	childRedis = "OUTHOOK_TEST_CHILD_REDIS"
	childEvent = "OUTHOOK_TEST_CHILD_EVENT"
	childPoint = "OUTHOOK_TEST_CHILD_POINT"
	childKeys  = "OUTHOOK_TEST_CHILD_KEYS"
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
func child(t *testing.T, role, redisAddr string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, childRole+"="+role, childRedis+"="+redisAddr)...)
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

func runChild() {
	rdb := redis.NewClient(redistest.Options(os.Getenv(childRedis)))
	if point := os.Getenv(childPoint); point != "" {
		k := &killer{}
		fmt.Sscanf(point, "%d/%d", &k.pipeline, &k.commands)
		rdb.AddHook(k)
	}
	cfg := dispatchertest.Config()
	cfg.Redis, cfg.Secrets, cfg.Catalog.Validation = rdb, sharedKeys(), catalog.ValidationOff
	if keys := os.Getenv(childKeys); keys != "" {
		cfg.Secrets, _ = dispatcher.ParseKeyRing(strings.Split(keys, ",")) // without keys New refuses
	}
	d, err := dispatcher.New(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	switch os.Getenv(childRole) {
	case "publish":
		_, err = d.Publish(context.Background(), event(os.Getenv(childEvent)))
	case "work":
		err = d.Run(context.Background())
	case "reencrypt":
		_, err = d.ReencryptSecrets(context.Background(), nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// killer ends its own process with SIGKILL after the given number of commands
// of the given pipeline of scripts, counted from 1, has reached Redis.
type killer struct{ pipeline, commands, seen int }

func (k *killer) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (k *killer) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (k *killer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return strings.HasPrefix(c.Name(), "eval") }) {
			return next(ctx, cmds)
		}
		if k.seen++; k.seen != k.pipeline {
			return next(ctx, cmds)
		}
		if k.commands > 0 {
			_ = next(ctx, cmds[:min(k.commands, len(cmds))])
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour) // the signal is on its way
		return net.ErrClosed
	}
}

func wasKilled(err error) bool {
	exit, ok := err.(*exec.ExitError)
	return ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}
