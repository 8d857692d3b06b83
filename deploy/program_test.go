package deploy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

// maxMemory is that of the Redis of an installation, in bytes.
const maxMemory = 64 << 20

// installation is an outhook as compose runs it, an API and two workers on a Redis, with a receiver for its deliveries.
type installation struct {
	t         *testing.T
	store     *redistest.Server
	binary    string
	env       []string
	adminKey  string
	api       *process
	workers   []*process
	addresses []string // of the workers, where operators ask; they keep them over restarts
	client    *http.Client
	receiver  *httptest.Server
	hangs     atomic.Bool
	ids       int
}

// install builds the program and starts one that runs until the test ends; it returns when all of it is ready.
func install(t *testing.T) *installation {
	t.Helper()
	in := &installation{t: t, store: redistest.Start(t, "--maxmemory", fmt.Sprint(maxMemory), "--maxmemory-policy", "noeviction")}
	in.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	in.binary = filepath.Join(t.TempDir(), "outhook")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", in.binary, "../cmd/outhook").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	variables := given()
	in.adminKey = variables["OUTHOOK_AUTH_ADMIN_KEY"]
	for name, value := range variables {
		in.env = append(in.env, name+"="+value)
	}
	in.receiver = httptest.NewServer(http.HandlerFunc(in.receive))
	t.Cleanup(in.receiver.Close)
	in.api = in.serve("api", "127.0.0.1:0")
	in.addresses = []string{freeAddress(t), freeAddress(t)}
	in.startWorkers()
	return in
}

// receive takes what comes to /good, fails what comes to /bad, and lets /hang wait as long as the installation says so.
func (in *installation) receive(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	switch {
	case r.URL.Path == "/bad":
		w.WriteHeader(http.StatusInternalServerError)
	case r.URL.Path == "/hang" && in.hangs.Load():
		<-r.Context().Done()
	}
}

func (in *installation) serve(role, operators string) *process {
	in.t.Helper()
	file := filepath.Join(in.t.TempDir(), "outhook.yaml")
	write(in.t, file, "egress: {allow: [127.0.0.0/8], requireHTTPS: false, ports: []}\nshutdown: {delay: 0s}\n")
	return start(in.t, in.env, in.binary, "serve", "--role", role, "--config", file, "--redis-url=redis://"+in.store.Addr(),
		"--http-listen=127.0.0.1:0", "--admin-listen="+operators)
}

// startWorkers starts those that do not run.
func (in *installation) startWorkers() {
	in.t.Helper()
	in.workers = nil
	for _, address := range in.addresses {
		in.workers = append(in.workers, in.serve("worker", address))
	}
	for _, p := range append(in.workers, in.api) {
		p.awaitReady(in.t)
	}
}

// killWorkers ends them with SIGKILL.
func (in *installation) killWorkers() {
	in.t.Helper()
	for _, p := range in.workers {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// targets are where Prometheus finds the metrics of all processes.
func (in *installation) targets() []string {
	return append([]string{in.api.address("admin")}, in.addresses...)
}

// endpoint makes one of the brand acme that gets every status at that path of the receiver.
func (in *installation) endpoint(id, path string) {
	in.t.Helper()
	if status := in.post("endpoints", fmt.Sprintf(`{"id":%q,"url":%q,"purpose":"status"}`, id, in.receiver.URL+path)); status != http.StatusCreated {
		in.t.Fatalf("endpoint %s: %d", id, status)
	}
}

// publish publishes an event, and returns the status of the answer.
func (in *installation) publish() int {
	in.t.Helper()
	in.ids++
	return in.post("events", fmt.Sprintf(`{"id":"e%d","type":"message.delivered","payload":{"clientRef":"r"}}`, in.ids))
}

func (in *installation) post(what, body string) int {
	in.t.Helper()
	url := "http://" + in.api.address("http") + "/v1/brands/acme/" + what
	r, err := http.NewRequestWithContext(in.t.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		in.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+in.adminKey)
	r.Header.Set("Content-Type", "application/json")
	answer, err := in.client.Do(r)
	if err != nil {
		in.t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// exported are the metrics of all processes, each with its labels; a histogram stands there by its name, with "le".
func (in *installation) exported() map[string][]string {
	in.t.Helper()
	found := map[string][]string{}
	for _, address := range in.targets() {
		answer, err := in.client.Get("http://" + address + "/metrics")
		if err != nil {
			in.t.Fatal(err)
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			in.t.Fatalf("%s: %v", answer.Status, err)
		}
		for name, family := range families {
			labels := found[name]
			if labels == nil {
				labels = []string{}
			}
			if family.GetType() == dto.MetricType_HISTOGRAM {
				labels = append(labels, "le")
			}
			for _, m := range family.GetMetric() {
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetName())
				}
			}
			slices.Sort(labels)
			found[name] = slices.Compact(labels)
		}
	}
	return found
}

// await waits until it is so.
func (in *installation) await(what string, isSo func() bool) {
	in.t.Helper()
	for deadline := time.Now().Add(patience); !isSo(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			in.t.Fatalf("it does not come to %s", what)
		}
	}
}

// awaitText waits until one of the pages of metrics has a line that begins so, and is not 0.
func (in *installation) awaitText(begins string) {
	in.t.Helper()
	in.await(begins, func() bool {
		for _, address := range in.targets() {
			answer, err := in.client.Get("http://" + address + "/metrics")
			if err != nil {
				in.t.Fatal(err)
			}
			page, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			for line := range strings.Lines(string(page)) {
				if strings.HasPrefix(line, begins) && strings.TrimSpace(line) != begins+" 0" {
					return true
				}
			}
		}
		return false
	})
}

// long skips a test that takes minutes.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		t.Skip("takes long: set OUTHOOK_TEST_LONG=1")
	}
}
