package bench

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Scenario is one thing to measure.
type Scenario struct {
	// Name is what it is asked for by, Text one line on it.
	Name, Text string
	// Quick says that it is measured unless others are asked for.
	Quick  bool
	groups func(b *bench) []*group
}

// Scenarios returns all there are.
func Scenarios() []Scenario {
	return []Scenario{
		{"throughput", "deliveries a second, CPU and memory: one endpoint, and 10 brands with 10 endpoints", true, throughput},
		{"latency", "from publishing to the arrival, at 100 and 1,000 events a second", true, latency},
		{"isolation", "the latency of nine endpoints while a tenth hangs", false, isolation},
		{"flood", "the latency of a brand while another publishes a great many events at once", false, flood},
		{"fan-out", "events that go to 1, 10 and 100 endpoints", false, fanout},
		{"memory", "what a delivery takes in Redis, and a worker with all it may have in flight", false, memory},
		{"rtt", "throughput when Redis is 1 ms away", false, roundTrips},
		{"growth", "how the cost grows with deliveries in flight, endpoints, backlog, shards and workers", false, growth},
		{"scale", "worker processes on one Redis and on a Cluster, some killed under load, and many of them idle", false, scale},
		{"idle", "what is used when there is nothing to do", false, idle},
	}
}

// quick are the names of those that are.
func quick() []string {
	var names []string
	for _, s := range Scenarios() {
		if s.Quick {
			names = append(names, s.Name)
		}
	}
	return names
}

func known(name string) bool {
	return slices.ContainsFunc(Scenarios(), func(s Scenario) bool { return s.Name == name })
}

func nameList() string {
	var names []string
	for _, s := range Scenarios() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// group is one table on its way.
type group struct {
	Group
	// runs measure once, one function a row.
	runs []func(ctx context.Context) (metrics, error)
	// most bounds the repetitions; 0 does not.
	most int
	// last is how long the latest run of each row took.
	last []time.Duration
}

func newGroup(scenario, title string, columns ...column) *group {
	return &group{Group: Group{Scenario: scenario, Title: title, columns: columns}}
}

func (g *group) add(name string, run func(ctx context.Context) (metrics, error)) {
	g.Rows = append(g.Rows, Row{Name: name, Runs: []metrics{}})
	g.runs, g.last = append(g.runs, run), append(g.last, 0)
}

// measure makes each measurement once, then again: what changes on the machine meanwhile changes all alike.
func (b *bench) measure(ctx context.Context, groups []*group) error {
	total, done := 0, 0
	for _, g := range groups {
		total += len(g.runs) * g.repeat(b.cfg.Repeat)
	}
	for round := range b.cfg.Repeat {
		for _, g := range groups {
			if round >= g.repeat(b.cfg.Repeat) {
				continue
			}
			for i := range g.runs {
				row := (i + round) % len(g.runs) // none always has the same before it
				b.cfg.Progress(done, total, g.Scenario+", "+g.Title+": "+rowText(g.Rows[row].Name))
				if err := b.once(ctx, g, row); err != nil {
					return err
				}
				done++
			}
		}
	}
	b.cfg.Progress(total, total, "done")
	if b.leftOut > 0 {
		b.note("%d of %d measurements were left out: %s were over", b.leftOut, total, b.cfg.For)
	}
	for _, g := range groups {
		g.sumUp()
		b.report.Groups = append(b.report.Groups, g.Group)
	}
	return nil
}

func (g *group) repeat(asked int) int {
	if g.most > 0 {
		return min(g.most, asked)
	}
	return asked
}

func (b *bench) groups() []*group {
	var all []*group
	for _, s := range Scenarios() {
		if slices.Contains(b.cfg.Scenarios, s.Name) {
			all = append(all, s.groups(b)...)
		}
	}
	return all
}

// once makes one measurement, unless there is no time for it.
func (b *bench) once(ctx context.Context, g *group, row int) error {
	if time.Now().Add(g.last[row]).After(b.deadline) {
		b.leftOut++
		return nil
	}
	began := time.Now()
	m, err := g.runs[row](ctx)
	g.last[row] = time.Since(began)
	if err == nil && m != nil {
		g.Rows[row].Runs = append(g.Rows[row].Runs, m)
	}
	return err
}

// rowText is a row's name as people read it.
func rowText(name string) string {
	switch road(name) {
	case roadRaw:
		return "(a) raw HTTP"
	case roadPlain:
		return "(b) plain Asynq"
	case roadGo:
		return "(c) outhook, Go API"
	case roadBatch:
		return "(d) outhook, batch route"
	case roadSingle:
		return "(e) outhook, single route"
	}
	return name
}
