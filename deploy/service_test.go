package deploy_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

// patience is how long a wait lasts before it fails the test.
const patience = time.Minute

// testService checks the configuration as compose gives it, then starts the service with it, on other addresses and on a
// Redis as compose starts it, until it is ready, and ends it as compose does.
func testService(t *testing.T, binary string, s service) {
	env := s.env(t)
	if out := runs(t, env, binary, "config", "check"); out != "ok\n" {
		t.Errorf("config check says %q", out)
	}
	store := redistest.Start(t, readCompose(t).Services["redis"].Command[1:]...)
	p := start(t, env, binary, append(slices.Clone(s.Command), "--redis-url=redis://"+store.Addr(),
		"--http-listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--shutdown-delay=0s")...)
	p.awaitReady(t)
	if serves := p.address("http") != ""; serves != slices.Contains(s.Command, "api") {
		t.Errorf("it listens for the API: %t", serves)
	}
	p.terminate(t)
}

// terminate ends it as compose does.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

// runs answers what a command that succeeds prints.
func runs(t *testing.T, env []string, binary string, words ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, words...)
	cmd.Dir, cmd.Env = t.TempDir(), append([]string{}, env...) // nil would be that of the test
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", words, err, out)
	}
	return string(out)
}

// process is a daemon that runs.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}

	mu    sync.Mutex
	lines []string
}

// start runs the binary with this environment and nothing else, until the test ends at the latest.
func start(t *testing.T, env []string, binary string, words ...string) *process {
	t.Helper()
	cmd := exec.Command(binary, words...)
	cmd.Dir, cmd.Env = t.TempDir(), env
	return startCommand(t, cmd)
}

func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, exited: make(chan struct{})}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.read(stderr)
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("%q:\n%s", cmd.Args, strings.Join(p.lines, "\n"))
		}
	})
	return p
}

func (p *process) read(stderr io.Reader) {
	for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, scanner.Text())
		p.mu.Unlock()
	}
}

// address is where a listener listens, or empty so far.
func (p *process) address(listener string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.lines {
		var line struct{ Msg, Listener, Address string }
		if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "listening" && line.Listener == listener {
			return line.Address
		}
	}
	return ""
}

// awaitReady waits until /readyz answers 200.
func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	deadline := time.After(patience)
	for !ready(client, p.address("admin")) {
		select {
		case <-p.exited:
			t.Fatal("it ended before it was ready")
		case <-deadline:
			t.Fatal("it does not get ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func ready(client *http.Client, address string) bool {
	if address == "" {
		return false
	}
	answer, err := client.Get("http://" + address + "/readyz")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
