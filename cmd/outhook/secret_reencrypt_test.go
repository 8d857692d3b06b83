package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// newSecretKey is an entry of secrets.keys with a random key.
func newSecretKey(id string) string {
	key := make([]byte, 32)
	rand.Read(key)
	return id + ":" + base64.StdEncoding.EncodeToString(key)
}

// sealingWith returns a dispatcher that is not run, with these keys.
func sealingWith(t *testing.T, rdb redis.UniversalClient, keys ...string) *dispatcher.Dispatcher {
	t.Helper()
	cfg := dispatchertest.Config()
	cfg.Redis, cfg.Logger, cfg.EndpointsPerBrand = rdb, slog.New(slog.DiscardHandler), 1000
	var err error
	if cfg.Secrets, err = dispatcher.ParseKeyRing(keys); err != nil {
		t.Fatal(err)
	}
	d, err := dispatcher.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// createMany creates endpoints e0, e1, … of the brand acme.
func createMany(t *testing.T, d *dispatcher.Dispatcher, n int) {
	t.Helper()
	for i := range n {
		_, created, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{
			ID: fmt.Sprint("e", i), Brand: "acme", URL: "https://example.com/", Purpose: webhook.PurposeStatus,
		})
		if err != nil || !created {
			t.Fatalf("create endpoint: %t, %v", created, err)
		}
	}
}

// reencryptOn runs the command in a process of its own; there is a setting of the whole process in it.
func reencryptOn(t *testing.T, redisAddr, keys string, args ...string) outcome {
	t.Helper()
	return asChild(t, nil, []string{"OUTHOOK_REDIS_URL=" + redistest.URL(redisAddr), "OUTHOOK_SECRETS_KEYS=" + keys},
		append([]string{"secret", "reencrypt"}, args...)...)
}

