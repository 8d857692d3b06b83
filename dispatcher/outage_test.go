package dispatcher_test

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// outage is a brand whose endpoints are all down, and then back.
type outage struct {
	*testing.T
	d         *dispatchertest.Dispatcher // does not run: others do the work
	server    *redistest.Server
	b         *books
	away      elsewhere
	accounts  []*account
	perSecond float64
	began     time.Time
	pace      []progress
}

// roomy has a process collect its garbage about as seldom as outhook serve does.
const roomy = "GOGC=400"

// TestOutageRehearsed lets the deliveries of many endpoints fail and die, and recovers them when their receivers are
// back, while workers are killed: one of them between taking up deliveries and handing them to the queue. The accounts of the
// jobs, and the receivers' own, add up to the last delivery. Beside it there is live traffic of another brand.
func TestOutageRehearsed(t *testing.T) {
	t.Parallel()
	endpoints, events := either(20, 3), either(eventsEach(), 40)
	o := &outage{T: t, server: redistest.Start(t, "--appendonly", "yes"), b: newBooks(), began: time.Now().Add(-time.Second)}
	o.perSecond = float64(either(perSecond(), 200))
	warm(t, o.server)
	if isLong() {
		defer debug.SetGCPercent(debug.SetGCPercent(400)) // the publisher's, as roomy
	}
	o.d = onServer(t, o.server)
	o.d.Stop()
	o.away = startElsewhere(t, endpoints)
	for _, address := range o.away.addresses {
		o.accounts = append(o.accounts, o.away.endpoint(t, o.b, o.d, "acme", address))
	}
	o.b.endpoint(t, o.d, "live", nil)
	o.die(events)
	without := o.live(either(20*time.Second, time.Second), "without", nil)
	o.away.recover(t)
	jobs := o.recover(events)
	with := o.live(5*time.Minute, "with", func() bool { return o.sent(jobs) })
	t.Logf("live traffic, publish to 2xx: p50 %s, p99 %s; beside the recovery p50 %s, p99 %s", percentile(without, 0.5), percentile(without, 0.99),
		percentile(with, 0.5), percentile(with, 0.99))
	t.Logf("while all jobs ran, %.0f deliveries a second were recovered, of %.0f asked for", o.rate(), o.perSecond)
	o.balance(jobs, events)
	o.away.enter(t, o.accounts)
	o.b.balance(t, o.d, 2*dispatchertest.Patience)
}

// eventsEach is how many there are for each endpoint, perSecond how many deliveries a second are recovered in all.
func eventsEach() int { return number("OUTHOOK_TEST_EVENTS", 5000) }
func perSecond() int  { return number("OUTHOOK_TEST_PER_SECOND", 2000) }

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// die publishes and waits until everything is dead. Its workers are killed then.
func (o *outage) die(events int) {
	o.Helper()
	first, second := child(o.T, "work", o.server.URL(), childAttempts+"=1"), child(o.T, "work", o.server.URL(), childAttempts+"=1")
	for batch := range slices.Chunk(numbered("e", events), 100) {
		all := make([]webhook.Event, len(batch))
		for i, id := range batch {
			all[i] = eventOf("acme", id)
		}
		results, err := o.d.PublishBatch(o.Context(), all)
		if err != nil {
			o.Fatal(err)
		}
		for i, result := range results {
			if result.Err != nil {
				o.Fatal(result.Err)
			}
			o.b.accept(all[i].Ref())
		}
	}
	began, want := time.Now(), events*len(o.accounts)
	for dead := 0; dead < want; time.Sleep(500 * time.Millisecond) {
		var err error
		if dead, err = o.d.CountJob(o.Context(), webhook.JobSpec{Kind: webhook.JobDelete, Brand: "acme"}); err != nil {
			o.Fatal(err)
		}
		if time.Since(began) > 10*time.Minute {
			o.Fatalf("%d of %d are dead", dead, want)
		}
	}
	o.Logf("%d deliveries died within %s", want, time.Since(began).Round(time.Second))
	kill(o.T, first)
	kill(o.T, second)
}

