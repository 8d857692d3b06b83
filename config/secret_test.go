package config_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.smobi.com/outhook/config"
	"go.yaml.in/yaml/v3"
)

// secrets are fresh values for everything that must not be seen.
type secrets struct {
	admin, redis, sentinel string
	key                    []byte
}

func newSecrets() secrets {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return secrets{admin: rand.Text() + rand.Text(), redis: rand.Text(), sentinel: rand.Text(), key: key}
}

func (s secrets) env() []string {
	return []string{
		"OUTHOOK_AUTH_ADMIN_KEY=" + s.admin,
		"OUTHOOK_SECRETS_KEYS=k1:" + base64.StdEncoding.EncodeToString(s.key),
		"OUTHOOK_REDIS_URL=redis-sentinel://app:" + s.redis + "@a.example.com?master=main&sentinelPassword=" + s.sentinel,
	}
}

func (s secrets) expectNone(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range []string{s.admin, s.redis, s.sentinel, string(s.key),
		base64.StdEncoding.EncodeToString(s.key), hex.EncodeToString(s.key), hex.EncodeToString([]byte(s.admin)),
		strings.Trim(fmt.Sprint(s.key), "[]")} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("%s shows a secret:\n%s", what, text)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := newSecrets()
	c := load(t, config.Sources{Env: s.env()})
	hidden := struct{ c config.Config }{c} // fmt calls no methods here
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		s.expectNone(t, verb, fmt.Sprintf(verb, c))
		s.expectNone(t, verb+" of a pointer", fmt.Sprintf(verb, &c))
		s.expectNone(t, verb+" unexported", fmt.Sprintf(verb, hidden))
		s.expectNone(t, verb+" of a target", fmt.Sprintf(verb, c.Redis.URL.Target()))
		s.expectNone(t, verb+" of a URL", fmt.Sprintf(verb, c.Redis.URL))
		s.expectNone(t, verb+" of a secret", fmt.Sprintf(verb, c.Auth.AdminKey))
		s.expectNone(t, verb+" of a key", fmt.Sprintf(verb, c.Secrets.Keys[0]))
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	s.expectNone(t, "JSON", string(asJSON))
	asYAML, err := yaml.Marshal(c.Auth)
	if err != nil {
		t.Fatal(err)
	}
	s.expectNone(t, "YAML", string(asYAML))
	s.expectNone(t, "Print", text(t, c))
	if got := text(t, c); !strings.Contains(got, "keys: ['k1:redacted']") && !strings.Contains(got, "keys: [k1:redacted]") {
		t.Errorf("Print does not show the id of the key:\n%s", got)
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("config", "config", c, "key", c.Auth.AdminKey, "redis", c.Redis.URL, "ring", c.Secrets)
	}
	s.expectNone(t, "slog", log.String())
}

func TestSecretsAreRevealed(t *testing.T) {
	s := newSecrets()
	c := load(t, config.Sources{Env: s.env()})
	target := c.Redis.URL.Target()
	got := []string{c.Auth.AdminKey.Reveal(), c.Secrets.Keys[0].Key.Reveal(), target.Password.Reveal(), target.SentinelPassword.Reveal()}
	if diff := cmp.Diff([]string{s.admin, string(s.key), s.redis, s.sentinel}, got); diff != "" {
		t.Error(diff)
	}
}

// Every key that holds a secret gets one in the wrong form, and next to where it belongs; no problem may show it.
func TestSecretsAreNotInProblems(t *testing.T) {
	s := newSecrets()
	for _, form := range []string{"%s ", "[%s]", "{%s: x}", "{x: %s}", "[[%s]]", "*%s", "&%s x", "!!int %s", "!%s x", "%s: %s", "'%s", "redis://%s@:", "redis://:%s@h/x", "redis://h?p=%s"} {
		for _, key := range config.Keys() {
			if !key.Secret {
				continue
			}
			value := strings.ReplaceAll(form, "%s", s.admin)
			section, field, _ := strings.Cut(key.Path, ".")
			for _, file := range []string{
				section + ":\n  " + field + ": " + value + "\n",
				section + ":\n  " + field + "s: " + value + "\n",
				section + ": " + value + "\n",
				section + ": {" + field + ":" + value + "}\n",
				section + ":\n  " + field + ": x\n  " + field + ": " + value + "\n",
			} {
				if _, err := config.Load(config.Sources{File: yamlFile(t, file)}); err != nil {
					s.expectNone(t, file, err.Error())
				}
			}
			src := config.Sources{Env: []string{key.Env + "=" + value + " ", key.Env + "S=" + value}, Flags: flags(t, key.Flag+"="+value+" ")}
			if _, err := config.Load(src); err == nil {
				t.Errorf("%s %q was accepted", key.Env, value)
			} else {
				s.expectNone(t, key.Env, err.Error())
			}
			s.expectNone(t, "flag value", src.Flags.Lookup(strings.TrimPrefix(key.Flag, "--")).Value.String())
		}
	}
}

func TestSecretZeroValue(t *testing.T) {
	if s := config.NewSecret(""); !s.IsZero() || s.Reveal() != "" || fmt.Sprint(s) != "" {
		t.Errorf("an empty secret is not the zero value: %q", fmt.Sprint(s))
	}
	if u := (config.RedisURL{}); u.Reveal() != "" || fmt.Sprint(u) != "" || u.Target().Scheme != "" {
		t.Errorf("the zero URL is not empty: %q", fmt.Sprint(u))
	}
}

func TestRedisTarget(t *testing.T) {
	type target = config.RedisTarget
	for url, want := range map[string]target{
		"redis://127.0.0.1:6379/0":    {Scheme: "redis", Hosts: []string{"127.0.0.1:6379"}},
		"redis://cache":               {Scheme: "redis", Hosts: []string{"cache:6379"}},
		"redis://[::1]/7":             {Scheme: "redis", Hosts: []string{"[::1]:6379"}, DB: 7},
		"rediss://:a%2Fb@cache:6380/": {Scheme: "rediss", Hosts: []string{"cache:6380"}, TLS: true, Password: config.NewSecret("a/b")},
		"redis-cluster://u:p@a,b:7001?tls=true": {Scheme: "redis-cluster", Hosts: []string{"a:6379", "b:7001"},
			TLS: true, Username: "u", Password: config.NewSecret("p")},
		"redis-sentinel://a,b:1/3?master=main&sentinelUsername=s&sentinelPassword=q&tls=false": {Scheme: "redis-sentinel",
			Hosts: []string{"a:26379", "b:1"}, DB: 3, Master: "main", SentinelUsername: "s", SentinelPassword: config.NewSecret("q")},
	} {
		u, err := config.ParseRedisURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		same := cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() })
		if diff := cmp.Diff(want, u.Target(), same); diff != "" {
			t.Errorf("%s (-want +got):\n%s", url, diff)
		}
		if u.Reveal() != url {
			t.Errorf("%s was changed to %s", url, u.Reveal())
		}
	}
}
