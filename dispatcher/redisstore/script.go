package redisstore

import (
	"context"
	"embed"
	"slices"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/pipeline"
	"go.smobi.com/outhook/dispatcher/webhook"
)

//go:embed lua/*.lua
var lua embed.FS

// The scripts. Those that work on an endpoint share a beginning.
var (
	scriptPublish = script("endpoint", "write", "admits", "publish")
	scriptEvent   = script("write", "event")
	scriptMember  = script("member")
	scriptCreate  = script("create")
	scriptSurvey  = script("survey")
	scriptAdmit   = script("endpoint", "admits", "admit")
	scriptClaim   = script("endpoint", "claim")
	scriptRecord  = script("endpoint", "record")
	scriptRedrive = script("endpoint", "redrive")
	scriptInspect = script("endpoint", "inspect")
	scriptUpdate  = script("endpoint", "update")
	scriptReseal  = script("endpoint", "reseal")
	scriptDelete  = script("endpoint", "delete")
	scriptCancel  = script("endpoint", "cancel")
	scriptView    = script("endpoint", "view")
	scriptPark    = script("endpoint", "park")
	scriptWake    = script("endpoint", "wake")
	scriptSpend   = script("endpoint", "spend")
	scriptHealth  = script("endpoint", "health")
	scriptReopen  = script("endpoint", "reopen")
	scriptMeant   = script("endpoint", "meant")
	scriptStop    = script("endpoint", "stop")
	scriptBury    = script("endpoint", "bury")
	scriptSettled = script("endpoint", "settled")
	scriptStrike  = script("endpoint", "strike")
	scriptLapse   = script("endpoint", "lapse")
	scriptTest    = script("test")
	scriptTake    = script("take")
	scriptSave    = script("save")
	scriptHold    = script("hold")
	scriptMarker  = script("marker")
	scriptTrim    = script("trim")
	scriptTurn    = script("turn")
	scriptPlace   = script("place")
	scriptForget  = script("forget")
)

type luaScript struct{ source, sha string }

func script(parts ...string) luaScript {
	source := ""
	for _, part := range parts {
		text, err := lua.ReadFile("lua/" + part + ".lua")
		if err != nil {
			panic(err) // cannot happen: embedded
		}
		source += string(text)
	}
	return luaScript{source: source, sha: redis.NewScript(source).Hash()}
}

// call is one script with its keys and arguments. All are idempotent.
type call struct {
	script luaScript
	keys   []string
	args   []any
	works  []work // whose keys, and then arguments, come behind
}

// command is the call as it is sent.
func (c call) command(ctx context.Context) *redis.Cmd {
	keys, args := len(c.keys), len(c.args)
	for _, w := range c.works {
		keys, args = keys+len(w.keys), args+len(w.args)
	}
	all := make([]any, 0, 3+keys+args)
	all = append(all, "evalsha", c.script.sha, keys)
	add := func(keys []string) {
		for _, key := range keys {
			all = append(all, key)
		}
	}
	add(c.keys)
	for _, w := range c.works {
		add(w.keys)
	}
	all = append(all, c.args...)
	for _, w := range c.works {
		all = append(all, w.args...)
	}
	return redis.NewCmd(ctx, all...)
}

// endpointCall adds the keys and arguments that lua/endpoint.lua names.
func (s *Store) endpointCall(sc luaScript, ref webhook.EndpointRef, more []string, args ...any) call {
	k := keysOfEndpoint(ref)
	return call{script: sc, keys: k.ofScript(more...), args: s.head(k.records, s.cfg.QueueFor(ref), k.member, args...)}
}

// head are the arguments that lua/endpoint.lua names, and more behind them. What is said of an endpoint is empty for a script
// that works on several.
func (s *Store) head(records, queue, member string, more ...any) []any {
	return append(append(make([]any, 0, 6+len(more)), millis(s.cfg.Now()), records, queue, s.openFor().Milliseconds(), s.cfg.MaxInFlight, member), more...)
}

// run sends the calls, and what also adds, in one pipeline, and returns the
// calls' answers. Scripts that a node does not know are loaded, and those calls
// repeated, with what also adds once more.
func (s *Store) run(ctx context.Context, verb string, calls []call, also ...func(redis.Pipeliner)) ([]any, error) {
	if s.shared != nil && len(calls) <= sharedMost {
		return runOn(ctx, s.rdb, s.share, verb, calls, also...)
	}
	return runOn(ctx, s.rdb, alone, verb, calls, also...)
}

// sharedMost is how many calls at the most go in a pipeline that others share: more of them are one already.
const sharedMost = 4

func (s *Store) share(ctx context.Context, p redis.Pipeliner) error {
	return s.shared.Send(ctx, p.Cmds()...)
}

func alone(ctx context.Context, p redis.Pipeliner) error { return pipeline.Exec(ctx, p) }

