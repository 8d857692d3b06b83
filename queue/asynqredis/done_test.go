package asynqredis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue/asynqredis"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

const (
	totalKey = "asynq:{" + queue + "}:processed"
	maxTotal = 1<<63 - 1
)

// asynqDone is the script by which Asynq ends a task, seen at a server of its own.
func asynqDone(t *testing.T) *redis.Script {
	t.Helper()
	inner, seen := embeddedClient(t), &recorder{}
	inner.AddHook(seen)
	w := startWorker(t, inner, asynqredis.Config{NoPipelining: true})
	enqueue(t, inner, "x")
	awaitHandled(t, w, "x")
	eventually(t, 10*time.Second, "the end of a task", func() bool { return seen.count("eval", activeKey) > 0 })
	w.shutdown()
	return redis.NewScript(seen.find("eval", activeKey)[0][1].(string))
}

// ending is a call of that script.
type ending struct{ id, day string }

func (e ending) keys() []string {
	return []string{activeKey, leaseKey, taskPrefix + e.id, totalKey + ":" + e.day, totalKey}
}

func (e ending) args() []any { return []any{e.id, int64(4102444800), int64(maxTotal)} }

// begin makes tasks active, that of the first id before the others.
func begin(t *testing.T, c redis.UniversalClient, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := c.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
			p.LPush(t.Context(), activeKey, id)
			p.ZAdd(t.Context(), leaseKey, redis.Z{Score: 1, Member: id})
			p.HSet(t.Context(), taskPrefix+id, "msg", id, "state", "active")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// stateOf is everything that ending tasks touches.
func stateOf(t *testing.T, c redis.UniversalClient, all []ending) map[string]string {
	t.Helper()
	now := lookAt(t, c)
	state := map[string]string{
		"active": fmt.Sprint(now.active), "leases": fmt.Sprint(now.leases), "total": c.Get(t.Context(), totalKey).Val(),
	}
	for _, e := range all {
		day := totalKey + ":" + e.day
		state[e.id] = fmt.Sprint(c.HGetAll(t.Context(), taskPrefix+e.id).Val())
		state[day] = fmt.Sprint(c.Get(t.Context(), day).Val(), c.ExpireTime(t.Context(), day).Val())
	}
	return state
}

// together ends tasks while another end is on its way, so that they go with each other, and answers what each was told.
func together(t *testing.T, inner redis.UniversalClient, script *redis.Script, all []ending) map[string][]string {
	t.Helper()
	if without("pipelining") {
		script.Load(t.Context(), inner)
	}
	seen := &trips{hold: make(chan struct{})}
	inner.AddHook(seen)
	c := asynqredis.New(inner, asynqredis.Config{Logger: quiet(), NoPipelining: without("pipelining")})
	defer c.Close()
	release := sync.OnceFunc(func() { close(seen.hold) })
	defer release()
	told := map[string][]string{}
	var mu sync.Mutex
	var going sync.WaitGroup
	end := func(e ending) {
		going.Go(func() {
			answer, err := c.EvalSha(t.Context(), script.Hash(), e.keys(), e.args()...).Text()
			mu.Lock()
			defer mu.Unlock()
			told[e.id] = append(told[e.id], fmt.Sprint(answer, " ", err))
		})
	}
	end(all[0])
	eventually(t, 10*time.Second, "the first is on its way", func() bool { return len(seen.all()) == 1 })
	for _, e := range all[1:] {
		end(e)
	}
	eventually(t, 10*time.Second, "the others wait", func() bool {
		return without("pipelining") || asynqredis.Waiting(c) == len(all)-1
	})
	release()
	going.Wait()
	if n := len(seen.all()); n > max(3, len(all)/2) && !without("pipelining") {
		t.Errorf("%d round trips for %d ends: %v", n, len(all), seen.all())
	}
	return sorted(told)
}

func sorted(told map[string][]string) map[string][]string {
	for _, each := range told {
		slices.Sort(each)
	}
	return told
}

// oneByOne ends tasks by Asynq's own script.
func oneByOne(t *testing.T, c redis.UniversalClient, script *redis.Script, all []ending) map[string][]string {
	told := map[string][]string{}
	for _, e := range all {
		answer, err := script.Run(t.Context(), c, e.keys(), e.args()...).Text()
		told[e.id] = append(told[e.id], fmt.Sprint(answer, " ", err))
	}
	return sorted(told)
}

// endsOf are the tasks of a test, all counted under one day.
func endsOf(ids ...string) (all []ending) {
	for _, id := range ids {
		all = append(all, ending{id, "2030-01-01"})
	}
	return all
}

// What became of tasks that end together, and what their callers are told, is what Asynq's script makes of them one by one.
func TestTogetherIsAsOneByOne(t *testing.T) {
	script := asynqDone(t)
	six := endsOf("a", "b", "c", "d", "e", "f")
	tests := map[string]struct {
		ends  []ending
		stage func(context.Context, redis.UniversalClient)
	}{
		"all there":     {six, func(context.Context, redis.UniversalClient) {}},
		"the same ends": {endsOf("a", "b", "b", "c", "b", "d"), func(context.Context, redis.UniversalClient) {}},
		"one is not active": {six, func(ctx context.Context, c redis.UniversalClient) {
			c.LRem(ctx, activeKey, 0, "c")
		}},
		"one has no lease": {six, func(ctx context.Context, c redis.UniversalClient) { c.ZRem(ctx, leaseKey, "c") }},
		"one is gone": {six, func(ctx context.Context, c redis.UniversalClient) {
			c.Del(ctx, taskPrefix+"c")
		}},
		"none is there": {six, func(ctx context.Context, c redis.UniversalClient) {
			c.Del(ctx, activeKey, leaseKey, taskPrefix+"a", taskPrefix+"b", taskPrefix+"c", taskPrefix+"d", taskPrefix+"e", taskPrefix+"f")
		}},
		"at midnight": {
			[]ending{{"a", "2030-01-01"}, {"b", "2030-01-01"}, {"c", "2030-01-02"}, {"d", "2030-01-01"}, {"e", "2030-01-02"}},
			func(context.Context, redis.UniversalClient) {},
		},
		"counted before": {six, func(ctx context.Context, c redis.UniversalClient) {
			c.MSet(ctx, totalKey, 41, totalKey+":2030-01-01", 7)
		}},
		"the count is full":        {six, func(ctx context.Context, c redis.UniversalClient) { c.Set(ctx, totalKey, maxTotal, 0) }},
		"the count is almost full": {six, func(ctx context.Context, c redis.UniversalClient) { c.Set(ctx, totalKey, maxTotal-3, 0) }},
		"the count is nearly full": {six, func(ctx context.Context, c redis.UniversalClient) { c.Set(ctx, totalKey, maxTotal-513, 0) }},
		"the count is less full":   {six, func(ctx context.Context, c redis.UniversalClient) { c.Set(ctx, totalKey, maxTotal-9000, 0) }},
	}
	for backend, open := range backends {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			inner, own := open(t), redis.UniversalClient(embeddedClient(t))
			if backend != "embedded" {
				own = redistest.Start(t).Client(t)
			}
			for name, tt := range tests {
				for _, c := range []redis.UniversalClient{inner, own} {
					forget(t, c, six, tt.ends)
					begin(t, c, "a", "b", "c", "d", "e", "f")
					tt.stage(t.Context(), c)
				}
				if diff := cmp.Diff(oneByOne(t, own, script, tt.ends), together(t, inner, script, tt.ends)); diff != "" {
					t.Errorf("%s: callers were told (-one by one, +together):\n%s", name, diff)
				}
				if diff := cmp.Diff(stateOf(t, own, tt.ends), stateOf(t, inner, tt.ends)); diff != "" {
					t.Errorf("%s: in Redis (-one by one, +together):\n%s", name, diff)
				}
			}
		})
	}
}

