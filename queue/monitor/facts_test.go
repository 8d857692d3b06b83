package monitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
	"go.smobi.com/outhook/queue/monitor"
)

// ledger knows some things of events and endpoints, and how often it was asked of how many.
type ledger struct {
	err              error
	events, endpoint []int
	opens            time.Time
}

func (l *ledger) typesOf(_ context.Context, refs []webhook.EventRef) ([]string, error) {
	l.events = append(l.events, len(refs))
	types := make([]string, len(refs))
	for i, ref := range refs {
		if ref.ID != "evt_gone" {
			types[i] = "type.of." + ref.ID
		}
	}
	return types, l.err
}

func (l *ledger) health(_ context.Context, refs []webhook.EndpointRef) ([]webhook.Health, error) {
	l.endpoint = append(l.endpoint, len(refs))
	all := make([]webhook.Health, len(refs))
	for i, ref := range refs {
		all[i] = webhook.Health{Waiting: len(ref.ID), WaitingFor: webhook.GateRetryAfter, WaitingUntil: l.opens}
	}
	return all, l.err
}

func (l *ledger) config(rdb redis.UniversalClient) monitor.Config {
	return monitor.Config{Redis: rdb, TypesOf: l.typesOf, Health: l.health}
}

func newLedger() *ledger { return &ledger{opens: time.Date(2100, 1, 2, 3, 4, 5, 678e6, time.UTC)} }

func enqueue(t *testing.T, rdb redis.UniversalClient, runs ...webhook.Run) *queue.Queue {
	t.Helper()
	q, err := queue.Open(queue.Config{Redis: rdb, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Enqueue(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	return q
}

func runOf(event, endpoint string) webhook.Run {
	return webhook.Run{DeliveryRef: webhook.DeliveryRef{Brand: "acme", EventID: event, EndpointID: endpoint}, Number: 1, Queue: "live-0"}
}

func TestTasksShowWhatTheLedgerKnows(t *testing.T) {
	rdb, l := connect(t), newLedger()
	q := enqueue(t, rdb, runOf("evt_1", "ep_1"), runOf("evt_gone", "ep_22"))
	wake := webhook.Wakeup{Endpoint: webhook.EndpointRef{Brand: "acme", ID: "ep_333"}, Gate: webhook.GateBreaker, At: time.Now().Add(time.Hour), Waiting: 99}
	if err := q.Schedule(t.Context(), wake); err != nil {
		t.Fatal(err)
	}
	d := desk{site: serve(t, l.config(rdb)), redis: rdb, queue: q}
	const of1 = `brand     acme
event     evt_1
type      type.of.evt_1
endpoint  ep_1
run       1
waiting   4
gate      retryAfter
until     2100-01-02T03:04:05.678Z
explain   outhook event explain --brand acme \
            evt_1`
	const ofGone = `brand     acme
event     evt_gone
endpoint  ep_22
run       1
waiting   5
gate      retryAfter
until     2100-01-02T03:04:05.678Z
explain   outhook event explain --brand acme \
            evt_gone`
	if got := d.listed("pending"); !slices.Equal(got, []string{of1, ofGone}) {
		t.Errorf("shown as\n%s", strings.Join(got, "\n\n"))
	}
	const ofWake = `brand     acme
endpoint  ep_333
waiting   6
gate      retryAfter
until     2100-01-02T03:04:05.678Z
explain   outhook endpoint get --brand acme \
            ep_333`
	if got := d.listed("scheduled"); !slices.Equal(got, []string{ofWake}) { // what waits now, not what waited when it was made
		t.Errorf("shown as %q", got)
	}
	l.err = errors.New("away")
	want := []string{without(of1, "type", "waiting", "gate", "until"), without(ofGone, "waiting", "gate", "until")}
	if got := d.listed("pending"); !slices.Equal(got, want) {
		t.Errorf("without the ledger shown as %q, want %q", got, want)
	}
	if got := d.listed("scheduled"); len(got) != 1 || !strings.Contains(got[0], "waiting   99\ngate      breaker\n") {
		t.Errorf("without the ledger shown as %q", got)
	}
}

// without returns a text without the lines of some names.
func without(text string, names ...string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		name, _, _ := strings.Cut(line, " ")
		return slices.Contains(names, name)
	})
	return strings.Join(lines, "\n")
}

// A page asks once about all that it lists, and about no more than 500.
func TestLedgerIsAskedOnceAPage(t *testing.T) {
	rdb, l := connect(t), newLedger()
	var runs []webhook.Run
	for i := range 600 {
		runs = append(runs, runOf(fmt.Sprintf("evt_%d", i), fmt.Sprintf("ep_%d", i%3)))
	}
	enqueue(t, rdb, runs...)
	s := serve(t, l.config(rdb))
	for size, asked := range map[int]int{100: 100, 600: 500} {
		l.events, l.endpoint = nil, nil
		_, body := s.do("GET", fmt.Sprintf("%spending_tasks?size=%d", tasks, size))
		if !slices.Equal(l.events, []int{asked}) || !slices.Equal(l.endpoint, []int{3}) {
			t.Errorf("%d tasks: asked about %v events and %v endpoints", size, l.events, l.endpoint)
		}
		if n := strings.Count(body, "type.of."); n != asked || strings.Count(body, `waiting   4\n`) != size {
			t.Errorf("%d tasks: %d types", size, n)
		}
	}
	l.events = nil
	s.do("GET", "/asynqmon/api/queues")
	if len(l.events) > 0 {
		t.Error("asked about nothing")
	}
}

// The page of servers shows what their workers do.
func TestWorkersShowTheirTasks(t *testing.T) {
	onEveryDesk(t, func(_ *testing.T, d desk) {
		began, end := make(chan bool), make(chan bool)
		do, _ := repeating()
		do.Deliver = func(context.Context, webhook.Run) error {
			began <- true
			<-end
			return nil
		}
		d.work(do)
		d.enqueue()
		<-began
		defer close(end)
		var shown string
		d.eventually("a worker with a task", func() bool {
			_, body := d.do("GET", "/asynqmon/api/servers")
			var page struct {
				Servers []struct {
					Workers []struct {
						Payload string `json:"task_payload"`
					} `json:"active_workers"`
				}
			}
			if err := json.Unmarshal([]byte(body), &page); err != nil {
				d.t.Fatal(err)
			}
			for _, server := range page.Servers {
				for _, worker := range server.Workers {
					shown = worker.Payload
				}
			}
			return shown != ""
		})
		if !strings.HasPrefix(shown, "brand     acme\nevent     evt_1\nendpoint  ep_1\nrun       1\n") {
			d.t.Errorf("shown as %q", shown)
		}
	})
}
