package deploy_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/queue/monitor"
)

// aclFile is also that of the suites that CI runs once more, as the user outhook.
const aclFile = "redis-acl.conf"

// withUsers makes every Redis of the test one with the users of the file.
func withUsers(t *testing.T) {
	t.Helper()
	path, err := filepath.Abs(aclFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(redistest.EnvACL, path)
}

// userLines are the lines of the file that are rules, as words, by user.
func userLines(t *testing.T) map[string][]string {
	t.Helper()
	users := map[string][]string{}
	for line := range strings.Lines(read(t, aclFile)) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "user" {
			users[words[1]] = words[2:]
		}
	}
	return users
}

func TestNobodyLogsInWithTheFileAsItIs(t *testing.T) {
	for name, rules := range userLines(t) {
		disabled := slices.Contains(rules, "off") && slices.Contains(rules, "resetpass")
		if !disabled && !slices.Contains(rules, "#"+redistest.NoPassword) || slices.Contains(rules, "nopass") {
			t.Errorf("user %s has another password than the placeholder", name)
		}
	}
}

// documented is a kind of commands in the comment of the file.
var documented = regexp.MustCompile(`(?m)^#   [a-z][a-z ]{16}(.+)$`)

func TestTheCommentNamesEveryCommandOfTheDaemon(t *testing.T) {
	var told []string
	for _, kind := range documented.FindAllStringSubmatch(read(t, aclFile), -1) {
		for part := range strings.SplitSeq(kind[1], ",") {
			part, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(part), "and "), " for ")
			part, _, _ = strings.Cut(part, " to ")
			told = append(told, strings.Fields(part)...)
		}
	}
	var given []string
	for _, rule := range userLines(t)[redistest.User] {
		if command, ok := strings.CutPrefix(rule, "+"); ok {
			given = append(given, command)
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(given)), slices.Sorted(slices.Values(told))); diff != "" {
		t.Errorf("commands (-given +told):\n%s", diff)
	}
}

// foreign is what another program keeps on the same Redis.
const foreign = "sessions:1"

// forbidden is what the daemon's user may not do: commands at large, and those it may use on what is not its own.
var forbidden = map[string][]any{
	"list keys":                   {"KEYS", "*"},
	"a key at random":             {"RANDOMKEY"},
	"empty it all":                {"FLUSHALL"},
	"empty a database":            {"FLUSHDB"},
	"swap databases":              {"SWAPDB", 0, 1},
	"read the configuration":      {"CONFIG", "GET", "*"},
	"change the configuration":    {"CONFIG", "SET", "maxmemory", "1"},
	"debug":                       {"DEBUG", "SLEEP", "0"},
	"stop it":                     {"SHUTDOWN", "NOSAVE"},
	"watch others":                {"MONITOR"},
	"see others":                  {"CLIENT", "LIST"},
	"end others":                  {"CLIENT", "KILL", "TYPE", "normal"},
	"pause others":                {"CLIENT", "PAUSE", "1"},
	"list users":                  {"ACL", "LIST"},
	"make a user":                 {"ACL", "SETUSER", "me", "on", "nopass", "~*", "+@all"},
	"become a replica":            {"REPLICAOF", "127.0.0.1", "1"},
	"send keys away":              {"MIGRATE", "127.0.0.1", "1", foreign, "0", "1"},
	"write files":                 {"SAVE"},
	"rewrite the file":            {"BGREWRITEAOF"},
	"load a module":               {"MODULE", "LOAD", "/tmp/x.so"},
	"load a function":             {"FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('x', function() end)"},
	"forget others' scripts":      {"SCRIPT", "FLUSH"},
	"leave a cluster":             {"CLUSTER", "RESET"},
	"read a foreign key":          {"GET", foreign},
	"read its size":               {"MEMORY", "USAGE", foreign},
	"write a foreign key":         {"SET", foreign, "x"},
	"delete a foreign key":        {"DEL", foreign},
	"take a foreign element":      {"BLMOVE", foreign, foreign, "RIGHT", "RIGHT", "0.1"},
	"a queue of another program":  {"LPUSH", "asynq:{default}:pending", "x"},
	"a key like ours":             {"GET", "oh:{other}:x"},
	"a key with our name in it":   {"GET", "x:oh:{s00}:due"},
	"a script on a foreign key":   {"EVAL", "return redis.call('GET', KEYS[1])", 1, foreign},
	"a key that is not declared":  {"EVAL", "return redis.call('GET', '" + foreign + "')", 0},
	"one beside a key of ours":    {"EVAL", "return redis.call('GET', '" + foreign + "')", 1, "oh:{s00}:due"},
	"a command inside a script":   {"EVAL", "return redis.call('FLUSHALL')", 0},
	"listen to another channel":   {"SUBSCRIBE", "sessions"},
	"listen to all channels":      {"PSUBSCRIBE", "*"},
	"speak on another channel":    {"PUBLISH", "sessions", "x"},
	"copy a key of ours away":     {"COPY", "oh:{s00}:due", foreign, "REPLACE"},
	"read a key of ours whole":    {"DUMP", "oh:{s00}:due"},
	"read keys by those of a set": {"SORT", "oh:{s00}:keys", "BY", "nosort", "GET", "sessions:*"},
}

