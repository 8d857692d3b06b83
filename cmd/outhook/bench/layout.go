package bench

import (
	"fmt"
	"time"
)

// layout is who gets what, and how far away Redis is.
type layout struct {
	// Brands have Kinds of events each, and each kind goes to Fanout endpoints.
	Brands, Kinds, Fanout int
	// Connections is how many requests outhook would have in flight at most.
	Connections int
	// RTT is what a round trip to Redis takes longer than it would.
	RTT time.Duration
	// Later has nothing delivered until the worker is started.
	Later bool
	// Workers is how many worker processes outhook has; 0 is one. With Parted each works its part of the queues only.
	Workers int
	Parted  bool
	// Cluster has three masters instead of one Redis. With Replicas each has one, the first two.
	Cluster, Replicas bool
	// Env is what outhook has configured otherwise than all have it, as variables.
	Env []string
	// ByQueue counts what is open in the queues: asking each of a great many endpoints would be most of the work.
	ByQueue bool
}

// What outhook has in flight at most: for one endpoint, and in one process.
const (
	mostOfOne = 256
	mostOfAll = 1024
)

func oneEndpoint() layout { return layout{Brands: 1, Kinds: 1, Fanout: 1, Connections: mostOfOne} }

// manyEndpoints has 100: each event goes to one of them.
func manyEndpoints() layout { return layout{Brands: 10, Kinds: 10, Fanout: 1, Connections: mostOfAll} }

// subjects numbers the endpoints; each brand has its own of the URLs.
func (l layout) subjects(urls []string) [][]subject {
	brands, n := make([][]subject, l.Brands), 0
	for b := range brands {
		for k := range l.Kinds {
			one := subject{Brand: fmt.Sprint("b", b), Kind: kindName(k)}
			for range l.Fanout {
				one.Endpoints, one.URLs = append(one.Endpoints, n), append(one.URLs, fmt.Sprint(urls[b], "/", n))
				n++
			}
			brands[b] = append(brands[b], one)
		}
	}
	return brands
}

func endpointID(number int) string { return fmt.Sprint("ep", number) }

func namesOf(brands [][]subject) []string {
	names := make([]string, len(brands))
	for i, b := range brands {
		names[i] = b[0].Brand
	}
	return names
}
