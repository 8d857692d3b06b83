package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// wants is a line that the doctor is to say: its check, its verdict, and words of its text and advice.
type wants struct {
	check   string
	verdict webhook.Condition
	words   []string
}

func wantOK(check string, words ...string) wants {
	return wants{check, webhook.ConditionOK, words}
}

func wantWarn(check string, words ...string) wants {
	return wants{check, webhook.ConditionWarn, words}
}

func wantBad(check string, words ...string) wants {
	return wants{check, webhook.ConditionBad, words}
}

func (w wants) isIn(findings []webhook.Finding) bool {
	return slices.ContainsFunc(findings, func(f webhook.Finding) bool {
		return f.Check == w.check && f.Verdict == w.verdict &&
			!slices.ContainsFunc(w.words, func(words string) bool { return !strings.Contains(f.Text+" → "+f.Advice, words) })
	})
}

// says asserts the lines, and what holds for every line.
func says(t *testing.T, d interface {
	Doctor(context.Context) []webhook.Finding
}, all ...wants) []webhook.Finding {
	t.Helper()
	findings := d.Doctor(t.Context())
	for _, f := range findings {
		if f.Text == "" || (f.Advice == "") != (f.Verdict == webhook.ConditionOK) {
			t.Errorf("a line without words: %+v", f)
		}
	}
	for _, w := range all {
		if !w.isIn(findings) {
			t.Errorf("not said: %s %s %q, but:\n%s", w.verdict, w.check, w.words, told(findings))
		}
	}
	return findings
}

func told(findings []webhook.Finding) string {
	var text strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&text, "%s %s: %s → %s\n", f.Verdict, f.Check, f.Text, f.Advice)
	}
	return text.String()
}

// admin has auth.adminKey.
func admin(c *dispatcher.Config) { c.AdminKeyHash[0] = 1 }

// TestDoctorIsContent has everything well: each check has one line, which is ok.
func TestDoctorIsContent(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "each server has lines of its own: TestDoctorOnACluster")
	server := redistest.Start(t, "--appendonly", "yes", "--maxmemory", "100mb")
	d := onServer(t, server, admin)
	d.Receiver(t, "acme", webhook.PurposeStatus)
	if _, err := d.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	d.WaitDelivered(t, "acme", "e1")
	var findings []webhook.Finding
	dispatchertest.Eventually(t, func() bool { // its workers say now and then that they are there
		findings = d.Doctor(t.Context())
		return wantOK("workers", "1 process").isIn(findings)
	})
	var checks []string
	for _, f := range findings {
		checks = append(checks, f.Check)
		if f.Verdict != webhook.ConditionOK {
			t.Errorf("%+v", f)
		}
	}
	want := []string{
		"redis", "persistence", "eviction", "memory", "replicas", "clock", "workers", "queues", "reconciler", "orphans",
		"oldest runnable", "oldest open", "failing endpoints", "certificates", "encryption keys", "admin key",
	}
	if !slices.Equal(checks, want) {
		t.Errorf("checks %q, want %q", checks, want)
	}
}

// TestDoctorChangesNothing counts what is written while the doctor looks at a Redis with all kinds of trouble.
func TestDoctorChangesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, run := lostDelivery(t, server, orphan.lose)
	written := func() (all int) {
		redistest.Each(t, server.Admin(t), func(ctx context.Context, node *redis.Client) error {
			_, after, _ := strings.Cut(node.Info(ctx, "persistence").Val(), "rdb_changes_since_last_save:")
			count, _, _ := strings.Cut(after, "\r\n")
			n, err := strconv.Atoi(count)
			all += n
			return err
		})
		return all
	}
	before := written()
	if before == 0 {
		t.Fatal("no changes were counted before")
	}
	says(t, d, wantBad("orphans", run.EventID), wantBad("admin key"))
	if after := written(); after != before {
		t.Errorf("%d changes before, %d after", before, after)
	}
}

