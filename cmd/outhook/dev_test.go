package main

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/queue/embedded"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

var nineTypes = []string{
	"message.delivered", "message.read", "message.failed",
	"interaction.sms.reply", "interaction.rcs.button_click", "interaction.rcs.text_reply",
	"workflow.sms.matched_text", "workflow.rcs.button_click", "workflow.rcs.matched_text",
}

func TestDevOnce(t *testing.T) {
	got := command(t, nil, "dev", "--once")
	if got.code != exitDone || got.errOut != "" {
		t.Fatalf("code %d, stderr %s, stdout %s", got.code, got.errOut, got.out)
	}
	for _, name := range nineTypes {
		row := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}  ` + regexp.QuoteMeta(name) + ` +evt_[0-9a-f]{32} +1 +200  verified$`)
		if n := len(row.FindAllString(got.out, -1)); n != 1 {
			t.Errorf("%d rows of %s", n, name)
		}
	}
	for _, text := range []string{embedded.Notice, "throw-away keys", "127.0.0.0/8 and ::1, by http, on any port", "9 of 9 delivered"} {
		if !strings.Contains(got.out, text) {
			t.Errorf("does not say %q", text)
		}
	}
	if t.Failed() {
		t.Log(got.out)
	}
}

func TestDevOnceOnRedis(t *testing.T) {
	t.Setenv(redistest.EnvACL, "")                      // a developer's
	server := redistest.Start(t, "--appendonly", "yes") // else it is warned of
	client := server.Client(t)
	if err := client.Set(t.Context(), "another:program", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds what the first left
		got := command(t, nil, "dev", "--once", "--redis", "redis://"+server.Addr())
		if got.code != exitDone || got.errOut != "" || !strings.Contains(got.out, "deleted when it ends") {
			t.Fatalf("code %d, stderr %s, stdout %s", got.code, got.errOut, got.out)
		}
		if keys, err := client.Keys(t.Context(), "*").Result(); err != nil || !slices.Equal(keys, []string{"another:program"}) {
			t.Fatalf("left %q, %v", keys, err)
		}
	}
}

func TestDevRefusesARedisInUse(t *testing.T) {
	for _, key := range []string{"asynq:queues", "oh:{s07}:b:acme", devKey} {
		t.Run(key, func(t *testing.T) {
			rdb := dispatchertest.Embedded(t)
			if err := rdb.Set(t.Context(), key, "x", 0).Err(); err != nil {
				t.Fatal(err)
			}
			got := command(t, nil, "dev", "--once", "--redis", "redis://"+rdb.(*redis.Client).Options().Addr)
			if got.code != exitFailed || got.out != "" || !strings.HasPrefix(got.errOut, "outhook: dev: redis: key ") || !strings.Contains(got.errOut, key) {
				t.Errorf("code %d, stdout %q, stderr %q", got.code, got.out, got.errOut)
			}
			if keys, err := rdb.Keys(t.Context(), "*").Result(); err != nil || !slices.Equal(keys, []string{key}) {
				t.Errorf("left %q, %v", keys, err)
			}
		})
	}
}

// One byte that Redis gets wrong is signed and verifies: only the comparison with the sample can find it. It is not in the
// first event, which may be sent twice, as its script is not known yet.
func TestDevOnceDamagedOnTheWayToRedis(t *testing.T) {
	rdb := dispatchertest.Embedded(t)
	var flips atomic.Int32
	address := proxyTo(t, rdb.(*redis.Client).Options().Addr, flipOne("FAILED", &flips))
	got := command(t, nil, "dev", "--once", "--redis", "redis://"+address)
	if got.code != exitFailed || flips.Load() != 1 || !strings.Contains(got.errOut, errNotSame.Error()) {
		t.Errorf("%d flips, code %d, stderr %q, stdout %s", flips.Load(), got.code, got.errOut, got.out)
	}
}

// devBehind runs dev with a bad line before its receiver. What run makes of its error, the tests above see.
func devBehind(ctx context.Context, t *testing.T, h hop, out *screen, args ...string) error {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	cmd := devCommand(nil, listenBehind(h))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(out)
	err := cmd.ExecuteContext(ctx)
	if isUsage(err) {
		t.Errorf("wrong usage: %v", err)
	}
	return err
}

func TestDevOnceDamagedOnTheWayToTheReceiver(t *testing.T) {
	var flips atomic.Int32
	var out screen
	err := devBehind(t.Context(), t, flipOne("client-ref-123", &flips), &out, "--once")
	if !errors.Is(err, errNotVerified) || flips.Load() != 1 || !strings.Contains(out.String(), "401  NOT VERIFIED: no matching webhook signature") {
		t.Errorf("%d flips, %v, output %s", flips.Load(), err, &out)
	}
}

func TestDevOnceEightOfNine(t *testing.T) {
	var out screen
	err := devBehind(t.Context(), t, breakAt("workflow.rcs.matched_text"), &out, "--once", "--timeout", "2s")
	want := `^1 of 9 samples missing: workflow\.rcs\.matched_text did not arrive, is \w+ \(attempt \d+: \w+\)$`
	if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) || strings.Count(out.String(), " verified") != 8 {
		t.Errorf("%v, output %s", err, &out)
	}
}

// Without --once it says so and stays: the next attempt comes in a few seconds.
func TestDevStaysThoughNotAllIsWell(t *testing.T) {
	var flips atomic.Int32
	var out screen
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- devBehind(ctx, t, flipOne("client-ref-123", &flips), &out) }()
	out.await(t, `Not all is well: message\.\w+: arrived, but does not verify`)
	out.await(t, `Ctrl-C ends it`)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestDevInterrupted(t *testing.T) {
	for _, args := range [][]string{{"dev"}, {"dev", "--once"}} {
		r := start(t, args...)
		r.out.await(t, `published through the API`)
		code, text := r.stop(), r.errOut.String()
		done := code == exitDone && text == ""
		if stopped := code == exitFailed && text == "outhook: dev: interrupted\n"; !done && (!stopped || len(args) == 1) {
			t.Errorf("%v: code %d, stderr %q", args, code, text)
		}
	}
}

func TestDevStaysAndTakesOneMore(t *testing.T) {
	r := start(t, "dev")
	page := r.out.await(t, `asynqmon +(http://127\.0\.0\.1:\d+/asynqmon/)`)[1]
	key := r.out.await(t, `admin key +(dev_[A-Za-z0-9_-]{43})\n`)[1]
	curl := r.out.await(t, `(?s)(curl .*?)\n\nOr with`)[1]
	for given, want := range map[string]int{"": http.StatusUnauthorized, key: http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("anybody", given)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("asynqmon answers %d, want %d", resp.StatusCode, want)
		}
	}
	published := publishByHand(t, curl)
	r.out.await(t, `message\.delivered +`+published+` +1 +200  verified`)
	if code := r.stop(); code != exitDone || r.errOut.String() != "" {
		t.Errorf("code %d, stderr %s", code, &r.errOut)
	}
}