// runOn is run with a client of one's own, and a way to send a pipeline.
func runOn(ctx context.Context, rdb redis.Cmdable, send func(context.Context, redis.Pipeliner) error, verb string, calls []call,
	also ...func(redis.Pipeliner)) ([]any, error) {
	cmds, p := make([]*redis.Cmd, len(calls)), rdb.Pipeline()
	for i, c := range calls {
		cmds[i] = c.command(ctx)
		_ = p.Process(ctx, cmds[i]) // it only queues
	}
	for _, add := range also {
		add(p)
	}
	err := send(ctx, p)
	if err != nil && err != redis.Nil && !isNoScript(err) { // not errors.Is: Sentinel's nil is wrapped by what it means
		return nil, unavailable(verb, err)
	}
	if err := loadAndRepeat(ctx, rdb, calls, cmds, also); err != nil {
		return nil, unavailable(verb, err)
	}
	answers := make([]any, len(calls))
	for i, cmd := range cmds {
		answer, err := cmd.Result()
		if err != nil && err != redis.Nil {
			return nil, unavailable(verb, err)
		}
		answers[i] = answer
	}
	return answers, nil
}

// loadAndRepeat gives Redis the scripts that a node did not know, each once, and
// repeats those calls in one pipeline. It puts their answers in place.
func loadAndRepeat(ctx context.Context, rdb redis.Cmdable, calls []call, cmds []*redis.Cmd, also []func(redis.Pipeliner)) error {
	if !slices.ContainsFunc(cmds, func(cmd *redis.Cmd) bool { return isNoScript(cmd.Err()) }) {
		return nil
	}
	again := rdb.Pipeline()
	loaded := map[string]bool{}
	for i, cmd := range cmds {
		if !isNoScript(cmd.Err()) {
			continue
		}
		if sc := calls[i].script; !loaded[sc.sha] {
			loaded[sc.sha] = true
			if err := rdb.ScriptLoad(ctx, sc.source).Err(); err != nil {
				return err
			}
		}
		cmds[i] = calls[i].command(ctx)
		_ = again.Process(ctx, cmds[i])
	}
	for _, add := range also {
		add(again)
	}
	_ = pipeline.Exec(ctx, again) // each command has its own error
	return nil
}

// one sends a single call.
func (s *Store) one(ctx context.Context, verb string, c call) (any, error) {
	answers, err := s.run(ctx, verb, []call{c})
	if err != nil {
		return nil, err
	}
	return answers[0], nil
}

func isNoScript(err error) bool { return err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") }

// list reads an array answer; nil when it is none.
func list(answer any) []any {
	l, _ := answer.([]any)
	return l
}

// flat are the entries of array answers, one after the other.
func flat(answers []any) []any {
	var all []any
	for _, answer := range answers {
		all = append(all, list(answer)...)
	}
	return all
}

// sublist reads the i-th entry of an array answer as an array; nil when it is none.
func sublist(answer []any, i int) []any {
	if i >= len(answer) {
		return nil
	}
	return list(answer[i])
}

// text reads the i-th entry of an array answer as text.
func text(answer []any, i int) string {
	if i >= len(answer) {
		return ""
	}
	t, _ := answer[i].(string)
	return t
}

// count reads the i-th entry of an array answer as a number; 0 when it is none.
func count(answer []any, i int) int {
	if i >= len(answer) {
		return 0
	}
	n, _ := answer[i].(int64)
	return int(n)
}

// releaseOf reads {runs, wake-up}.
func releaseOf(ref webhook.EndpointRef, answer any) webhook.Release {
	a := list(answer)
	if len(a) < 2 {
		return webhook.Release{}
	}
	return webhook.Release{Runs: runsOf(ref, a[0]), Wakeup: wakeupOf(ref, list(a[1]))}
}

// wakeupOf reads {gate, when, how many wait}; nil when there is none.
func wakeupOf(ref webhook.EndpointRef, a []any) *webhook.Wakeup {
	if len(a) < 3 {
		return nil
	}
	waiting, _ := a[2].(int64)
	return &webhook.Wakeup{Endpoint: ref, Gate: webhook.Gate(text(a, 0)), At: timeOf(number(text(a, 1))), Waiting: int(waiting)}
}

// runsOf reads runs of one endpoint: {{event, run, queue}, …}.
func runsOf(ref webhook.EndpointRef, answer any) []webhook.Run {
	var runs []webhook.Run
	for _, entry := range list(answer) {
		e := list(entry)
		runs = append(runs, webhook.Run{
			DeliveryRef: webhook.DeliveryRef{Brand: ref.Brand, EventID: text(e, 0), EndpointID: ref.ID},
			Number:      int(number(text(e, 1))),
			Queue:       text(e, 2),
		})
	}
	return runs
}
