package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

// everyKey reads all of Redis, one haystack a key.
func everyKey(t *testing.T, server *redistest.Server) []canaryHaystack {
	t.Helper()
	rdb := server.Admin(t)
	var found []canaryHaystack
	walk := rdb.Scan(t.Context(), 0, "*", 1000).Iterator()
	for walk.Next(t.Context()) {
		found = append(found, canaryHaystack{"redis " + walk.Val(), []byte(walk.Val() + "\n" + valueOf(t, rdb, walk.Val()))})
	}
	if err := walk.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// valueOf is all that a key holds; a key may be gone by now.
func valueOf(t *testing.T, rdb redis.UniversalClient, key string) string {
	t.Helper()
	kind := rdb.Type(t.Context(), key).Val()
	commands := map[string][]any{
		"string": {"get", key}, "hash": {"hgetall", key}, "set": {"smembers", key}, "list": {"lrange", key, 0, -1},
		"zset": {"zrange", key, 0, -1}, "stream": {"xrange", key, "-", "+"},
	}
	command, known := commands[kind]
	if !known && kind != "none" {
		t.Fatalf("%s is a %q, which is not searched", key, kind)
	}
	if !known {
		return ""
	}
	value, err := rdb.Do(t.Context(), command...).Result()
	if err != nil && err != redis.Nil {
		t.Fatal(err)
	}
	return flat(value)
}

// flat writes an answer of Redis with nothing between the bytes of a text.
func flat(value any) string {
	switch v := value.(type) {
	case []any:
		var b strings.Builder
		for _, element := range v {
			b.WriteString(flat(element) + "\n")
		}
		return b.String()
	case map[any]any:
		var b strings.Builder
		for key, element := range v {
			b.WriteString(flat(key) + "\n" + flat(element) + "\n")
		}
		return b.String()
	}
	return fmt.Sprint(value)
}

// everyFile reads what Redis has on disk: its append-only files, and a snapshot made now.
func everyFile(t *testing.T, server *redistest.Server) []canaryHaystack {
	t.Helper()
	rdb := server.Admin(t)
	if err := rdb.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	dir := rdb.ConfigGet(t.Context(), "dir").Val()["dir"]
	var found []canaryHaystack
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		kind := "aof "
		if filepath.Ext(path) == ".rdb" && filepath.Dir(path) == dir {
			kind = "rdb "
		}
		found = append(found, canaryHaystack{kind + entry.Name(), text})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// adminPaths are what an operator reads, all queues and states of tasks.
func adminPaths() []string {
	paths := []string{
		"/healthz", "/readyz", "/metrics", "/asynqmon/api/queues", "/asynqmon/api/servers", "/asynqmon/api/queue_stats",
		"/asynqmon/api/redis_info", "/asynqmon/api/scheduler_entries", "/debug/pprof/", "/debug/pprof/cmdline",
		"/debug/pprof/goroutine?debug=2", "/debug/pprof/goroutine?debug=1", "/debug/pprof/heap?debug=1", "/debug/pprof/symbol",
	}
	for shard := range 4 {
		queue := fmt.Sprintf("/asynqmon/api/queues/live-%d", shard)
		paths = append(paths, queue)
		for _, state := range []string{"active", "pending", "scheduled", "retry", "archived", "completed"} {
			paths = append(paths, queue+"/"+state+"_tasks")
		}
	}
	return paths
}

// everyPage reads what the admin listener tells one who has the key.
func everyPage(t *testing.T, name string, c *child) []canaryHaystack {
	t.Helper()
	var found []canaryHaystack
	for _, path := range adminPaths() {
		status, text := get(t, c.admin+path, testKey)
		missing := slices.Contains([]string{"/metrics", "/debug/pprof/cmdline"}, path)
		if path == "/debug/pprof/cmdline" && status != http.StatusNotFound || !missing && status != http.StatusOK {
			t.Errorf("%s %s: %d", name, path, status)
		}
		found = append(found, canaryHaystack{name + " " + path, []byte(text)})
	}
	return found
}

// log is all that the process wrote.
func (c *child) log() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.raw.Bytes())
}
