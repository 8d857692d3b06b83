package charttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
)

// patience is how long a wait lasts before it fails the test.
const patience = time.Minute

// startRedis runs a server until the test ends and returns its host and port.
func startRedis(t *testing.T) string {
	t.Helper()
	binary := ""
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil && binary == "" {
			binary = path
		}
	}
	if binary == "" {
		lacking(t, "redis")
	}
	for range 5 { // another process may take the port before the server does
		if address := tryRedis(t, binary); address != "" {
			return address
		}
	}
	t.Fatal("redis-server does not start")
	return ""
}

func tryRedis(t *testing.T, binary string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	p := start(t, nil, binary, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no")
	deadline := time.After(patience)
	for {
		select {
		case <-p.exited:
			return ""
		case <-deadline:
			return ""
		case <-time.After(10 * time.Millisecond):
			if p.answersPing(address) {
				return address
			}
		}
	}
}

// answersPing is false for the server of another process.
func (p *process) answersPing(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, "PING\r\nINFO server\r\nQUIT\r\n")
	answer, _ := io.ReadAll(conn)
	return bytes.Contains(answer, []byte("+PONG\r\n")) && bytes.Contains(answer, fmt.Appendf(nil, "\nprocess_id:%d\r\n", p.cmd.Process.Pid))
}

// process runs until the test ends at the latest.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}

	mu    sync.Mutex
	lines []string
}

func start(t *testing.T, env []string, binary string, words ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, words...), exited: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = t.TempDir(), append([]string{}, env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, scanner.Text())
			p.mu.Unlock()
		}
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	})
	return p
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// address is where a listener listens, or empty so far.
func (p *process) address(listener string) string {
	for text := range strings.Lines(p.said()) {
		var line struct{ Msg, Listener, Address string }
		if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "listening" && line.Listener == listener {
			return line.Address
		}
	}
	return ""
}

// elsewhere are flags with which any number of processes run on one machine, quickly, and say where they listen.
var elsewhere = []string{"--http-listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--shutdown-delay=0s", "--log-level=info", "--log-format=json"}

// starts runs what the container of a deployment runs, in its environment, on a Redis of its own and on other addresses, until
// it is ready, and ends it as the kubelet does. It also asks what the probes ask.
func (r release) starts(t *testing.T, d *appsv1.Deployment) (problems []string) {
	t.Helper()
	env, err := r.environment(t, d, r.fill("redis://"+startRedis(t)+"/0"))
	if err != nil {
		return []string{err.Error()}
	}
	container := d.Spec.Template.Spec.Containers[0]
	words := append(append([]string{}, container.Command...), container.Args...)
	p := start(t, env, program, append(words, elsewhere...)...)
	if why := p.awaitReady(container.ReadinessProbe.HTTPGet.Path); why != "" {
		return []string{why + ": " + p.said()}
	}
	for _, path := range []string{container.StartupProbe.HTTPGet.Path, container.LivenessProbe.HTTPGet.Path} {
		if !answers(p.address("admin"), path) {
			problems = append(problems, path+" does not answer 200")
		}
	}
	if serves := p.address("http") != ""; serves != (role(d) == "api") {
		problems = append(problems, fmt.Sprintf("it listens for the API: %t", serves))
	}
	problems = append(problems, r.metricProblems(p)...)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		problems = append(problems, fmt.Sprintf("exit code %d after SIGTERM: %s", code, p.said()))
	}
	return problems
}

func (p *process) awaitReady(path string) string {
	deadline := time.After(patience)
	for !answers(p.address("admin"), path) {
		select {
		case <-p.exited:
			return "it ended before it was ready"
		case <-deadline:
			return "it does not get ready"
		case <-time.After(20 * time.Millisecond):
		}
	}
	return ""
}

// scrapes are how often a process is asked for a gauge of the whole system before it does not have it: it takes that over first.
const scrapes = 20

// metricProblems: what the monitor scrapes is there, and in it what the scaler asks for.
func (r release) metricProblems(p *process) (problems []string) {
	for _, monitor := range r.podMonitors {
		path, text := monitor.Spec.PodMetricsEndpoints[0].Path, ""
		for range scrapes {
			var ok bool
			if text, ok = get(p.address("admin"), path); !ok {
				return []string{path + " does not answer 200"}
			}
			if problems = r.missingMetrics(text); len(problems) == 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return problems
}

func (r release) missingMetrics(scraped string) (problems []string) {
	for _, s := range r.scaledObjects {
		for _, trigger := range s.Spec.Triggers {
			for _, name := range metricName.FindAllString(trigger.Metadata["query"], -1) {
				if !strings.Contains(scraped, "\n"+name+" ") && !strings.Contains(scraped, "\n"+name+"{") {
					problems = append(problems, name+" is exported by nobody")
				}
			}
		}
	}
	return problems
}

// get is what is answered with a 200.
func get(address, path string) (string, bool) {
	if address == "" {
		return "", false
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Get("http://" + address + path)
	if err != nil {
		return "", false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err == nil && answer.StatusCode == http.StatusOK
}

// answers is whether there is a 200.
func answers(address, path string) bool {
	_, ok := get(address, path)
	return ok
}
