package bench

import (
	"context"
	"time"
)

// Losing has every so manieth arrival answered by the receiver, but not counted.
func (c Config) Losing(every int) Config {
	c.manners.Lose = every
	return c
}

// InFlight has a worker hold so many for its memory to be looked at.
func (c Config) InFlight(n int) Config {
	c.inFlight = n
	return c
}

// Largest has nothing grow beyond n.
func (c Config) Largest(n int) Config {
	c.largest = n
	return c
}

// Creating bounds how long endpoints may take to be created.
func (c Config) Creating(within time.Duration) Config {
	c.creating = within
	return c
}

// RunGroup measures one table of a scenario.
func RunGroup(ctx context.Context, cfg Config, scenario string, table int) (Report, error) {
	cfg.Scenarios = []string{scenario}
	return runGroups(ctx, cfg.WithDefaults(), func(b *bench) []*group { return b.groups()[table : table+1] })
}

// RunFlatOut measures one road of throughput, with one endpoint.
func RunFlatOut(ctx context.Context, cfg Config, name string) (Report, error) {
	return runGroups(ctx, cfg.WithDefaults(), func(b *bench) []*group {
		g := newGroup("throughput", "1 endpoint", throughputColumns...)
		b.addFlatOut(g, road(name), oneEndpoint(), b.cfg.Events)
		return []*group{g}
	})
}

// NewReport sums up figures of rows by name: the rate of each run.
func NewReport(rates map[string][]float64, order ...string) Report {
	g := newGroup("throughput", "1 endpoint",
		column{metric: "perSecond", head: "deliveries/s"},
		column{metric: "perSecond", head: "x plain", decimals: 2, against: roadPlain},
		column{metric: "cpuApi", head: "api", decimals: 3})
	for _, name := range order {
		g.add(name, nil)
		for _, rate := range rates[name] {
			g.Rows[len(g.Rows)-1].Runs = append(g.Rows[len(g.Rows)-1].Runs, metrics{"perSecond": rate})
		}
	}
	g.sumUp()
	return Report{
		Machine: Machine{Cores: 2, Model: "A Model", OS: "linux/amd64", Go: "go1.26", Redis: "Redis 7.0.15 (AOF everysec)", Load: 0.5},
		Repeat:  3, Seconds: 1.5, Groups: []Group{g.Group}, Wrong: []string{}, Notes: []string{},
	}
}

// Median is that of values.
func Median(values ...float64) (float64, bool) { return median(values) }

// Quantile is that of sorted times.
func Quantile(share float64, sorted ...time.Duration) time.Duration { return quantile(sorted, share) }

// Deliveries lists brand, kind and endpoint of each delivery that a load makes.
func Deliveries(brands, kinds, fanout, events, batch int) (all []Planned, counted int) {
	l := layout{Brands: brands, Kinds: kinds, Fanout: fanout}
	load := load{Events: events, Batch: batch, Brands: l.subjects(make([]string, brands))}
	for n := range load.batches() {
		for _, e := range load.batch(n) {
			for _, endpoint := range e.Endpoints {
				all = append(all, Planned{Batch: n, Event: e.number, Brand: e.Brand, Endpoint: endpoint})
			}
		}
	}
	return all, load.deliveries(nil)
}

// Scattered is how many endpoints growth makes where it wants n, of the brands and kinds.
func Scattered(n int) (endpoints, brands, kinds int) {
	l := endpointsLayout(n)
	return l.Brands * l.Kinds * l.Fanout, l.Brands, l.Kinds
}

// PartOf names the queues of the i-th of n worker processes.
func PartOf(i, n int) string { return partOf(i, n) }

// Planned is one delivery of a load.
type Planned struct {
	Batch, Event int
	Brand        string
	Endpoint     int
}

// Body pads an example.
func Body(example string) []byte { return bodyOf([]byte(example)) }

// Delay is a network of a longer round trip.
type Delay struct{ *delay }

// StartDelay forwards to target.
func StartDelay(ctx context.Context, target string, roundTrip time.Duration) (Delay, error) {
	d, err := startDelay(ctx, target, roundTrip)
	return Delay{d}, err
}

// Addr is where it listens.
func (d Delay) Addr() string { return d.addr() }

// End ends it.
func (d Delay) End() { d.end() }

// Commands are the names of commandstats, the costliest first.
func Commands(info map[string]string) []string {
	var names []string
	for _, c := range commandsOf(info) {
		names = append(names, c.name)
	}
	return names
}
