package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// bodyBytes is the size of a payload.
const bodyBytes = 350

// subject is one kind of event of one brand, and where it goes.
type subject struct {
	Brand, Kind string
	// Endpoints are the receiver's numbers of them, URLs where they are.
	Endpoints []int
	URLs      []string
}

// road is a way for an event to get to a receiver.
type road string

// The roads. Those of outhook are ways to publish.
const (
	roadRaw    road = "raw"
	roadPlain  road = "plain"
	roadGo     road = "go"
	roadBatch  road = "batch"
	roadSingle road = "single"
)

// load is what a publisher is to do.
type load struct {
	Road road
	// First is the number of the first event of Events.
	First, Events int
	// Rate is per second; 0 is as fast as it goes, with so many Workers that publish Batch events at a time.
	Rate, Workers, Batch int
	// Within bounds it: what is not published then is left out.
	Within time.Duration
	// Brands are the subjects by brand.
	Brands [][]subject
	Body   []byte
	// Server and Key are of the API, Redis and Pool are for the plain program.
	Server, Key string
	Redis       string
	Pool        int
	// Patient tries what is refused again until Within is over.
	Patient bool
	// Timed asks for the time at which each call began.
	Timed bool
}

// event is one to publish.
type event struct {
	number int
	subject
}

func (e event) id() string { return fmt.Sprint("e", e.number) }

// batch returns the n-th one: its events are of one brand.
func (l load) batch(n int) []event {
	brand := l.Brands[n%len(l.Brands)]
	events := make([]event, min(l.Batch, l.Events-n*l.Batch))
	for i := range events {
		events[i] = event{number: l.First + n*l.Batch + i, subject: brand[(n/len(l.Brands)+i)%len(brand)]}
	}
	return events
}

func (l load) batches() int { return (l.Events + l.Batch - 1) / l.Batch }

// deliveries is how many arrivals the load makes, but for those at the endpoints left out.
func (l load) deliveries(leftOut []int) int {
	n := 0
	for i := range l.batches() {
		for _, e := range l.batch(i) {
			for _, endpoint := range e.Endpoints {
				if !slices.Contains(leftOut, endpoint) {
					n++
				}
			}
		}
	}
	return n
}

// bodyOf pads an example of the catalogue to its size.
func bodyOf(example []byte) []byte {
	open, _ := strings.CutSuffix(strings.TrimSpace(string(example)), "}")
	padding := bodyBytes - len(open) - len(`,"note":""}`)
	return fmt.Appendf(nil, `%s,"note":"%s"}`, open, strings.Repeat("x", max(0, padding)))
}
