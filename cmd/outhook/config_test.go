package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outhook.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		code int
		// lines are what stderr holds, without program, command and path.
		lines string
	}{
		"good": {"retry:\n  jitter: 0.3\n", exitDone, ""},
		"two problems": {"retry:\n  jitter: 3\nqueue:\n  shard: 4\n", exitFailed,
			"2: retry.jitter is \"3\": must be a number above 0 and below 1\n4: queue.shard: unknown key; the nearest is queue.shards\n"},
		"a schema that is none": {"catalog:\n  types:\n    - {name: order.paid, description: paid, schema: {type: 7}}\n", exitFailed, "catalog.types[0].schema"},
		"a bundle that is not there": {"egress:\n  caBundle: /nonexistent/ca.pem\n", exitFailed,
			"2: egress.caBundle is \"/nonexistent/ca.pem\": must be a file that can be read: no such file or directory\n"},
		"a bundle that is none":    {"egress:\n  caBundle: " + os.Args[0] + "\n", exitFailed, "2: egress.caBundle is "},
		"no certificates of redis": {"redis:\n  url: rediss://a\n  caBundle: " + os.Args[0] + "\n", exitFailed, "3: redis.caBundle is "},
		"no client certificate": {"redis:\n  url: rediss://a\n  clientCertificate: /dev/null\n  clientKey: /nonexistent\n", exitFailed,
			"4: redis.clientKey is \"/nonexistent\": must be a file that can be read: no such file or directory\n"},
		"an empty certificate": {"redis:\n  url: rediss://a\n  clientCertificate: /dev/null\n  clientKey: /dev/null\n", exitFailed,
			"3: redis.clientCertificate is \"/dev/null\": must be a file that holds a certificate in PEM\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := configFile(t, tc.file)
			got := command(t, nil, "config", "check", path)
			text := strings.ReplaceAll(strings.ReplaceAll(got.errOut, "outhook: config check: ", ""), path+":", "")
			if got.code != tc.code || !strings.HasPrefix(text, tc.lines) || (tc.lines == "") != (text == "") {
				t.Errorf("exit code %d, stderr:\n%s", got.code, got.errOut)
			}
			if (got.code == exitDone) != (got.out == "ok\n") {
				t.Errorf("stdout %q", got.out)
			}
		})
	}
}

func TestConfigCheckTakesTheFileOfTheEnvironment(t *testing.T) {
	path := configFile(t, "log:\n  level: loud\n")
	got := command(t, []string{"OUTHOOK_CONFIG=" + path}, "config", "check")
	if got.code != exitFailed || !strings.Contains(got.errOut, path+":2: log.level") {
		t.Fatalf("exit code %d, stderr:\n%s", got.code, got.errOut)
	}
}

func TestConfigPrintIsEffectiveAndRedacted(t *testing.T) {
	path := configFile(t, "http:\n  listen: 127.0.0.1:1\nlog:\n  level: warn\n  format: text\n")
	env := []string{"OUTHOOK_LOG_LEVEL=error", "OUTHOOK_AUTH_ADMIN_KEY=" + testKey, "OUTHOOK_SECRETS_KEYS=" + testSecretKey,
		"OUTHOOK_REDIS_URL=redis://:hidden-password@127.0.0.1:6379"}
	got := command(t, env, "config", "print", "--config", path, "--log-format", "json")
	if got.code != exitDone || got.errOut != "" {
		t.Fatalf("exit code %d, stderr:\n%s", got.code, got.errOut)
	}
	for _, want := range []string{"listen: 127.0.0.1:1\n", "level: error\n", "format: json\n", "adminKey: redacted\n", "k1:redacted"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("lacks %q:\n%s", want, got.out)
		}
	}
	for _, secret := range []string{testKey, "MDEyMzQ1", "hidden-password"} {
		if strings.Contains(got.out, secret) {
			t.Errorf("holds %q:\n%s", secret, got.out)
		}
	}
}
