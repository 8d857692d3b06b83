package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// RedisURL says where Redis is, in one of these forms (port 6379 when left out, 26379 for sentinels):
//
//	redis://[user:password@]host[:port][/db]
//	rediss://…                                    the same over TLS
//	redis-cluster://[user:password@]host[:port],host[:port]…[?tls=true]
//	redis-sentinel://[user:password@]host[:port],host[:port]…[/db]?master=name[&tls=true][&sentinelUsername=…][&sentinelPassword=…]
//
// It prints with its passwords redacted; Reveal and Target give them away. The zero value is no URL.
type RedisURL struct{ text Secret }

// ParseRedisURL checks the form. The error says what is allowed and repeats nothing of the text.
func ParseRedisURL(text string) (RedisURL, error) {
	if _, err := parseRedis(text); err != nil {
		return RedisURL{}, err
	}
	return RedisURL{text: NewSecret(text)}, nil
}

// Reveal returns the URL as it was written, passwords included.
func (u RedisURL) Reveal() string { return u.text.Reveal() }

// Target returns the parts of the URL, for the client to be built from; zero for the zero value.
func (u RedisURL) Target() RedisTarget {
	t, err := parseRedis(u.Reveal())
	if err != nil {
		return RedisTarget{}
	}
	return t
}

// String returns the URL with its passwords redacted.
func (u RedisURL) String() string {
	t := u.Target()
	if t.Password.IsZero() && t.SentinelPassword.IsZero() {
		return u.Reveal()
	}
	return t.redacted()
}

// Format writes what String returns, whatever the verb.
func (u RedisURL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// LogValue is what slog writes.
func (u RedisURL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is what JSON and YAML write.
func (u RedisURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// RedisTarget is a RedisURL in parts.
type RedisTarget struct {
	Scheme   string   // redis, rediss, redis-cluster or redis-sentinel
	Hosts    []string // host:port; one for redis and rediss
	TLS      bool     // whether to speak TLS, to sentinels too
	Username string
	Password Secret
	DB       int    // always 0 in a cluster
	Master   string // the name that sentinels know; for redis-sentinel only
	// Credentials of the sentinels themselves, where they have any.
	SentinelUsername string
	SentinelPassword Secret
}

const (
	schemeRedis    = "redis"
	schemeTLS      = "rediss"
	schemeCluster  = "redis-cluster"
	schemeSentinel = "redis-sentinel"
)

// parseRedis does not use net/url for the whole: it refuses several hosts with ports, and its errors quote the URL.
func parseRedis(text string) (RedisTarget, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	t := RedisTarget{Scheme: scheme, TLS: scheme == schemeTLS}
	if !slices.Contains([]string{schemeRedis, schemeTLS, schemeCluster, schemeSentinel}, scheme) {
		return t, errors.New("must begin with redis://, rediss://, redis-cluster:// or redis-sentinel://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, db, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		if err := t.user(authority[:i]); err != nil {
			return t, err
		}
		authority = authority[i+1:]
	}
	if err := t.hosts(authority); err != nil {
		return t, err
	}
	if err := t.database(db); err != nil {
		return t, err
	}
	return t, t.query(query)
}

func (t *RedisTarget) user(info string) error {
	name, password, _ := strings.Cut(info, ":")
	name, errName := url.PathUnescape(name)
	password, errPassword := url.PathUnescape(password)
	switch {
	case errName != nil || errPassword != nil:
		return errors.New("must have its user and password percent-encoded")
	case password == "":
		return errors.New("must have a password before the @, as in user:password@host or :password@host")
	case password == Redacted:
		return errors.New(realValue)
	}
	t.Username, t.Password = name, NewSecret(password)
	return nil
}

func (t *RedisTarget) hosts(list string) error {
	port := "6379"
	if t.Scheme == schemeSentinel {
		port = "26379"
	}
	for entry := range strings.SplitSeq(list, ",") {
		host, ok := hostPort(entry, port)
		if !ok {
			return errors.New("must have hosts as host or host:port, and any / ? # @ of a password percent-encoded")
		}
		t.Hosts = append(t.Hosts, host)
	}
	if len(t.Hosts) > 1 && (t.Scheme == schemeRedis || t.Scheme == schemeTLS) {
		return errors.New("must have one host; several need redis-cluster:// or redis-sentinel://")
	}
	return nil
}

func hostPort(entry, port string) (string, bool) {
	host, given, err := net.SplitHostPort(entry)
	if err != nil {
		host, given, err = net.SplitHostPort(entry + ":" + port)
	}
	n, errPort := strconv.ParseUint(given, 10, 16)
	return net.JoinHostPort(host, given), err == nil && errPort == nil && n > 0 && isDecimal(given) && isHost(host)
}

func (t *RedisTarget) database(text string) error {
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || !isDecimal(text) || n < 0 {
		return errors.New("must have a database number after the /")
	}
	if t.Scheme == schemeCluster && n != 0 {
		return errors.New("must have database 0: a cluster has no other")
	}
	t.DB = n
	return nil
}

func (t *RedisTarget) query(text string) error {
	values, err := url.ParseQuery(text)
	if err != nil {
		return errors.New("must have its query percent-encoded")
	}
	allowed := map[string][]string{
		schemeCluster:  {"tls"},
		schemeSentinel: {"master", "sentinelPassword", "sentinelUsername", "tls"},
	}[t.Scheme]
	for name, given := range values {
		if !slices.Contains(allowed, name) || len(given) != 1 || given[0] == "" {
			return errors.New("must have nothing after the ? but, once each, for " + schemeCluster +
				" tls=true, for " + schemeSentinel + " master, tls, sentinelUsername, sentinelPassword")
		}
	}
	t.Master = values.Get("master")
	t.SentinelUsername, t.SentinelPassword = values.Get("sentinelUsername"), NewSecret(values.Get("sentinelPassword"))
	t.TLS = t.TLS || values.Get("tls") == "true"
	switch {
	case values.Has("tls") && values.Get("tls") != "true" && values.Get("tls") != "false":
		return errors.New("must have tls=true or tls=false")
	case t.Scheme == schemeSentinel && t.Master == "":
		return errors.New("must have ?master= with the name that the sentinels know")
	case t.SentinelUsername != "" && t.SentinelPassword.IsZero():
		return errors.New("must have sentinelPassword beside sentinelUsername")
	case t.SentinelPassword.Reveal() == Redacted:
		return errors.New(realValue)
	}
	return nil
}

func (t RedisTarget) redacted() string {
	u := url.URL{Scheme: t.Scheme, Host: strings.Join(t.Hosts, ","), Path: "/" + strconv.Itoa(t.DB)}
	if !t.Password.IsZero() {
		u.User = url.UserPassword(t.Username, Redacted)
	}
	query := url.Values{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("master", t.Master)
	set("sentinelUsername", t.SentinelUsername)
	set("sentinelPassword", t.SentinelPassword.String())
	if t.TLS && t.Scheme != schemeTLS {
		set("tls", "true")
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func redisURL() kind[RedisURL] {
	return scalar("url", "must be a redis, rediss, redis-cluster or redis-sentinel URL", []string{strTag},
		func(text string) (RedisURL, string) {
			u, err := ParseRedisURL(text)
			if err != nil {
				return u, err.Error()
			}
			return u, ""
		}, func(u RedisURL) *yaml.Node { return stringNode(u.String()) })
}
