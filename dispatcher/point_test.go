package dispatcher_test

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// point is where a process is killed: "after record 2" is when Redis has
// answered its second call of record.
type point struct {
	when   string // before or after
	script string
	nth    int
}

func parsePoint(text string) (p point, err error) {
	_, err = fmt.Sscanf(text, "%s %s %d", &p.when, &p.script, &p.nth)
	if err == nil && (p.when != "before" && p.when != "after" || p.nth < 1) {
		err = fmt.Errorf("no point: %q", text)
	}
	return p, err
}

// killer ends its own process with SIGKILL at a point.
type killer struct {
	point
	names map[string]string

	mu   sync.Mutex
	seen int
}

func newKiller(text string) (*killer, error) {
	p, err := parsePoint(text)
	if err != nil {
		return nil, err
	}
	names, err := scriptNames("redisstore/lua")
	if err != nil {
		return nil, err
	}
	return &killer{point: p, names: names}, nil
}

func (k *killer) DialHook(next redis.DialHook) redis.DialHook { return next }

func (k *killer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return k.send([]redis.Cmder{cmd}, func(cmds []redis.Cmder) error { return next(ctx, cmds[0]) })
	}
}

func (k *killer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return k.send(cmds, func(cmds []redis.Cmder) error { return next(ctx, cmds) })
	}
}

// send sends the commands up to the point, if it is among them, and dies. A
// script that Redis did not know was not called.
func (k *killer) send(cmds []redis.Cmder, next func([]redis.Cmder) error) error {
	n, dies := k.reached(cmds)
	if !dies {
		return next(cmds)
	}
	if n > 0 {
		err := next(cmds[:n])
		if k.when == "after" && redis.HasErrorPrefix(cmds[n-1].Err(), "NOSCRIPT") {
			k.forget()
			if n < len(cmds) {
				err = cmp.Or(err, k.send(cmds[n:], next))
			}
			return err
		}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	time.Sleep(time.Hour) // the signal is on its way
	return net.ErrClosed
}

func (k *killer) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen--
}

// reached counts the calls among the commands, and answers how many of these
// are still to be sent when the point is among them. A transaction is sent
// whole or not at all.
func (k *killer) reached(cmds []redis.Cmder) (send int, dies bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, cmd := range cmds {
		if k.nameOf(cmd) != k.script {
			continue
		}
		if k.seen++; k.seen != k.nth {
			continue
		}
		whole := cmds[0].Name() == "multi"
		switch {
		case k.when == "before" && whole:
			return 0, true
		case k.when == "before":
			return i, true
		case whole:
			return len(cmds), true
		}
		return i + 1, true
	}
	return 0, false
}

// nameOf answers what a command is called here: a script of ours by its file's
// name, one of Asynq by what it does.
func (k *killer) nameOf(cmd redis.Cmder) string {
	args := cmd.Args()
	if cmd.Name() == "zrem" && strings.HasSuffix(fmt.Sprint(args[1]), ":admitting") {
		return "finish"
	}
	if !strings.HasPrefix(cmd.Name(), "eval") || len(args) < 4 {
		return cmd.Name()
	}
	if name := k.names[fmt.Sprint(args[1])]; name != "" {
		return name
	}
	return asynqName(args[3:])
}

// asynqName recognises Asynq's scripts, and ours that do the same for several tasks, by their keys.
func asynqName(keys []any) string {
	if len(keys) < 2 || !strings.HasPrefix(fmt.Sprint(keys[0]), "asynq:") {
		return ""
	}
	kind := func(key any) string {
		_, rest, _ := strings.Cut(fmt.Sprint(key), "}:")
		first, _, _ := strings.Cut(rest, ":")
		return first
	}
	switch kind(keys[0]) + " " + kind(keys[1]) {
	case "t pending", "pending t":
		return "enqueue"
	case "t scheduled":
		return "schedule"
	case "pending paused":
		if strings.HasPrefix(fmt.Sprint(keys[0]), "asynq:{bulk-") {
			return "" // nothing is there, and who looks first is by chance
		}
		return "dequeue"
	case "t active":
		return "retry"
	case "active lease":
		if len(keys) > 3 && (kind(keys[2]) == "t" || kind(keys[2]) == "processed") {
			return "done"
		}
	}
	return ""
}

// scriptNames answers the name of each of our scripts by its digest: each file
// alone, and after those that it may begin with.
func scriptNames(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.lua"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no scripts in %s: %w", dir, err)
	}
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		texts[strings.TrimSuffix(filepath.Base(file), ".lua")] = string(text)
	}
	names := map[string]string{}
	for name, text := range texts {
		for _, first := range beginnings {
			beginning := ""
			for _, part := range strings.Fields(first) {
				beginning += texts[part]
			}
			sum := sha1.Sum([]byte(beginning + text))
			names[hex.EncodeToString(sum[:])] = name
		}
	}
	return names, nil
}

// beginnings are the files that scripts share as their beginning.
var beginnings = []string{"", "endpoint", "write", "endpoint admits", "endpoint write admits"}

func TestParsePoint(t *testing.T) {
	if p, err := parsePoint("after admit 2"); err != nil || p != (point{"after", "admit", 2}) {
		t.Fatal(p, err)
	}
	bad := []string{"", "record 1", "during record 1", "after record", "after record 0"}
	if i := slices.IndexFunc(bad, func(text string) bool { _, err := parsePoint(text); return err == nil }); i >= 0 {
		t.Fatalf("%q is a point", bad[i])
	}
}
