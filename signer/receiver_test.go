package signer_test

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/signer"
)

// patience is how long a wait lasts before it fails the test.
const patience = time.Minute

// receiver is a server of the page that runs.
type receiver struct {
	cmd    *exec.Cmd
	url    string
	exited chan struct{}

	mu    sync.Mutex
	lines []string // what it printed
}

// startReceiver runs a command until the test ends, and waits until it listens.
func startReceiver(t *testing.T, secret signer.Secret, command []string) *receiver {
	t.Helper()
	port := strconv.Itoa(unusedPort(t))
	r := &receiver{cmd: exec.Command(command[0], command[1:]...), url: "http://127.0.0.1:" + port + "/webhooks", exited: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), "PORT="+port, "WEBHOOK_SECRET="+secret.Reveal())
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = r.cmd.Stdout
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		r.read(out)
		_ = r.cmd.Wait()
		close(r.exited)
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.exited
		if t.Failed() {
			t.Logf("%q:\n%s", command, strings.Join(r.lines, "\n"))
		}
	})
	r.await(t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return r
}

// unusedPort is below those that the system gives to connections, so that nobody is given it meanwhile.
func unusedPort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 15000 + rand.N(15000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func (r *receiver) read(out io.Reader) {
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		r.mu.Lock()
		r.lines = append(r.lines, scanner.Text())
		r.mu.Unlock()
	}
}

// worked counts the lines that say work on this event, its type and body included.
func (r *receiver) worked(id, body string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := 0
	for _, line := range r.lines {
		if strings.HasSuffix(line, "working on "+id+" message.delivered "+body) {
			count++
		}
	}
	return count
}

func (r *receiver) await(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-r.exited:
			t.Fatal("the server ended")
		case <-deadline:
			t.Fatal("waited too long for the server")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// post answers the status of a webhook whose signature is over signed, while body is what is sent.
func (r *receiver) post(t *testing.T, id string, at time.Time, signed, body string, keys ...signer.Key) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range sign(t, id, at, []byte(signed), keys...) {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Smobi-Event-Type", "message.delivered")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// testReceiver plays outhook.
func testReceiver(t *testing.T, r *receiver, secret signer.Secret) {
	now, body, other := time.Now(), `{ "status":"DELIVERED", "to":"ü 15552223333" }`, `{ "status":"FAILED" }`
	for _, tc := range []struct {
		name, id     string
		at           time.Time
		signed, sent string
		keys         []signer.Key
		status       int
	}{
		{"another secret", "evt_1", now, body, body, []signer.Key{signer.NewSecret()}, 401},
		{"another body", "evt_1", now, body, other, []signer.Key{secret}, 401},
		{"white space changed", "evt_1", now, body, strings.ReplaceAll(body, " ", ""), []signer.Key{secret}, 401},
		{"too old", "evt_1", now.Add(-6 * time.Minute), body, body, []signer.Key{secret}, 401},
		{"too new", "evt_1", now.Add(6 * time.Minute), body, body, []signer.Key{secret}, 401},
		{"ed25519 alone", "evt_1", now, body, body, []signer.Key{signer.NewPrivateKey()}, 401},
		{"signed", "evt_1", now, body, body, []signer.Key{secret}, 204},
		{"the same again", "evt_1", now, body, body, []signer.Key{secret}, 204},
		{"another attempt", "evt_1", now.Add(5 * time.Second), body, body, []signer.Key{secret}, 204},
		{"rotated, and the receiver holds the old one", "evt_2", now, body, body, []signer.Key{signer.NewSecret(), secret}, 204},
		{"rotated, and the receiver holds the new one", "evt_3", now, other, other, []signer.Key{secret, signer.NewSecret()}, 204},
	} {
		if got := r.post(t, tc.id, tc.at, tc.signed, tc.sent, tc.keys...); got != tc.status {
			t.Errorf("%s: answer %d, want %d", tc.name, got, tc.status)
		}
	}
	r.await(t, func() bool { return r.worked("evt_3", other) > 0 }) // the last: those before it are worked on as well
	if one, two := r.worked("evt_1", body), r.worked("evt_2", body); one != 1 || two != 1 {
		t.Errorf("evt_1 was worked on %d times, evt_2 %d times; want once", one, two)
	}
}
