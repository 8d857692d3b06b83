package config

import (
	"fmt"
	"strconv"
	"strings"
)

// conflict is a value that does not fit another, or one that no kind alone can refuse.
type conflict struct {
	broken bool
	key    string
	other  string // shown with its value; may be empty
	rule   string
}

func conflicts(c Config) []conflict {
	const wantsTLS = "must be with a redis.url that asks for TLS: rediss://, or tls=true"
	plain := !c.Redis.URL.Target().TLS
	return []conflict{
		{c.Redis.CABundle != "" && plain, "redis.caBundle", "redis.url", wantsTLS},
		{c.Redis.ClientCertificate != "" && plain, "redis.clientCertificate", "redis.url", wantsTLS},
		{c.Redis.ClientKey != "" && plain, "redis.clientKey", "redis.url", wantsTLS},
		{c.Redis.ClientCertificate != "" && c.Redis.ClientKey == "",
			"redis.clientCertificate", "", "must be together with redis.clientKey"},
		{c.Redis.ClientKey != "" && c.Redis.ClientCertificate == "",
			"redis.clientKey", "", "must be together with redis.clientCertificate"},
		{c.Admin.Listen == c.HTTP.Listen && !strings.HasSuffix(c.HTTP.Listen, ":0"),
			"admin.listen", "http.listen", "must differ from http.listen"},
		{c.Retry.MaxInterval < c.Retry.InitialInterval,
			"retry.maxInterval", "retry.initialInterval", "must be at least retry.initialInterval"},
		{c.Retry.MaxAge < c.Retry.InitialInterval,
			"retry.maxAge", "retry.initialInterval", "must be at least retry.initialInterval"},
		{c.Breaker.MaxOpenFor < c.Breaker.OpenFor,
			"breaker.maxOpenFor", "breaker.openFor", "must be at least breaker.openFor"},
		{!served(c.Queue),
			"queue.serve", "queue.shards", "must name shards below queue.shards, counting from 0"},
		{c.Limits.RequestBytes <= c.Limits.PayloadBytes,
			"limits.requestBytes", "limits.payloadBytes", "must be more than limits.payloadBytes"},
		{c.Tracing.Propagate && c.Tracing.OTLPEndpoint == "",
			"tracing.propagate", "", "must be together with tracing.otlpEndpoint"},
		{c.Shutdown.Grace <= MinShutdownGrace,
			"shutdown.grace", "", fmt.Sprintf("must be more than %s: an attempt may take %s and its task a little longer, and the workers wait for both",
				short(MinShutdownGrace), short(MaxAttemptTimeout))},
	}
}

func served(q Queue) bool {
	for _, name := range q.Serve {
		_, number, _ := strings.Cut(name, "-")
		if n, err := strconv.Atoi(number); err != nil || n >= q.Shards {
			return false
		}
	}
	return true
}

// compare reports conflicts, except about keys that have a problem already: the default stands in their place.
func (l *loader) compare(c Config, where map[string]string) {
	for _, f := range conflicts(c) {
		if !f.broken || l.found.about(f.key) || f.other != "" && l.found.about(f.other) {
			continue
		}
		rule := f.rule
		if f.other != "" {
			other, _ := l.byPath(f.other)
			rule += fmt.Sprintf(" (%s, %s)", other.text(c), where[f.other])
		}
		k, _ := l.byPath(f.key)
		l.found = append(l.found, Problem{Key: f.key, Where: where[f.key], Value: quoted(k.text(c)), Rule: rule})
	}
}

// CheckServe says what the daemon needs beyond a valid configuration: an encryption key. Whether there is an admin key,
// auth.adminKey or one that was created, it finds out itself.
// Its error is Problems.
func (c Config) CheckServe() error {
	var found Problems
	missing := func(path, rule string) {
		found = append(found, Problem{Key: path, Where: "not set", Rule: rule})
	}
	if len(c.Secrets.Keys) == 0 {
		missing("secrets.keys", "is required to serve: id:base64(32 bytes), as OUTHOOK_SECRETS_KEYS or in the file")
	}
	return found.err()
}