// publishByHand runs what dev says a user may copy, and returns the event's id.
func publishByHand(t *testing.T, curl string) string {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	answer, err := exec.CommandContext(t.Context(), "sh", "-c", curl).CombinedOutput()
	id := regexp.MustCompile(`evt_[0-9a-f]{32}`).Find(answer)
	if err != nil || id == nil {
		t.Fatalf("%s: %v\n%s", curl, err, answer)
	}
	return string(id)
}

func TestDevUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an argument":  {[]string{"once"}, exitUsage, "unexpected argument"},
		"no redis url": {[]string{"--redis", "http://:sesame@example.com"}, exitUsage, "--redis: "},
		"no timeout":   {[]string{"--timeout", "0s"}, exitUsage, "--timeout: must be more than 0"},
		"no level":     {[]string{"--log-level", "loud"}, exitUsage, "--log-level"},
		"nobody there": {[]string{"--redis", "redis://:sesame@127.0.0.1:1"}, exitFailed, "redis: "},
	} {
		t.Run(name, func(t *testing.T) {
			got := command(t, nil, append([]string{"dev", "--once"}, c.args...)...)
			if got.code != c.code || got.out != "" || strings.Count(got.errOut, "\n") != 1 || !strings.Contains(got.errOut, "outhook: dev: ") || !strings.Contains(got.errOut, c.want) {
				t.Errorf("code %d, want %d, stdout %q, stderr %q", got.code, c.code, got.out, got.errOut)
			}
			if strings.Contains(got.errOut, "sesame") {
				t.Error("the password is printed")
			}
		})
	}
}

func TestShellQuote(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell on this machine")
	}
	text := `{"a":"it's $HOME \ "}`
	answer, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+shellQuote(text)).Output()
	if err != nil || string(answer) != text {
		t.Errorf("%v, %s", err, answer)
	}
}