// TestDoctorWithoutRedis says one line, whatever is in the way.
func TestDoctorWithoutRedis(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "what is in the way is staged before one server")
	server := redistest.Start(t)
	hole := redistest.StartProxy(t, server.Addr())
	hole.Blackhole()
	for name, tt := range map[string]struct {
		options *redis.Options
		want    []string
	}{
		"nobody listens":  {&redis.Options{Addr: "127.0.0.1:1"}, []string{"connection refused", "redis.url"}},
		"nobody answers":  {&redis.Options{Addr: hole.Addr(), ContextTimeoutEnabled: true}, []string{"does not answer: nothing came in time"}},
		"another in mind": {&redis.Options{Addr: server.Addr(), Username: "nobody", Password: "wrong"}, []string{"WRONGPASS", "give redis.url the user"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redis.NewClient(tt.options)
			defer rdb.Close()
			findings := says(t, notRun(t, rdb, asIs), wantBad("redis", tt.want...))
			if len(findings) != 1 {
				t.Errorf("said:\n%s", told(findings))
			}
		})
	}
}

// going is a Redis that goes when it is asked this, and stays away.
type going struct {
	at   string
	gone chan struct{}
}

func (g going) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g going) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return g.orGone(func() error { return next(ctx, cmd) }, cmd)
	}
}

func (g going) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return g.orGone(func() error { return next(ctx, cmds) }, cmds...)
	}
}

func (g going) orGone(next func() error, cmds ...redis.Cmder) error {
	select {
	case <-g.gone:
	default:
		if !slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Name() == g.at }) {
			return next()
		}
		close(g.gone)
	}
	err := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset")}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return err
}

// TestRedisGoesWhileTheDoctorLooks ends the visit: what was found, what is not known, and that Redis is away.
func TestRedisGoesWhileTheDoctorLooks(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "what one server answers is staged")
	rdb := redistest.Start(t).Client(t)
	rdb.AddHook(going{"smembers", make(chan struct{})}) // the list of queues
	findings := says(t, notRun(t, rdb, asIs), wantOK("eviction"), wantBad("workers", "not known: ", "connection reset"), wantBad("redis", "does not answer"))
	if last := findings[len(findings)-1]; last.Check != "redis" || strings.Count(told(findings), "not known: ") != 1 {
		t.Errorf("it went on:\n%s", told(findings))
	}
}

// TestDoctorWithoutRights tells what it may not see, and goes on.
func TestDoctorWithoutRights(t *testing.T) {
	t.Parallel()
	redistest.OneServer(t, "users are made of one server")
	server := redistest.Start(t)
	rights := []any{"ACL", "SETUSER", "narrow", "on", "nopass", "~*", "+@all", "-info", "-smembers"}
	if err := server.Admin(t).Do(t.Context(), rights...).Err(); err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "narrow", Password: "any"})
	defer rdb.Close()
	says(t, notRun(t, rdb, admin), wantWarn("redis", "says nothing of itself", "deploy/redis-acl.conf"), wantBad("workers", "NOPERM", "deploy/redis-acl.conf"),
		wantOK("reconciler"), wantOK("encryption keys"))
}

func TestDoctorEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if findings := notRun(t, redistest.Start(t).Client(t), asIs).Doctor(ctx); len(findings) > 1 {
		t.Errorf("said:\n%s", told(findings))
	}
}

// lostDelivery is an open delivery whose task was damaged some time ago, and a dispatcher that does not run.
func lostDelivery(t *testing.T, server *redistest.Server, damage func(orphan)) (*dispatcher.Dispatcher, webhook.Run) {
	t.Helper()
	d := notRun(t, server.Client(t), func(c *dispatcher.Config) { c.Secrets = sharedKeys() })
	e, _, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{ID: "ep", Brand: "acme", URL: "https://example.com/?token=query", Purpose: webhook.PurposeStatus})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Publish(t.Context(), event("e1")); err != nil {
		t.Fatal(err)
	}
	ref := webhook.DeliveryRef{Brand: "acme", EventID: "e1", EndpointID: e.ID}
	run := webhook.Run{DeliveryRef: ref, Number: 1, Queue: queuesOf(t, server).QueueFor(e.Ref())}
	damage(orphan{t: t, rdb: server.Admin(t), run: run})
	backdate(t, server, "*:o:acme:ep", "e1", 10*time.Second)
	return d, run
}

// backdate has an entry of the sorted set with such a key be so much older.
func backdate(t *testing.T, server *redistest.Server, pattern, member string, by time.Duration) {
	t.Helper()
	rdb := server.Admin(t)
	for _, key := range redistest.Keys(t, rdb, pattern) {
		if rdb.ZScore(t.Context(), key, member).Err() != nil {
			continue
		}
		if err := rdb.ZIncrBy(t.Context(), key, -float64(by.Milliseconds()), member).Err(); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("%s is in no %s", member, pattern)
}
