package bench_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/cmd/outhook/bench"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// small is a bench that takes a moment.
func small(scenarios ...string) bench.Config {
	return bench.Config{Program: program, Scenarios: scenarios, Repeat: 1, Events: 40, Steady: 200 * time.Millisecond, For: 5 * time.Minute}
}

// TestScenarios runs a table of each with real processes. What the figures are is not asserted, but that each is there.
func TestScenarios(t *testing.T) {
	needRedis(t)
	for _, test := range []struct {
		scenario string
		table    int
		rows     []string
		metrics  []string
	}{
		{"throughput", 0, []string{"raw", "plain", "go", "batch", "single"}, []string{"perSecond"}},
		{"latency", 1, []string{"plain", "single"}, []string{"p50", "p95", "p99", "max"}},
		{"isolation", 0, []string{"plain", "single"}, []string{"calmP50", "calmP99", "p50", "p99", "p99Times"}},
		{"flood", 0, []string{"plain", "single"}, []string{"calmP99", "beside", "floodPerSecond"}},
		{"fan-out", 2, []string{"plain", "batch"}, []string{"perSecond"}},
		{"memory", 0, []string{"plain", "batch"}, []string{"waitingBytes", "deliveredBytes", "heldAtOnce"}},
		{"rtt", 0, []string{"plain", "go", "batch"}, []string{"perSecond", "pingMs"}},
		{"growth", 0, []string{"10"}, []string{"perSecond", "heldAtOnce", "answerMs"}},
		{"growth", 1, []string{"10"}, []string{"perSecond"}},
		{"growth", 2, []string{"30"}, []string{"perSecond", "publishedPerSecond", "waitingMiB", "waitingBytes", "firstMs"}},
		{"growth", 3, []string{"1", "4", "16"}, []string{"perSecond"}},
		{"growth", 4, []string{"1", "2", "4"}, []string{"perSecond"}},
		{"scale", 0, []string{"one Redis, 1 worker", "one Redis, 2 workers", "Cluster of 3, 1 worker", "Cluster of 3, 2 workers"}, []string{"perSecond"}},
		{"scale", 2, []string{"1 worker, all queues", "2 workers, all queues", "2 workers, queue.serve of 4"}, []string{"idleCommands", "perWorker", "connections"}},
		{"idle", 0, []string{"plain", "batch"}, []string{"idleCommands"}},
	} {
		t.Run(test.scenario, func(t *testing.T) {
			t.Parallel()
			largest := 30
			if test.scenario == "scale" {
				largest = 2
			}
			report, err := bench.RunGroup(t.Context(), small().InFlight(30).Largest(largest), test.scenario, test.table)
			if err != nil {
				t.Fatalf("%v; wrong: %v", err, report.Wrong)
			}
			checkGroup(t, report.Groups[0], test.rows, test.metrics)
		})
	}
}

func checkGroup(t *testing.T, g bench.Group, rows, metrics []string) {
	t.Helper()
	var names []string
	for _, r := range g.Rows {
		names = append(names, r.Name)
		if len(r.Runs) != 1 {
			t.Errorf("%s: %s: %d runs, want 1", g.Title, r.Name, len(r.Runs))
		}
		for _, metric := range metrics {
			if r.Median[metric] <= 0 {
				t.Errorf("%s: %s: %s is %v", g.Title, r.Name, metric, r.Median[metric])
			}
		}
	}
	if !slices.Equal(names, rows) {
		t.Errorf("%s: rows %v, want %v", g.Title, names, rows)
	}
}

// TestNothingIsLostAtFaults has workers killed, and a node of a cluster: nothing may be lost, and some may come twice.
func TestNothingIsLostAtFaults(t *testing.T) {
	needRedis(t)
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		t.Skip("waits for the leases of workers: set OUTHOOK_TEST_LONG=1")
	}
	t.Parallel()
	cfg := small()
	cfg.Steady = time.Second
	report, err := bench.RunGroup(t.Context(), cfg, "scale", 1)
	if err != nil {
		t.Fatalf("%v; wrong: %v", err, report.Wrong)
	}
	rows := []string{"one Redis", "Cluster of 3", "Cluster of 3, redis.durable wait:1, one master killed too"}
	checkGroup(t, report.Groups[0], rows, []string{"published", "added", "killed", "afterMs"})
	for _, row := range report.Groups[0].Rows {
		t.Logf("%s: %v", row.Name, row.Median)
	}
}

// TestCosts wants processor time and memory of every process where the system tells.
func TestCosts(t *testing.T) {
	needRedis(t)
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	t.Parallel()
	cfg := small()
	cfg.Events = 500
	report, err := bench.RunFlatOut(t.Context(), cfg, "batch")
	if err != nil {
		t.Fatal(err)
	}
	got := report.Groups[0].Rows[0].Median
	for _, metric := range []string{"cpuWorker", "cpuRedis", "peakMiBApi", "peakMiBWorker", "peakMiBRedis"} {
		if got[metric] <= 0 {
			t.Errorf("%s is %v", metric, got[metric])
		}
	}
	for _, metric := range []string{"cpuApi", "cpuReceiver", "cpuPublisher"} { // may be too little to be seen
		if value, known := got[metric]; !known || value < 0 {
			t.Errorf("%s is %v", metric, value)
		}
	}
	if sum := got["cpuApi"] + got["cpuWorker"]; got["cpuBoth"] != sum {
		t.Errorf("cpuBoth is %v, want %v", got["cpuBoth"], sum)
	}
}

