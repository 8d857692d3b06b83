package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// CheckRedis returns a [webhook.ServerError] when Redis is not one to keep events on: it evicts, or cannot do what
// Config.Durable asks for. It goes by what Redis says of itself (INFO); one that says nothing is taken as it is. Run,
// AwaitKeys and Ready check by themselves. Errors: [webhook.ErrUnavailable], within two seconds.
func (d *Dispatcher) CheckRedis(ctx context.Context) error {
	_, err := within(ctx, d, "ready", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, d.checkServers(ctx)
	})
	return err
}

func (d *Dispatcher) checkServers(ctx context.Context) error {
	servers, err := d.store.Servers(ctx)
	if err != nil {
		return err
	}
	for _, s := range servers {
		if s.Replica {
			return fmt.Errorf("ready: %w: redis is a replica, which takes no writes", webhook.ErrUnavailable)
		}
		if why := unfit(s, d.cfg.Durable); why != "" {
			return &webhook.ServerError{Address: s.Address, Why: why}
		}
		if s.Full(1) && d.warned.first("full "+s.Address, time.Now()) {
			d.log.ErrorContext(ctx, "redis is full: no delivery is begun until there is room; said once a minute",
				"server", s.Address, "used_bytes", s.UsedMemory, "maxmemory_bytes", s.MaxMemory)
		}
	}
	return nil
}

// unfit says why events may not be kept on a server, or nothing. A policy that evicts does no harm where there is
// no limit to reach.
func unfit(s webhook.ServerInfo, wanted webhook.Durability) string {
	switch {
	case s.Version == "":
		return ""
	case s.Evicts() && s.MaxMemory > 0:
		return fmt.Sprintf("redis drops what is stored when it is full, as its maxmemory-policy is %s: set it to %s", s.Policy, webhook.NoEviction)
	case wanted.AOFs > 0 && !isAtLeast(s.Version, 7, 2):
		return fmt.Sprintf("redis.durable %s needs Redis 7.2 or later, and this is %s: use wait:N, or off", wanted, s.Version)
	case wanted.AOFs > 0 && !s.AOF:
		return fmt.Sprintf("redis.durable %s needs an append-only file, and redis has none: set appendonly to yes", wanted)
	}
	return ""
}

// isAtLeast tells whether a version, such as "7.0.15", is this one or a later one.
func isAtLeast(version string, wantMajor, wantMinor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, _ := strconv.Atoi(first)
	minor, _ := strconv.Atoi(second)
	return major > wantMajor || major == wantMajor && minor >= wantMinor
}

// isUnfit tells whether an error is one that waiting for Redis does not cure.
func isUnfit(err error) bool {
	_, unfit := errors.AsType[*webhook.ServerError](err)
	return unfit
}

// warnOfServers says once what Redis does with what it is given.
func (d *Dispatcher) warnOfServers(ctx context.Context) {
	d.cautions.Do(func() {
		servers, err := within(ctx, d, "ready", d.store.Servers)
		if err != nil {
			d.log.WarnContext(ctx, "not known whether redis evicts, or keeps an append-only file", "error", err)
		}
		for _, s := range servers {
			log := d.log
			if s.Address != "" {
				log = log.With("server", s.Address)
			}
			if s.Evicts() {
				log.WarnContext(ctx, "redis would drop what is stored if it had a maxmemory", "maxmemory_policy", s.Policy, "do", "maxmemory-policy "+webhook.NoEviction)
			}
			if s.Version != "" && !s.AOF {
				log.WarnContext(ctx, "a crash of redis loses what it was told since its last snapshot: it has no append-only file", "do", "appendonly yes")
			}
		}
	})
}
