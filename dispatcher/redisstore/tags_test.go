package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// tagWatch is a client's hook that holds the keys of every script against each other.
type tagWatch struct {
	mu sync.Mutex
	// of counts the keys seen by tag.
	of  map[string]int
	bad []string
}

func (w *tagWatch) DialHook(next redis.DialHook) redis.DialHook { return next }

func (w *tagWatch) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		w.see(cmd)
		return next(ctx, cmd)
	}
}

func (w *tagWatch) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			w.see(cmd)
		}
		return next(ctx, cmds)
	}
}

// see looks at every argument that is a key: those declared, and those that scripts build from a prefix.
func (w *tagWatch) see(cmd redis.Cmder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cmd.Name() == "scan" { // a pattern is no key
		return
	}
	first := ""
	for _, arg := range cmd.Args() {
		text, _ := arg.(string)
		if !strings.HasPrefix(text, "oh:") {
			continue
		}
		tag, _, whole := strings.Cut(text, "}:")
		if !whole || first != "" && tag != first {
			w.bad = append(w.bad, fmt.Sprint(cmd.Args()...))
		}
		first = tag
		w.of[tag]++
	}
}

// Every command touches one tag, or a cluster would refuse it. (The conformance suite runs on one.)
func TestKeysOfACommandShareOneOf64Tags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redisstore.Config{})
	redisstore.Sharded(w.Store) // a single node has more in common
	watch := &tagWatch{of: map[string]int{}}
	w.client.AddHook(watch)
	var fanouts []webhook.Fanout
	for i := range 3000 {
		e := w.event(webhook.NewID(webhook.EventPrefix))
		e.Brand = fmt.Sprint("brand", i)
		fanouts = append(fanouts, webhook.Fanout{Event: e, Endpoints: []string{webhook.NewID(webhook.EndpointPrefix)}})
	}
	_, err := w.Admit(t.Context(), fanouts)
	w.must(err)
	w.furnish()
	for _, m := range methods(w) {
		w.must(m.call(t.Context(), w.Store))
	}
	for _, bad := range watch.bad {
		t.Errorf("keys of several tags, or of none: %s", bad)
	}
	for tag := range 64 {
		if name := fmt.Sprintf("oh:{s%02d", tag); watch.of[name] == 0 {
			t.Errorf("nothing is at %s}", name)
		}
	}
	if len(watch.of) != 64 || w.Tags() != 64 {
		t.Errorf("%d tags in use, Tags answers %d, want 64", len(watch.of), w.Tags())
	}
}

// Moving what belongs to an id to another tag would lose sight of what is
// stored: these values are fixed for ever.
func TestTagsAreFixed(t *testing.T) {
	w := newWorld(t, redisstore.Config{})
	for _, id := range []string{"a", "ep_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f"} {
		w.endpoint(id)
		w.admit(w.event("to-"+id), id)
	}
	w.settle(w.run("dies", "a"), dead())
	w.must(w.CreateKey(t.Context(), keyOf("key_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f")))
	_, err := w.Admit(t.Context(), fanoutOf(w.event("evt_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f")))
	w.must(err)
	got := map[string]bool{}
	for _, key := range keysOf(t, w.rdb, "") {
		got[key] = true
	}
	for _, want := range fixedKeys {
		if !got[want] {
			t.Errorf("%s is not there", want)
		}
		delete(got, want)
	}
	for key := range got {
		t.Errorf("%s is new", key)
	}
}

var fixedKeys = []string{
	"oh:{s28}:e:acme:evt_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f",
	"oh:{s28}:admitting",
	"oh:{s42}:m:acme:a",
	"oh:{s12}:e:acme:to-a",
	"oh:{s44}:e:acme:dies",
	"oh:{s08}:e:acme:to-ep_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f",
	"oh:{s47}:i:acme",
	"oh:{s47}:b:acme",
	"oh:{s47}:brands",
	"oh:{s42}:p:acme:a",
	"oh:{s42}:o:acme:a",
	"oh:{s42}:a:acme:a",
	"oh:{s42}:x:acme:a",
	"oh:{s42}:d:acme:a:to-a",
	"oh:{s42}:d:acme:a:dies",
	"oh:{s42}:due",
	"oh:{s30}:p:acme:ep_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f",
	"oh:{s30}:o:acme:ep_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f",
	"oh:{s30}:d:acme:ep_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f:to-ep_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f",
	"oh:{s30}:due",
	"oh:{s36}:k:key_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f",
	"oh:{s13}:keys",
	"oh:{s21}:canaries",
}