// TestTooManyEndpointsAreLeftOut gives their creation no time.
func TestTooManyEndpointsAreLeftOut(t *testing.T) {
	needRedis(t)
	t.Parallel()
	report, err := bench.RunGroup(t.Context(), small().Largest(10).Creating(time.Nanosecond), "growth", 1)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(report.Notes, "; "); !strings.Contains(text, "left out: not all endpoints could be created in time") {
		t.Errorf("notes: %s", text)
	}
	if runs := report.Groups[0].Rows[0].Runs; len(runs) != 0 {
		t.Errorf("%d runs, want none", len(runs))
	}
}

// TestLossIsSaid has a receiver that drops.
func TestLossIsSaid(t *testing.T) {
	needRedis(t)
	for _, road := range []string{"raw", "plain", "go", "batch"} {
		t.Run(road, func(t *testing.T) {
			t.Parallel()
			report, err := bench.RunFlatOut(t.Context(), small().Losing(10), road)
			if !errors.Is(err, bench.ErrWrong) {
				t.Fatalf("error %v, want %v", err, bench.ErrWrong)
			}
			if text := strings.Join(report.Wrong, "; "); !strings.Contains(text, " were LOST: ") {
				t.Errorf("wrong: %s", text)
			}
			var table strings.Builder
			if err := report.WriteTable(&table); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(table.String(), "WRONG") || !strings.Contains(table.String(), "LOST") {
				t.Errorf("the table does not say so:\n%s", table.String())
			}
		})
	}
}

// TestCutIsSaid gives a run no time.
func TestCutIsSaid(t *testing.T) {
	needRedis(t)
	t.Parallel()
	cfg := small()
	cfg.Limit = time.Nanosecond
	report, err := bench.RunFlatOut(t.Context(), cfg, "batch")
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(report.Notes, "; "); !strings.Contains(text, "cut after 1ns") {
		t.Errorf("notes: %s", text)
	}
}

// TestTimeIsUp wants what does not fit left out, and said.
func TestTimeIsUp(t *testing.T) {
	needRedis(t)
	t.Parallel()
	cfg := small()
	cfg.For = time.Nanosecond
	report, err := bench.RunFlatOut(t.Context(), cfg, "raw")
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(report.Notes, "; "); !strings.Contains(text, "left out") {
		t.Errorf("notes: %s", text)
	}
	if runs := report.Groups[0].Rows[0].Runs; len(runs) != 0 {
		t.Errorf("%d runs, want none", len(runs))
	}
}

// TestInterrupted ends everything in the midst of a run: what is left behind, TestMain says.
func TestInterrupted(t *testing.T) {
	needRedis(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := small()
	cfg.Events = 100_000
	ended := make(chan error, 1)
	go func() {
		_, err := bench.RunFlatOut(ctx, cfg, "batch")
		ended <- err
	}()
	for !underWay(t) {
		select {
		case err := <-ended:
			t.Fatalf("it ended by itself: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// underWay tells whether a Redis has written down more than what comes before a run.
func underWay(t *testing.T) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.TempDir(), "outhook-bench-redis*", "appendonlydir", "*.incr.aof"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Size() > 3<<20 {
			return true
		}
	}
	return false
}

// TestEmbeddedRedis is for a machine that has no other.
func TestEmbeddedRedis(t *testing.T) {
	t.Setenv("PATH", "")
	for _, road := range []string{"plain", "batch"} {
		report, err := bench.RunFlatOut(t.Context(), small(), road)
		if err != nil {
			t.Fatalf("%v; wrong: %v", err, report.Wrong)
		}
		if !strings.Contains(report.Machine.Redis, "embedded") {
			t.Errorf("the machine's Redis is %q", report.Machine.Redis)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for field, cfg := range map[string]bench.Config{
		"program":  {},
		"repeat":   {Program: program, Repeat: -1},
		"events":   {Program: program, Events: -1},
		"steady":   {Program: program, Steady: -1},
		"for":      {Program: program, For: -1},
		"limit":    {Program: program, Limit: -1},
		"scenario": {Program: program, Scenarios: []string{"nonsense"}},
	} {
		_, err := bench.Run(t.Context(), cfg)
		if broken, ok := errors.AsType[*webhook.FieldError](err); !ok || broken.Field != field {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"nonsense"}, 2, `"nonsense" is unknown: must be one of throughput, `},
		{[]string{"--repeat", "0"}, 2, "--repeat: must be at least 1"},
		{[]string{"--all", "latency"}, 2, "--all: leaves nothing to name"},
		{[]string{"child", "nobody"}, 1, "must be receiver, publisher, plain or host"},
		{[]string{"--help"}, 0, "rtt"},
	} {
		out, err := exec.Command(program, append([]string{"bench"}, test.args...)...).CombinedOutput()
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		}
		if code != test.code || !strings.Contains(string(out), test.says) {
			t.Errorf("%v: exit code %d: %s", test.args, code, out)
		}
	}
}
