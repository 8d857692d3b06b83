package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// tlsEnv are the keys that reach a Redis by TLS; what is empty is left out.
func tlsEnv(addr, bundle string, own pair) []string {
	env := []string{"OUTHOOK_REDIS_URL=rediss://" + strings.TrimPrefix(redistest.URL(addr), "redis://")}
	for name, value := range map[string]string{"CA_BUNDLE": bundle, "CLIENT_CERTIFICATE": own.certificate, "CLIENT_KEY": own.key} {
		if value != "" {
			env = append(env, "OUTHOOK_REDIS_"+name+"="+value)
		}
	}
	return env
}

func TestRedisByTLS(t *testing.T) {
	t.Parallel()
	ours, other := newAuthority(t), newAuthority(t)
	server, own := ours.issue(t, time.Hour), ours.issue(t, time.Hour)
	_, addr := redistest.StartTLS(t, ours.file, server.certificate, server.key)
	expiredServer := ours.issue(t, -time.Hour)
	_, expired := redistest.StartTLS(t, ours.file, expiredServer.certificate, expiredServer.key)
	_, port, _ := strings.Cut(addr, ":")
	for name, tc := range map[string]struct {
		addr, bundle string
		own          pair
		want         string // in the error; empty is none
	}{
		"right":                        {addr, ours.file, own, ""},
		"another authority":            {addr, other.file, own, "certificate signed by unknown authority"},
		"the system's authorities":     {addr, "", own, "certificate signed by unknown authority"},
		"another host":                 {"localhost:" + port, ours.file, own, "localhost"},
		"an expired server":            {expired, ours.file, own, "certificate has expired"},
		"no certificate":               {addr, ours.file, pair{}, "certificate required"},
		"a certificate of another":     {addr, ours.file, other.issue(t, time.Hour), "unknown certificate authority"},
		"an expired client":            {addr, ours.file, ours.issue(t, -time.Hour), "certificate"},
		"everything wrong on our side": {addr, other.file, pair{}, "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			options := settingsWith(t, tlsEnv(tc.addr, tc.bundle, tc.own)...).redis
			options.MaxRetries = -1
			client := redis.NewUniversalClient(&options)
			defer client.Close()
			err := client.Ping(t.Context()).Err()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("ping: %v, want %q", err, tc.want)
			}
		})
	}
}

func TestRedisFilesThatDoNotFit(t *testing.T) {
	ours := newAuthority(t)
	one, two := ours.issue(t, time.Hour), ours.issue(t, time.Hour)
	for name, tc := range map[string]struct {
		env  []string
		want string
	}{
		"a key as the authority":  {tlsEnv("127.0.0.1:1", one.key, pair{}), "redis.caBundle: must be a file that holds certificates in PEM"},
		"a key as certificate":    {tlsEnv("127.0.0.1:1", "", pair{one.key, one.key}), "redis.clientCertificate: must be a file that holds a certificate in PEM"},
		"the key of another":      {tlsEnv("127.0.0.1:1", "", pair{one.certificate, two.key}), "redis.clientKey: must be a file that holds the key of redis.clientCertificate in PEM, not encrypted"},
		"a certificate as key":    {tlsEnv("127.0.0.1:1", "", pair{one.certificate, one.certificate}), "redis.clientKey: must be a file that holds the key of redis.clientCertificate in PEM, not encrypted"},
		"a folder as certificate": {tlsEnv("127.0.0.1:1", "", pair{t.TempDir(), one.key}), "redis.clientCertificate: must be a file that can be read: is a directory"},
	} {
		_, err := settingsOf(configWith(t, tc.env...))
		if _, ok := errors.AsType[*webhook.FieldError](err); !ok || err.Error() != tc.want {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestServeOnRedisByTLS(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	server, own := ours.issue(t, time.Hour), ours.issue(t, time.Hour)
	_, addr := redistest.StartTLS(t, ours.file, server.certificate, server.key)
	c := startServe(t, addr, "--redis-url=rediss://"+strings.TrimPrefix(redistest.URL(addr), "redis://"), "--redis-ca-bundle="+ours.file,
		"--redis-client-certificate="+own.certificate, "--redis-client-key="+own.key)
	to := newTarget(t, c.client(t), atOnce())
	if got := c.publish(t, "--type=message.read", "--id=e1", "--data={}"); got.code != exitDone {
		t.Fatalf("publish: %+v", got)
	}
	to.expect(t, "e1", "{}")
	awaitState(t, c.client(t), "e1", webhook.StateDelivered)
	if warned := c.warnings("redis has no authentication"); len(warned) > 0 {
		t.Errorf("a client certificate is authentication: %v", warned)
	}
}

// Without a right certificate it waits, and says what is wrong.
func TestServeTellsWhyRedisRefusesTLS(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	server := ours.issue(t, time.Hour)
	_, addr := redistest.StartTLS(t, ours.file, server.certificate, server.key)
	c := startServe(t, addr, "--redis-url=rediss://"+addr, "--redis-ca-bundle="+ours.file)
	c.awaitLog(t, "waiting for redis")
	if !strings.Contains(c.text(), "certificate required") {
		t.Errorf("the log does not tell the reason:\n%s", c.text())
	}
	c.awaitReady(t, 503, "redis does not answer\n")
}
