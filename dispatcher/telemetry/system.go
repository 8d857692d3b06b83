package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// System is how all processes together stand.
type System struct {
	// Workers counts the processes that deliver.
	Workers int
	// Queues are the Asynq queues.
	Queues []QueueLength
	// Runnable is how long the first of the live deliveries that may run has waited for a worker; 0 when none waits.
	Runnable time.Duration
	// Memory is the share of its maxmemory that the fullest server of Redis uses; negative when none has a limit.
	Memory float64
	// Ledger is how what is open stands; nil until it was counted for the first time.
	Ledger *Ledger
}

// QueueLength is how many tasks of a queue wait for a worker.
type QueueLength struct {
	// Lane is "live" or "bulk", Shard its number.
	Lane           string
	Shard, Pending int
}

// Ledger is how the open deliveries of all endpoints stand.
type Ledger struct {
	// Open are all, Waiting those that are in the line of their endpoint.
	Open, Waiting int
	// Oldest is the age of the oldest; 0 when nothing is open.
	Oldest time.Duration
	// Breakers counts the endpoints with open deliveries whose breaker is open.
	Breakers int
}

// systemMetrics are exported by one process only, so that those of many do not add up.
type systemMetrics struct {
	look                                                                func() (System, bool)
	open, waiting, oldest, runnable, pending, breakers, workers, memory *prometheus.Desc
}

func newSystemMetrics(look func() (System, bool)) systemMetrics {
	return systemMetrics{
		look:     look,
		open:     describe("deliveries_open", "Deliveries that are not ended, of all endpoints."),
		waiting:  describe("deliveries_waiting", "Those of them that wait in the line of their endpoint."),
		oldest:   describe("oldest_open_delivery_age_seconds", "Age of the delivery that is open longest."),
		runnable: describe("oldest_runnable_delivery_age_seconds", "How long the first live delivery that may run has waited for a worker."),
		pending:  describe("queue_pending", "Tasks that wait for a worker, by queue.", "lane", "shard"),
		breakers: describe("breakers_open", "Endpoints with open deliveries whose breaker is open."),
		workers:  describe("workers", "Processes that deliver."),
		memory:   describe("redis_memory_used_ratio", "Share of its maxmemory that the fullest server of Redis uses."),
	}
}

func (s systemMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.open, s.waiting, s.oldest, s.runnable, s.pending, s.breakers, s.workers, s.memory} {
		to <- d
	}
}

func (s systemMetrics) Collect(to chan<- prometheus.Metric) {
	now, ours := s.look()
	if !ours {
		return
	}
	to <- gauge(s.workers, float64(now.Workers))
	to <- gauge(s.runnable, now.Runnable.Seconds())
	for _, q := range now.Queues {
		to <- gauge(s.pending, float64(q.Pending), q.Lane, strconv.Itoa(q.Shard))
	}
	if now.Memory >= 0 {
		to <- gauge(s.memory, now.Memory)
	}
	if l := now.Ledger; l != nil {
		to <- gauge(s.open, float64(l.Open))
		to <- gauge(s.waiting, float64(l.Waiting))
		to <- gauge(s.oldest, l.Oldest.Seconds())
		to <- gauge(s.breakers, float64(l.Breakers))
	}
}