func TestTheDaemonsUserCannotReachBeyondItsOwn(t *testing.T) {
	withUsers(t)
	server := redistest.Start(t, "--enable-debug-command", "yes", "--enable-module-command", "yes")
	admin, own := server.Admin(t), server.As(t, redistest.User)
	must(t, admin.Set(t.Context(), foreign, "secret", 0).Err())
	must(t, own.ZAdd(t.Context(), "oh:{s00}:due", redis.Z{Score: 1, Member: "acme:a"}).Err()) // it can do its own
	for name, command := range forbidden {
		refused(t, name, own.Do(t.Context(), command...).Err())
	}
	if got := admin.Get(t.Context(), foreign).Val(); got != "secret" {
		t.Errorf("the foreign key is %q", got)
	}
}

func refused(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "The user executing the script can't") {
		t.Errorf("%s: error %v, want no permission", name, err)
	}
}

func TestNobodyWithoutANameGetsIn(t *testing.T) {
	withUsers(t)
	server := redistest.Start(t)
	for _, user := range []string{"", "default", redistest.User, "asynqmon"} {
		for _, password := range []string{"", "x", redistest.NoPassword} {
			c := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: user, Password: password, MaxRetries: -1})
			err := c.Ping(t.Context()).Err()
			c.Close()
			if err == nil || !redis.IsAuthError(err) {
				t.Errorf("user %q with password %q: error %v, want one of authentication", user, password, err)
			}
		}
	}
}

// Redis reads the file of what scripts wrote in the name of the default user, and drops what that one may not write.
func TestARestartKeepsWhatScriptsWrote(t *testing.T) {
	withUsers(t)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "no")
	own := server.As(t, redistest.User)
	keys := []string{"oh:{s00}:x", "oh:{s00}:y"}
	must(t, own.Eval(t.Context(), "redis.call('SET', KEYS[1], '1') redis.call('SET', KEYS[2], '2')", keys).Err(), redis.Nil)
	server.Restart(t)
	if n, err := server.As(t, redistest.User).Exists(t.Context(), keys...).Result(); err != nil || n != 2 {
		t.Errorf("%d of 2 keys after the restart, %v", n, err)
	}
}

func must(t *testing.T, err error, unless ...error) {
	t.Helper()
	if err != nil && !slices.Contains(unless, err) {
		t.Fatal(err)
	}
}

// pages are all that asynqmon asks for, and their answers without rights are no 200.
var pages = []string{
	"queues", "queues/live-0", "queues/live-0/pending_tasks", "queues/live-0/active_tasks", "queues/live-0/scheduled_tasks",
	"queues/live-0/retry_tasks", "queues/live-0/archived_tasks", "queues/live-0/completed_tasks", "queues/live-0/groups",
	"queues/live-0/tasks/acme:e1:a:1", "queue_stats", "servers", "scheduler_entries", "redis_info",
}

