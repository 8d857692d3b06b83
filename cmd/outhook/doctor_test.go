package main

import (
	"encoding/json"
	"strings"
	"testing"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

// doctorOn runs the command in a process of its own; there is a setting of the whole process in it.
func doctorOn(t *testing.T, redisURL, keys string, args ...string) outcome {
	t.Helper()
	env := []string{"OUTHOOK_REDIS_URL=" + redisURL, "OUTHOOK_SECRETS_KEYS=" + keys, "OUTHOOK_AUTH_ADMIN_KEY=" + strings.Repeat("k", 32)}
	return asChild(t, nil, env, append([]string{"doctor"}, args...)...)
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes")
	key := newSecretKey("k1")
	createMany(t, sealingWith(t, server.Client(t), key), 2)
	got := doctorOn(t, redistest.URL(server.Addr()), key)
	for _, line := range []string{
		"ok    persistence        append-only file\n", "\nwarn  memory             ", "\n                         → redis-cli CONFIG SET maxmemory",
		"\nok    encryption keys    k1 seals, and is needed by 2 endpoints\n", "\nok    admin key          auth.adminKey\n",
	} {
		if !strings.Contains(got.out, line) {
			t.Errorf("no line %q in\n%s", line, got.out)
		}
	}
	if got.code != exitDone || got.errOut != "" {
		t.Errorf("exit code %d: %s", got.code, got.errOut)
	}

	got = doctorOn(t, redistest.URL(server.Addr()), newSecretKey("k2"), "-o=json")
	var found diagnosis
	if err := json.Unmarshal([]byte(got.out), &found); err != nil {
		t.Fatalf("%v: %s", err, got.out)
	}
	bad := 0
	for _, f := range found.Findings {
		if f.Verdict == "bad" {
			bad++
			if f.Check != "encryption keys" || !strings.Contains(f.Text, `key "k1" is missing`) || f.Advice == "" {
				t.Errorf("%+v", f)
			}
		}
	}
	if found.Verdict != "bad" || found.Bad != 1 || bad != 1 || found.Warn == 0 {
		t.Errorf("%+v", found)
	}
	if got.code != exitFailed || got.errOut != "outhook: doctor: bad lines: 1 of 16\n" {
		t.Errorf("exit code %d: %s", got.code, got.errOut)
	}
}

func TestDoctorWithoutRedis(t *testing.T) {
	t.Parallel()
	got := doctorOn(t, "redis://outhook:hidden@127.0.0.1:1/0", newSecretKey("k1"))
	if got.code != exitFailed || strings.Count(got.out, "\n") != 2 || !strings.HasPrefix(got.out, "bad  redis  does not answer: ") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(got.out+got.errOut, "hidden") {
		t.Errorf("the password is told: %+v", got)
	}
}

func TestDoctorWronglyUsed(t *testing.T) {
	for name, args := range map[string][]string{
		"without keys":   {"doctor"},
		"an argument":    {"doctor", "redis"},
		"a wrong form":   {"doctor", "-o=xml"},
		"a missing file": {"doctor", "--config=/nowhere.yaml"},
	} {
		if got := command(t, nil, args...); got.code != exitUsage || got.out != "" || strings.Count(got.errOut, "\n") != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
