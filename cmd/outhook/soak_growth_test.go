package main

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

const mib = 1 << 20

// column is one figure that is looked at again and again.
type column struct {
	name string
	// factor and slack bound how much more it may be late than in the middle.
	factor, slack float64
	figures       []float64 // NaN when it could not be read
}

// growth is the table of all figures.
type growth struct {
	at      []time.Duration
	columns []*column
}

func processColumns(name string) []*column {
	return []*column{
		{name: name + " RSS MiB", factor: 1.2, slack: 16},
		{name: "heap MiB", factor: 1.2, slack: 4},
		{name: "goroutines", factor: 1.1, slack: 10},
		{name: "files", factor: 1.1, slack: 10},
	}
}

func redisColumns() []*column {
	return []*column{{name: "Redis MiB", factor: 1.2, slack: 4}, {name: "keys", factor: 1.2, slack: 1000}}
}

// sample reads the figures of the processes that are never killed, and of Redis.
func (s *soak) sample() {
	s.Helper()
	s.survivors()
	if s.growth.columns == nil {
		s.growth.columns = slices.Concat(processColumns("API"), processColumns("worker"), redisColumns())
	}
	figures := slices.Concat(s.process(s.stations[0].now), s.process(s.stations[2].now), s.redisFigures())
	s.growth.at = append(s.growth.at, time.Since(s.began))
	for i, c := range s.growth.columns {
		c.figures = append(c.figures, figures[i])
	}
}

// process reads memory, what of it is in use after a collection, goroutines and open files.
func (s *soak) process(c *child) []float64 {
	s.Helper()
	dir := fmt.Sprintf("/proc/%d/", c.cmd.Process.Pid)
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		s.Skip("this system does not tell of its processes")
	}
	files, err := os.ReadDir(dir + "fd")
	if err != nil {
		s.Fatal(err)
	}
	_, heap := get(s.T, c.admin+"/debug/pprof/heap?gc=1&debug=1", testKey)
	_, routines := get(s.T, c.admin+"/debug/pprof/goroutine?debug=1", testKey)
	return []float64{
		figure(`(?m)^VmRSS:\s+(\d+) kB`, string(status)) / 1024, figure(`(?m)^# HeapAlloc = (\d+)`, heap) / mib,
		figure(`^goroutine profile: total (\d+)`, routines), float64(len(files)),
	}
}

// redisFigures reads memory, without what clients and the file's buffer have of it just then, and the number of keys.
func (s *soak) redisFigures() []float64 {
	if s.redisAway() {
		return []float64{math.NaN(), math.NaN()}
	}
	info, err := s.admin.Info(s.Context(), "memory").Result()
	if err != nil {
		return []float64{math.NaN(), math.NaN()}
	}
	keys, err := s.admin.DBSize(s.Context()).Result()
	if err != nil {
		return []float64{math.NaN(), math.NaN()}
	}
	used := figure(`used_memory:(\d+)`, info) - figure(`mem_clients_normal:(\d+)`, info) - figure(`mem_aof_buffer:(\d+)`, info)
	return []float64{used / mib, float64(keys)}
}

// figure is what the pattern finds in a text, NaN if it does not.
func figure(pattern, text string) float64 {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

func (g growth) log(t *testing.T) {
	t.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "at\t")
	for _, c := range g.columns {
		fmt.Fprint(w, c.name, "\t")
	}
	for i, at := range g.at {
		fmt.Fprint(w, "\n", at.Round(time.Second), "\t")
		for _, c := range g.columns {
			fmt.Fprint(w, strconv.FormatFloat(c.figures[i], 'f', c.digits(), 64), "\t")
		}
	}
	for _, third := range []string{"first", "middle", "last"} {
		fmt.Fprint(w, "\n", third, "\t")
		for _, c := range g.columns {
			fmt.Fprint(w, strconv.FormatFloat(c.median(third), 'f', c.digits(), 64), "\t")
		}
	}
	fmt.Fprintln(w)
	w.Flush()
	t.Logf("samples, and the median of each third:\n%s", &text)
}

func (c column) digits() int {
	if strings.HasSuffix(c.name, "MiB") {
		return 1
	}
	return 0
}

// median of a third of the samples, without those that could not be read; NaN if that is none.
func (c column) median(third string) float64 {
	n := len(c.figures)
	part := map[string][]float64{"first": c.figures[:n/3], "middle": c.figures[n/3 : n*2/3], "last": c.figures[n*2/3:]}[third]
	part = slices.DeleteFunc(slices.Clone(part), math.IsNaN)
	if len(part) == 0 {
		return math.NaN()
	}
	slices.Sort(part)
	return part[len(part)/2]
}

// flat tells whether the last third is no more than the middle one, but for what it may vary.
func (c column) flat() bool {
	return c.median("last") <= c.factor*c.median("middle")+c.slack // false for NaN
}

func (g growth) judge(t *testing.T) {
	t.Helper()
	for _, c := range g.columns {
		if !c.flat() {
			t.Errorf("%s: grew from %.1f in the middle third to %.1f in the last", c.name, c.median("middle"), c.median("last"))
		}
	}
}

func TestGrowthIsSeen(t *testing.T) {
	line := func(each float64) (figures []float64) {
		for i := range 90 {
			figures = append(figures, 100+each*float64(i))
		}
		return figures
	}
	away := math.NaN()
	tests := []struct {
		name    string
		figures []float64
		flat    bool
	}{
		{"constant", line(0), true},
		{"grows by a third of itself", line(1.2), false},
		{"grows slowly", line(0.3), true},
		{"shrinks", line(-1), true},
		{"grows at first", slices.Concat(line(3)[:30], slices.Repeat([]float64{190}, 60)), true},
		{"stands out now and then", slices.Concat(slices.Repeat([]float64{100}, 85), slices.Repeat([]float64{900}, 5)), true},
		{"cannot be read now and then", slices.Repeat([]float64{100, away, 100}, 30), true},
		{"cannot be read in the end", slices.Concat(line(0)[:60], slices.Repeat([]float64{away}, 30)), false},
		{"never read", nil, false},
	}
	for _, tt := range tests {
		c := column{factor: 1.1, slack: 5, figures: tt.figures}
		if c.flat() != tt.flat {
			t.Errorf("%s: flat is %v, from %.0f to %.0f", tt.name, c.flat(), c.median("middle"), c.median("last"))
		}
	}
}
