package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// child is one serving process.
type child struct {
	cmd *exec.Cmd
	// api and admin are URLs; api is empty in a worker.
	api, admin string
	exited     chan struct{}

	mu    sync.Mutex
	lines []map[string]any
	// raw is the log as it came.
	raw bytes.Buffer
}

// serveFlags are what lets a process run beside others and deliver to this machine.
var serveFlags = []string{
	"--http-listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--shutdown-delay=0s",
	"--egress-allow=127.0.0.0/8", "--egress-require-https=false", "--egress-ports=[]",
}

// startServe runs outhook serve on a Redis, until the test ends at the latest, and waits until it listens.
func startServe(t testing.TB, redisAddr string, args ...string) *child {
	t.Helper()
	return startChild(t, redisAddr, serveCommand("", args...))
}

// serveCommand is that of outhook serve, of another program than this one if it has a name.
func serveCommand(program string, args ...string) *exec.Cmd {
	if program == "" {
		program = os.Args[0]
	}
	return exec.Command(program, serveArgs(args)...)
}

func serveArgs(more []string) []string { return slices.Concat([]string{"serve"}, serveFlags, more) }

// startChild runs the command of a serving process, with the variables that it has besides those of every one.
func startChild(t testing.TB, redisAddr string, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{exited: make(chan struct{}), cmd: cmd}
	c.cmd.Env = append(slices.Concat(withoutOurs(os.Environ()), cmd.Env), childMark+"=1", "OUTHOOK_REDIS_URL="+redistest.URL(redisAddr),
		"OUTHOOK_AUTH_ADMIN_KEY="+testKey, "OUTHOOK_SECRETS_KEYS="+testSecretKey)
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.read(stderr)
		_ = c.cmd.Wait()
		close(c.exited)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.exited
		if t.Failed() {
			t.Logf("%v:\n%s", c.cmd.Args[1:], c.text())
		}
	})
	c.admin = c.listening(t, "admin")
	if !strings.Contains(strings.Join(cmd.Args, " "), "worker") {
		c.api = c.listening(t, "http")
	}
	return c
}

func withoutOurs(env []string) []string {
	var kept []string
	for _, assignment := range env {
		if !strings.HasPrefix(assignment, "OUTHOOK_") {
			kept = append(kept, assignment)
		}
	}
	return kept
}

// read keeps the log: JSON, or a line of something else under "text".
func (c *child) read(stderr io.Reader) {
	scanner := bufio.NewScanner(stderr)
	for scanner.Scan() {
		line := map[string]any{}
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			line["text"] = scanner.Text()
		}
		c.mu.Lock()
		c.raw.Write(scanner.Bytes())
		c.raw.WriteByte('\n')
		c.lines = append(c.lines, line)
		c.mu.Unlock()
	}
}

// logged returns the lines with this message so far.
func (c *child) logged(message string) []map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []map[string]any
	for _, line := range c.lines {
		if line["msg"] == message {
			found = append(found, line)
		}
	}
	return found
}

func (c *child) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all strings.Builder
	for _, line := range c.lines {
		encoded, _ := json.Marshal(line)
		all.Write(append(encoded, '\n'))
	}
	return all.String()
}

// awaitLog waits for a line with this message. It fails when the process ends first.
func (c *child) awaitLog(t testing.TB, message string) {
	t.Helper()
	dispatchertest.Eventually(t, func() bool {
		select {
		case <-c.exited:
			if len(c.logged(message)) == 0 {
				t.Fatalf("the process ended without %q", message)
			}
		default:
		}
		return len(c.logged(message)) > 0
	})
}

func (c *child) listening(t testing.TB, listener string) string {
	t.Helper()
	var url string
	dispatchertest.Eventually(t, func() bool {
		for _, line := range c.logged("listening") {
			if line["listener"] == listener {
				url = "http://" + line["address"].(string)
			}
		}
		select {
		case <-c.exited:
			if url == "" {
				t.Fatal("the process ended without listening")
			}
		default:
		}
		return url != ""
	})
	return url
}

func (c *child) terminate(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (c *child) exit() int {
	<-c.exited
	return c.cmd.ProcessState.ExitCode()
}

func (c *child) client(t testing.TB) *httpapi.Client {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	client, err := httpapi.NewClient(c.api, testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// publish runs the command against the process.
func (c *child) publish(t *testing.T, args ...string) outcome {
	t.Helper()
	return command(t, []string{"OUTHOOK_SERVER=" + c.api, "OUTHOOK_KEY=" + testKey}, append([]string{"publish", "--brand=acme"}, args...)...)
}

// get answers status and body; the key may be empty.
func get(t *testing.T, url, key string) (int, string) {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// awaitReady waits until /readyz answers this.
func (c *child) awaitReady(t *testing.T, status int, body string) {
	t.Helper()
	dispatchertest.Eventually(t, func() bool {
		gotStatus, gotBody := get(t, c.admin+"/readyz", "")
		return gotStatus == status && gotBody == body
	})
}