// asChild runs outhook in a process of its own to its end. began, unless nil, is told of the process.
func asChild(t *testing.T, began func(*os.Process), env []string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), dispatchertest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(append(withoutOurs(os.Environ()), childMark+"=1"), env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if began != nil {
		began(cmd.Process)
	}
	if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

func TestSecretReencrypt(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := server.Client(t)
	k1, k2 := newSecretKey("k1"), newSecretKey("k2")
	createMany(t, sealingWith(t, rdb, k1), 3)
	got := reencryptOn(t, server.Addr(), k2+","+k1, "-o=json")
	if want := `{"endpoints":3,"moved":3,"alreadyNewest":0,"failed":0}` + "\n"; got != (outcome{exitDone, want, ""}) {
		t.Fatalf("%+v", got)
	}
	if err := sealingWith(t, rdb, k2).CheckKeys(t.Context()); err != nil {
		t.Errorf("the old key is needed still: %v", err)
	}
	got = reencryptOn(t, server.Addr(), k2)
	if want := "endpoints: 3, encrypted with the newest key now: 0, before: 3, failed: 0\n"; got != (outcome{exitDone, want, ""}) {
		t.Errorf("%+v", got)
	}
}

func TestSecretReencryptNamesWhatItCannotOpen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := server.Client(t)
	k1, k2, k3 := newSecretKey("k1"), newSecretKey("k2"), newSecretKey("k3")
	createMany(t, sealingWith(t, rdb, k1), 2)
	_, _, err := sealingWith(t, rdb, k2, k1).CreateEndpoint(t.Context(), webhook.Endpoint{
		ID: "other", Brand: "other", URL: "https://example.com/", Purpose: webhook.PurposeStatus,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := reencryptOn(t, server.Addr(), k3+","+k2, "-o=json")
	want := outcome{exitFailed, `{"endpoints":3,"moved":1,"alreadyNewest":0,"failed":2}` + "\n",
		`outhook: secret reencrypt: brand acme, endpoint e0, key k1: encryption key "k1" is not in secrets.keys
outhook: secret reencrypt: brand acme, endpoint e1, key k1: encryption key "k1" is not in secrets.keys
outhook: secret reencrypt: endpoints that are not encrypted with the newest key: 2
`}
	if got != want {
		t.Errorf("%+v", got)
	}
}

func TestSecretReencryptRefuses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	k1 := newSecretKey("k1")
	createMany(t, sealingWith(t, server.Client(t), k1), 1)
	away := freeAddress(t)
	for name, tt := range map[string]struct {
		addr, keys string
		code       int
		line       string
	}{
		"no keys":          {server.Addr(), "[]", exitUsage, `^outhook: secret reencrypt: secrets\.keys: is required: the new key first, then those that encrypted what is stored\n$`},
		"a key that is no": {server.Addr(), "k1:x", exitUsage, `^outhook: secret reencrypt: OUTHOOK_SECRETS_KEYS: secrets\.keys.*\n$`},
		"another newest":   {server.Addr(), newSecretKey("k1"), exitUsage, `^outhook: secret reencrypt: secrets\.keys: key "k1" is not the one that sealed what is stored\n$`},
		"redis away":       {away, k1, exitFailed, `^outhook: secret reencrypt: ended before the first endpoint, run it again to go on: check keys: .*refused\n$`},
	} {
		got := reencryptOn(t, tt.addr, tt.keys)
		if got.code != tt.code || !regexp.MustCompile(tt.line).MatchString(got.errOut) || strings.Contains(got.errOut, k1) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// After a SIGINT it says how far it came, and another run goes on there.
func TestSecretReencryptInterrupted(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := server.Client(t)
	k1, k2 := newSecretKey("k1"), newSecretKey("k2")
	one := sealingWith(t, rdb, k1, k2)
	createMany(t, one, 1)
	for _, d := range []*dispatcher.Dispatcher{sealingWith(t, rdb, k2, k1), one} { // Redis knows the script from here on
		if _, err := d.ReencryptSecrets(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.DeleteEndpoint(t.Context(), webhook.EndpointRef{Brand: "acme", ID: "e0"}); err != nil {
		t.Fatal(err)
	}
	for _, brand := range []string{"a", "b", "c", "d", "e"} {
		for i := range 50 {
			e := webhook.Endpoint{ID: fmt.Sprint("e", i), Brand: brand, URL: "https://example.com/", Purpose: webhook.PurposeStatus}
			if _, _, err := one.CreateEndpoint(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	line := holdAfter(t, server.Addr(), "evalsha", 150)
	got := asChild(t, func(p *os.Process) {
		select {
		case <-line.held:
		case <-t.Context().Done():
		}
		if err := p.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}, []string{"OUTHOOK_REDIS_URL=" + redistest.URL(line.addr), "OUTHOOK_SECRETS_KEYS=" + k2 + "," + k1}, "secret", "reencrypt", "-o=json")
	var moved int
	if _, err := fmt.Sscanf(got.out, `{"endpoints":%d,`, &moved); err != nil || moved == 0 || moved >= 250 {
		t.Fatalf("it was not interrupted in the middle: %+v", got)
	}
	want := regexp.MustCompile(`^outhook: secret reencrypt: interrupted after [12]00 of 251 endpoints: run it again to go on\n$`)
	if got.code != exitFailed || !want.MatchString(got.errOut) {
		t.Errorf("%+v", got)
	}
	got = reencryptOn(t, server.Addr(), k2+","+k1, "-o=json")
	if want := fmt.Sprintf(`{"endpoints":250,"moved":%d,"alreadyNewest":%d,"failed":0}`+"\n", 250-moved, moved); got != (outcome{exitDone, want, ""}) {
		t.Errorf("again: %+v, want %s", got, want)
	}
}

// heldLine is a network to Redis that ends in nothing, without anybody being told, once enough went over it.
type heldLine struct {
	addr string
	held chan struct{}

	mu   sync.Mutex
	rest int
}

// holdAfter passes on what comes until so many of a command were among it.
func holdAfter(t *testing.T, to, command string, n int) *heldLine {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	line := &heldLine{addr: listener.Addr().String(), held: make(chan struct{}), rest: n}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				_ = here.Close()
				continue
			}
			mu.Lock()
			open = append(open, here, there)
			mu.Unlock()
			wg.Go(func() { _, _ = io.Copy(here, there) })
			wg.Go(func() { line.pass(here, there, []byte(command)) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return line
}

func (l *heldLine) pass(from io.Reader, to io.Writer, command []byte) {
	buffer := make([]byte, 1<<20)
	for {
		n, err := from.Read(buffer)
		if err != nil || l.holds(bytes.Count(buffer[:n], command)) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// holds counts, and tells whether it is enough.
func (l *heldLine) holds(commands int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rest < 0 {
		return true
	}
	if l.rest -= commands; l.rest < 0 {
		close(l.held)
		return true
	}
	return false
}