// recover starts a job for each endpoint; the first two workers on it are killed.
func (o *outage) recover(events int) []string {
	o.Helper()
	var ids []string
	for _, a := range o.accounts {
		spec := webhook.JobSpec{
			Kind: webhook.JobRecover, Brand: "acme", EndpointID: a.Endpoint.ID, Span: webhook.Span{Since: o.began},
			PerSecond: o.perSecond / float64(len(o.accounts)),
		}
		if n, err := o.d.CountJob(o.Context(), spec); err != nil || n != events {
			o.Fatalf("the dry run counts %d of %d, %v", n, events, err)
		}
		j, err := o.d.StartJob(o.Context(), spec)
		if err != nil {
			o.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	awaitKilled(o.T, child(o.T, "work", o.server.URL(), fmt.Sprintf("%s=after reopen %d", childPoint, either(120, 5)))) // nothing of that step is handed over
	second := child(o.T, "work", o.server.URL())
	before := o.matched(ids)
	dispatchertest.Eventually(o.T, func() bool { return o.matched(ids) > before })
	kill(o.T, second)
	// As the README has it for much that is sent once more beside live traffic: processes of their own, behind all others.
	child(o.T, "work", o.server.URL(), roomy, childLane+"=live")
	lowly(o.T, "work", o.server.URL(), roomy, childLane+"=bulk")
	lowly(o.T, "work", o.server.URL(), roomy, childLane+"=bulk") // one of them works ten of a brand's jobs
	return ids
}

func (o *outage) jobs(ids []string) (all []webhook.Job) {
	o.Helper()
	for _, id := range ids {
		j, err := o.d.Job(o.Context(), id)
		if err != nil {
			o.Fatal(err)
		}
		all = append(all, j)
	}
	return all
}

func (o *outage) matched(ids []string) (n int) {
	for _, j := range o.jobs(ids) {
		n += j.Matched
	}
	return n
}

// sent tells whether all jobs have sent what they matched, and notes how far they are.
func (o *outage) sent(ids []string) bool {
	jobs := o.jobs(ids)
	p := progress{at: time.Now(), each: make([]int, len(jobs)), all: !slices.ContainsFunc(jobs, ended)}
	for i, j := range jobs {
		p.each[i] = j.Delivered
		p.delivered += j.Delivered
	}
	o.pace = append(o.pace, p)
	return !slices.ContainsFunc(jobs, func(j webhook.Job) bool { return !ended(j) })
}

func ended(j webhook.Job) bool { return j.State != webhook.JobRunning }

// progress is how much of each job was delivered by a time, and whether all of them ran still.
type progress struct {
	at        time.Time
	each      []int
	delivered int
	all       bool
}

// beyond tells whether each of the jobs is further than at an earlier time.
func (p progress) beyond(before progress) bool {
	for i, n := range p.each {
		if n == before.each[i] {
			return false
		}
	}
	return true
}

// rate is how many deliveries a second were recovered while all jobs ran: from when each of them had got on, beside the live
// traffic, to the end of the first. 0: they never all ran.
func (o *outage) rate() float64 {
	var from, to *progress
	for i := range o.pace {
		p := &o.pace[i]
		if !p.all {
			break
		}
		if to = p; from == nil && p.beyond(o.pace[0]) {
			from = p
		}
	}
	if from == nil || to == from {
		return 0
	}
	return float64(to.delivered-from.delivered) / to.at.Sub(from.at).Seconds()
}

// live publishes for a while, or until over, and answers how long each took to its 2xx.
func (o *outage) live(most time.Duration, prefix string, over func() bool) []time.Duration {
	o.Helper()
	ctx, end := context.WithTimeout(o.Context(), most)
	defer end()
	var watching sync.WaitGroup
	if over == nil {
		first := child(o.T, "work", o.server.URL(), roomy)
		defer kill(o.T, first)
	} else {
		watching.Go(func() {
			for ctx.Err() == nil && !over() {
				time.Sleep(500 * time.Millisecond)
			}
			end()
		})
	}
	accepted := map[string]time.Time{}
	var mu sync.Mutex
	var open sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(either(200, 50)))
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		<-tick.C
		open.Go(func() {
			e := eventOf("live", fmt.Sprintf("%s-%06d", prefix, i))
			at := time.Now()
			if err := o.b.publish(o.Context(), o.d, e); err != nil {
				o.Errorf("%s was not accepted: %v", e.ID, err)
			}
			mu.Lock()
			defer mu.Unlock()
			accepted[e.ID] = at
		})
	}
	open.Wait()
	watching.Wait()
	a := o.b.accounts[len(o.b.accounts)-1]
	var took []time.Duration
	for id, at := range accepted {
		dispatchertest.Eventually(o.T, func() bool { return len(a.of(id)) > 0 })
		took = append(took, a.of(id)[0].at.Sub(at))
	}
	slices.Sort(took)
	return took
}

// balance holds the accounts of the jobs against what the receivers answered.
func (o *outage) balance(ids []string, events int) {
	o.Helper()
	var sum webhook.Account
	dispatchertest.Eventually(o.T, func() bool {
		sum = webhook.Account{}
		for _, j := range o.jobs(ids) {
			sum.Matched, sum.Sent, sum.Delivered = sum.Matched+j.Matched, sum.Sent+j.Sent, sum.Delivered+j.Delivered
			sum.Dead, sum.Skipped, sum.Open = sum.Dead+j.Dead, sum.Skipped+j.Skipped, sum.Open+j.Open
		}
		return sum.Open == 0
	})
	n := events * len(o.accounts)
	o.Logf("account of %d jobs: %+v", len(ids), sum)
	if want := (webhook.Account{Matched: n, Sent: n, Delivered: n}); sum != want {
		o.Errorf("account %+v, want %+v", sum, want)
	}
}
