package deploy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// prometheus is a real server.
type prometheus struct {
	t      *testing.T
	url    string
	client *http.Client
}

// pace is how often one scrapes, within which time it has to be answered, and what its rules look back at.
type pace struct{ every, window string }

var (
	quick = pace{every: "250ms", window: "3s"}
	// unhurried has time for processes that wait for Redis while they are scraped.
	unhurried = pace{every: "2500ms", window: "8s"}
)

// startPrometheus runs one with prometheus/alerts.yaml, hastened, until the test ends, and waits until it has scraped the
// targets: addresses of processes by namespace, for each of which alerts fire on their own. It listens on loopback, and keeps its data
// in a folder of the test.
func startPrometheus(t *testing.T, targets map[string][]string, at pace) *prometheus {
	t.Helper()
	binary, dir := need(t, "prometheus"), t.TempDir()
	write(t, filepath.Join(dir, "alerts.yaml"), at.hasten(read(t, rulesFile)))
	config := strings.ReplaceAll(`global: {scrape_interval: EVERY, scrape_timeout: EVERY, evaluation_interval: 250ms}
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: outhook
    static_configs:
`, "EVERY", at.every)
	n := 0
	for namespace, addresses := range targets {
		n += len(addresses)
		config += fmt.Sprintf("      - {targets: [%s], labels: {namespace: %q}}\n", strings.Join(addresses, ", "), namespace)
	}
	write(t, filepath.Join(dir, "prometheus.yaml"), config)
	p := &prometheus{t: t, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}}
	for range 5 { // another process may take the port first
		if p.run(binary, dir) {
			p.await("a scrape of each target", func() bool { return len(p.query("up == 1")) == n })
			return p
		}
	}
	t.Fatal("prometheus does not start")
	return nil
}

// hasten makes alerts fire and end within seconds: after one instead of minutes, by what the window moved.
func (at pace) hasten(rules string) string {
	rules = regexp.MustCompile(`(?m)^(\s+for: )\w+$`).ReplaceAllString(rules, "${1}1s")
	return regexp.MustCompile(`\[\d+[smh]\]`).ReplaceAllString(rules, "["+at.window+"]")
}

// in returns the same server for the use of another test.
func (p prometheus) in(t *testing.T) *prometheus {
	p.t = t
	return &p
}

// run starts the process and waits until it answers; false when it ended before.
func (p *prometheus) run(binary, dir string) bool {
	p.t.Helper()
	address := freeAddress(p.t)
	p.url = "http://" + address
	cmd := exec.Command(binary, "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if p.t.Failed() {
			p.t.Log(said.String())
		}
	})
	for deadline := time.After(patience); ; {
		select {
		case <-exited:
			return false
		case <-deadline:
			p.t.Fatal("prometheus does not get ready")
		case <-time.After(50 * time.Millisecond):
		}
		if answer, err := p.client.Get(p.url + "/-/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return true
			}
		}
	}
}

// await waits until it is so; what says what for.
func (p *prometheus) await(what string, isSo func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !isSo(); {
		if time.Now().After(deadline) {
			p.t.Fatalf("it does not come to %s; these fire: %v", what, p.alerts())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// sample is one series of an answer.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"` // when, and a number as text
}

// query evaluates an expression now.
func (p *prometheus) query(expr string) []sample {
	p.t.Helper()
	var data struct {
		Result []sample `json:"result"`
	}
	if err := p.ask("/api/v1/query?query="+url.QueryEscape(expr), &data); err != nil {
		p.t.Errorf("%s: %v", expr, err)
	}
	return data.Result
}

// alert is one that is pending or fires.
type alert struct {
	State       string            `json:"state"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func (p *prometheus) alerts() []alert {
	p.t.Helper()
	var data struct {
		Alerts []alert `json:"alerts"`
	}
	if err := p.ask("/api/v1/alerts", &data); err != nil {
		p.t.Error(err)
	}
	return data.Alerts
}

// firing are the names of alerts that fire in a namespace, with their levels, sorted, each once.
func (p *prometheus) firing(namespace string) []string {
	p.t.Helper()
	names := []string{}
	for _, a := range p.alerts() {
		if a.State == "firing" && a.Labels["namespace"] == namespace {
			names = append(names, a.Labels["alertname"]+"/"+a.Labels["severity"])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ask reads the data of an answer; the error is what Prometheus says is wrong.
func (p *prometheus) ask(path string, data any) error {
	answer, err := p.client.Get(p.url + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said := struct {
		Status, Error string
		Warnings      []string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return err
	}
	if said.Status != "success" || len(said.Warnings) > 0 {
		return fmt.Errorf("%s: %s %q", said.Status, said.Error, said.Warnings)
	}
	return nil
}

// freeAddress is one that nobody listens on, below the ports that systems give to connections: else who scrapes a process that
// is down may be given its port, and be connected to itself.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 15000+rand.N(15000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