// forget empties the queue.
func forget(t *testing.T, c redis.UniversalClient, all ...[]ending) {
	t.Helper()
	keys := []string{activeKey, leaseKey, totalKey}
	for _, e := range slices.Concat(all...) {
		keys = append(keys, taskPrefix+e.id, totalKey+":"+e.day)
	}
	if err := c.Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
}

// A worker's ends are none of Asynq's script: it is the one that is known.
func TestAsynqsDoneIsKnown(t *testing.T) {
	if without("pipelining") {
		t.Skip("about ends that go together")
	}
	hash := asynqDone(t).Hash()
	inner, seen := embeddedClient(t), &piped{}
	inner.AddHook(seen)
	w := startWorker(t, inner, asynqredis.Config{})
	enqueue(t, inner, "x")
	awaitHandled(t, w, "x")
	eventually(t, 10*time.Second, "the task has ended", func() bool { return inner.LLen(t.Context(), activeKey).Val() == 0 })
	w.shutdown()
	if len(seen.ends()) == 0 {
		t.Fatal("no end seen")
	}
	for _, args := range seen.ends() {
		if args[1] == hash || args[0] == "eval" && strings.Contains(args[1].(string), "error_reply") {
			t.Errorf("Asynq's own script was sent: %v", args)
		}
	}
}

