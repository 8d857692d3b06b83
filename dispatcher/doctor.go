package dispatcher

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// What bounds a visit of the doctor.
const (
	// checkWithin bounds each check, walkWithin the part of it that walks over everything.
	checkWithin = 5 * time.Second
	walkWithin  = 4 * time.Second
	// openMost endpoints with open deliveries are looked at, the longest overdue first, and certificatesMost hosts.
	openMost         = 1000
	certificatesMost = 20
	// namedMost endpoints, deliveries or queues are named in one text.
	namedMost = 5
)

// doctor sees more of the rooms than deliveries need, and changes nothing there.
type doctor struct {
	store *redisstore.Store
	queue *queue.Queue
}

// Doctor looks at what deliveries depend on, changes nothing, and answers what it found: at least one finding for
// each check, in the order in which one would look, or a single one when Redis does not answer. A check that fails
// is a finding. Each takes a few seconds at most where Config.Redis ends with its context; the certificates of hosts
// that do not take what they are sent are asked for with a HEAD. When ctx ends, what was found until then is answered.
func (d *Dispatcher) Doctor(ctx context.Context) []webhook.Finding {
	v := &visit{d: d, now: time.Now()}
	if !v.check(ctx, "redis", v.reach) || v.gone {
		return v.findings
	}
	for _, c := range []struct {
		name string
		look func(context.Context) error
	}{
		{"redis", v.servers}, {"clock", v.clock}, {"workers", v.workers}, {"queues", v.queues}, {"reconciler", v.reconciler},
		{"orphans", v.orphans}, {"oldest runnable", v.oldestRunnable}, {"oldest open", v.oldestOpen},
		{"failing endpoints", v.failing}, {"certificates", v.certificates}, {"encryption keys", v.encryptionKeys}, {"admin key", v.adminKey},
	} {
		if !v.check(ctx, c.name, c.look) {
			break
		}
	}
	return v.findings
}

// visit is one look at everything. What a check leaves here is nil when it failed.
type visit struct {
	d        *Dispatcher
	now      time.Time
	findings []webhook.Finding

	// gone: Redis did not answer.
	gone     bool
	census   *queue.Census
	agenda   *redisstore.Agenda
	looks    []redisstore.OpenLook
	overview *redisstore.Overview
}

// check makes one, and answers whether there is any point in going on.
func (v *visit) check(ctx context.Context, name string, look func(context.Context) error) bool {
	within, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	err := look(within)
	if ctx.Err() != nil {
		return false
	}
	if err == nil {
		return true
	}
	v.bad(name, "not known: "+reasonOf(err), "run outhook doctor again; redis refuses a command to a user that has not the rights of deploy/redis-acl.conf")
	if errors.Is(err, webhook.ErrUnavailable) {
		again, cancel := context.WithTimeout(ctx, checkWithin)
		defer cancel()
		_ = v.reach(again)
	}
	return !v.gone
}

func (v *visit) ok(check, text string) { v.say(check, webhook.ConditionOK, text, "") }

func (v *visit) warn(check, text, advice string) { v.say(check, webhook.ConditionWarn, text, advice) }

func (v *visit) bad(check, text, advice string) { v.say(check, webhook.ConditionBad, text, advice) }

func (v *visit) say(check string, verdict webhook.Condition, text, advice string) {
	v.findings = append(v.findings, webhook.Finding{Check: check, Verdict: verdict, Text: text, Advice: advice})
}

// reach asks whether Redis answers; it says so only when it does not.
func (v *visit) reach(ctx context.Context) error {
	_, err := v.d.store.Ping(ctx)
	if err == nil {
		return nil
	}
	v.gone = true
	v.bad("redis", "does not answer: "+reasonOf(err), adviceOn(err))
	return nil
}

// reasonOf is what lies behind an error of Redis, without what was asked.
func reasonOf(err error) string {
	var answer redis.Error
	if errors.As(err, &answer) {
		return answer.Error()
	}
	if broken, ok := errors.AsType[*net.OpError](err); ok {
		return broken.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return "nothing came in time"
	}
	return err.Error()
}

// adviceOn says what to do about a Redis that does not answer, or not as it should.
func adviceOn(err error) string {
	switch {
	case redis.IsAuthError(err):
		return "give redis.url the user and the password that redis wants"
	case redis.IsPermissionError(err):
		return "give the user of redis.url the rights of deploy/redis-acl.conf"
	case redis.IsLoadingError(err):
		return "wait: redis reads what it has on disk; outhook waits too, and goes on by itself"
	}
	return "see that redis runs, and that redis.url is right: redis-cli -u REDIS_URL PING; outhook waits, and goes on by itself"
}