// changes are buttons of asynqmon.
var changes = []string{
	"POST queues/live-0:pause", "POST queues/live-0:resume", "POST queues/live-0/pending_tasks/acme:e1:a:1:archive",
	"POST queues/live-0/archived_tasks/acme:e1:a:1:run", "DELETE queues/live-0/pending_tasks/acme:e1:a:1",
	"POST queues/live-0/pending_tasks:archive_all", "POST queues/live-0/archived_tasks:run_all", "DELETE queues/live-0/pending_tasks:delete_all",
	"POST queues/live-0/active_tasks:cancel_all", "DELETE queues/live-1",
}

func TestAsynqmonUnderTheUsers(t *testing.T) {
	withUsers(t)
	single := redistest.Start(t)
	for name, own := range map[string]redis.UniversalClient{"single": single.As(t, redistest.User), "cluster": redistest.StartCluster(t).Client(t)} {
		t.Run(name, func(t *testing.T) {
			furnish(t, own)
			ask := asynqmon(t, own)
			for _, page := range pages {
				if status := ask("GET " + page); status != http.StatusOK {
					t.Errorf("%s: %d", page, status)
				}
			}
			for _, change := range changes {
				if status := ask(change); status >= 300 {
					t.Errorf("%s: %d", change, status)
				}
			}
		})
	}
	furnish(t, single.As(t, redistest.User))
	ask := asynqmon(t, single.As(t, "asynqmon"))
	for _, page := range pages {
		if status := ask("GET " + page); status != http.StatusOK {
			t.Errorf("read-only: %s: %d", page, status)
		}
	}
	for _, change := range changes {
		if status := ask(change); status < 400 && !strings.HasSuffix(change, "cancel_all") { // which found none to cancel
			t.Errorf("read-only: %s: %d", change, status)
		}
	}
}

// furnish puts a task into a queue, and lists another queue.
func furnish(t *testing.T, rdb redis.UniversalClient) {
	t.Helper()
	q, err := queue.Open(queue.Config{Redis: rdb})
	must(t, err)
	ref := webhook.DeliveryRef{Brand: "acme", EventID: "e1", EndpointID: "a"}
	must(t, q.Enqueue(t.Context(), []webhook.Run{{DeliveryRef: ref, Number: 1, Queue: "live-0"}, {DeliveryRef: ref, Number: 2, Queue: "live-0"}}))
	must(t, rdb.SAdd(t.Context(), "asynq:queues", "live-1").Err())
}

// asynqmon answers the status of a request, "GET queues".
func asynqmon(t *testing.T, rdb redis.UniversalClient) func(string) int {
	t.Helper()
	h, err := monitor.New(monitor.Config{
		Redis: rdb, AdminKey: func(*http.Request, string) (string, error) { return "", nil }, StillAdmin: func(context.Context, string) error { return nil },
	})
	must(t, err)
	return func(request string) int {
		method, path, _ := strings.Cut(request, " ")
		r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), method, "/asynqmon/api/"+path, strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer any")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		return answer.Code
	}
}

func TestAsynqmonsUserCannotReadOrWrite(t *testing.T) {
	withUsers(t)
	server := redistest.Start(t)
	own, admin := server.As(t, "asynqmon"), server.Admin(t)
	must(t, admin.Set(t.Context(), "oh:{s00}:k:key_1", "secret", 0).Err())
	must(t, admin.LPush(t.Context(), "asynq:{live-0}:pending", "x").Err())
	for name, command := range map[string][]any{
		"read outhook's own":   {"GET", "oh:{s00}:k:key_1"},
		"by a script":          {"EVAL", "return redis.call('GET', 'oh:{s00}:k:key_1')", 0},
		"write to a queue":     {"LPUSH", "asynq:{live-0}:pending", "y"},
		"in a script":          {"EVAL", "return redis.call('LPUSH', KEYS[1], 'y')", 1, "asynq:{live-0}:pending"},
		"delete a queue":       {"DEL", "asynq:{live-0}:pending"},
		"cut another list":     {"ZREMRANGEBYSCORE", "asynq:{live-0}:lease", "-inf", "+inf"},
		"cancel a task":        {"PUBLISH", "asynq:cancel", "x"},
		"look over all keys":   {"SCAN", 0},
		"read a configuration": {"CONFIG", "GET", "*"},
	} {
		refused(t, name, own.Do(t.Context(), command...).Err())
	}
}