// What is not as Asynq v0.26.0 sends it is sent as it is.
func TestOtherDonesAreLeftAlone(t *testing.T) {
	hash, e := asynqDone(t).Hash(), ending{"a", "2030-01-01"}
	for name, call := range map[string]struct {
		sha  string
		keys []string
		args []any
	}{
		"another script":    {strings.Repeat("0", 40), e.keys(), e.args()},
		"one more key":      {hash, append(e.keys(), "asynq:{"+queue+"}:unique:x"), e.args()},
		"one more argument": {hash, e.keys(), append(e.args(), 1)},
		"another kind":      {hash, e.keys(), []any{"a", "4102444800", int64(maxTotal)}},
	} {
		inner, seen := embeddedClient(t), &piped{}
		inner.AddHook(seen)
		c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
		if err := c.EvalSha(t.Context(), call.sha, call.keys, call.args...).Err(); !redis.HasErrorPrefix(err, "NOSCRIPT") {
			t.Errorf("%s: %v", name, err)
		}
		want := []any{"evalsha", call.sha, len(call.keys)}
		for _, key := range call.keys {
			want = append(want, key)
		}
		if diff := cmp.Diff([][]any{append(want, call.args...)}, seen.ends()); diff != "" {
			t.Errorf("%s (-want +sent):\n%s", name, diff)
		}
		c.Close()
	}
}

// Sent again after a lost answer, ends change nothing and find nothing.
func TestEndsSentAgain(t *testing.T) {
	if without("pipelining") {
		t.Skip("about ends that go together")
	}
	script, all := asynqDone(t), endsOf("a", "b", "c")
	for backend, open := range backends {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			inner, seen := open(t), &piped{}
			begin(t, inner, "a", "b", "c", "d")
			inner.AddHook(seen)
			together(t, inner, script, all)
			before := stateOf(t, inner, all)
			for _, args := range seen.ends() {
				missing, err := inner.Do(t.Context(), args...).Int64Slice()
				if redis.HasErrorPrefix(err, "NOSCRIPT") {
					continue // the first, which was repeated by its text
				}
				if err != nil || len(missing) != len(args)-3-args[2].(int)-2 {
					t.Errorf("answered %v, %v to %v", missing, err, args)
				}
			}
			if after := stateOf(t, inner, all); !maps.Equal(before, after) || before["active"] != "[d]" || before["total"] != "3" {
				t.Errorf("before %v, after %v", before, after)
			}
		})
	}
}

// A Redis that has lost its scripts is told them again.
func TestEndsAfterScriptsAreLost(t *testing.T) {
	script, all := asynqDone(t), endsOf("a", "b", "c", "d", "e")
	if without("pipelining") {
		t.Skip("about ends that go together: alone, Asynq tells Redis its script")
	}
	inner := redistest.Start(t).Client(t)
	admin := redistest.Admin(t, inner)
	for range 3 {
		begin(t, inner, "a", "b", "c", "d", "e")
		redistest.ForgetScripts(t, admin)
		for id, told := range together(t, inner, script, all) {
			if !slices.Equal(told, []string{"OK <nil>"}) {
				t.Errorf("%s was told %v", id, told)
			}
		}
	}
	if n := inner.Get(t.Context(), totalKey).Val(); n != "15" || left(t, inner) != 0 {
		t.Errorf("%s counted, %d left", n, left(t, inner))
	}
}

// Each caller is told when Redis could not be asked.
func TestEndsWithoutRedis(t *testing.T) {
	script := asynqDone(t)
	inner := embeddedClient(t)
	c := asynqredis.New(inner, asynqredis.Config{Logger: quiet()})
	defer c.Close()
	inner.Close()
	var all sync.WaitGroup
	for _, e := range endsOf("a", "b", "c", "d") {
		all.Go(func() {
			if err := c.EvalSha(t.Context(), script.Hash(), e.keys(), e.args()...).Err(); !errors.Is(err, redis.ErrClosed) {
				t.Errorf("%s: %v", e.id, err)
			}
		})
	}
	all.Wait()
}

// piped is a go-redis hook that notes the ends of tasks that are sent in pipelines.
type piped struct {
	redis.Hook
	mu  sync.Mutex
	all [][]any
}

func (p *piped) DialHook(next redis.DialHook) redis.DialHook { return next }

func (p *piped) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (p *piped) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		p.mu.Lock()
		for _, cmd := range cmds {
			if args := cmd.Args(); len(args) > 4 && args[3] == activeKey {
				p.all = append(p.all, args)
			}
		}
		p.mu.Unlock()
		return next(ctx, cmds)
	}
}

func (p *piped) ends() [][]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}
