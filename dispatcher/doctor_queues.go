package dispatcher

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/queue"
)

const (
	// waitsLong is how long what may run may wait for a worker before somebody should look, waitsTooLong when it is trouble.
	waitsLong    = 10 * time.Second
	waitsTooLong = time.Minute
)

// takeCensus counts, for all checks about queues.
func (v *visit) takeCensus(ctx context.Context) error {
	census, err := v.d.doctor.queue.Census(ctx)
	if err == nil {
		v.census = &census
	}
	return err
}

// workers looks whether there is somebody to work every queue.
func (v *visit) workers(ctx context.Context) error {
	const check = "workers"
	if err := v.takeCensus(ctx); err != nil {
		return err
	}
	const advice = "start one: outhook serve --role worker; queue.serve names the queues that a process works, and all when it is left out"
	var idle, left []string
	tasks, jobs := 0, false
	for _, s := range v.census.Queues {
		tasks += s.Tasks()
		jobs = jobs || s.Workers > 0 && queue.WorksReplays([]string{s.Name})
		switch {
		case s.Beyond || s.Workers > 0:
		case s.Tasks() > 0:
			left = append(left, fmt.Sprintf("%s (%s)", s.Name, counted(s.Tasks(), "task")))
		default:
			idle = append(idle, s.Name)
		}
	}
	switch {
	case v.census.Workers == 0 && tasks > 0:
		v.bad(check, fmt.Sprintf("none runs: nothing is delivered, and %s", wait(tasks, "task")), advice)
	case v.census.Workers == 0:
		v.warn(check, "none runs: nothing is delivered", advice)
	case len(left) > 0:
		v.bad(check, "no worker works these queues, which hold tasks: "+named(left), advice)
	case !jobs:
		v.bad(check, "no worker works a queue of replays: what jobs resend, recover, delete and erase waits", advice)
	case len(idle) > 0:
		v.warn(check, "no worker works these queues: "+named(idle), advice)
	default:
		v.ok(check, fmt.Sprintf("%s, every queue is worked", processes(v.census.Workers)))
	}
	return nil
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

// wait is so many of something that wait.
func wait(n int, one string) string {
	if n == 1 {
		return "1 " + one + " waits"
	}
	return counted(n, one) + " wait"
}

// queues looks for tasks that nobody will run.
func (v *visit) queues(context.Context) error {
	const check = "queues"
	if v.census == nil {
		return nil
	}
	before := len(v.findings)
	var paused []queue.Standing
	var archived []string
	for _, s := range v.census.Queues {
		if s.Beyond {
			v.beyond(s)
		}
		if s.Paused {
			paused = append(paused, s)
		}
		if s.Archived > 0 {
			archived = append(archived, fmt.Sprintf("%s (%d)", s.Name, s.Archived))
		}
	}
	v.paused(paused)
	if len(archived) > 0 {
		v.warn(check, "archived tasks, which nobody runs: "+named(archived)+". They could not be read, or somebody archived them",
			"look at them in asynqmon (/asynqmon/), and delete them there: no delivery waits for them, what was lost with one has a new one")
	}
	if len(v.findings) > before {
		return nil
	}
	pending, active, later := 0, 0, 0
	for _, s := range v.census.Queues {
		pending, active, later = pending+s.Pending, active+s.Active, later+s.Scheduled+s.Retry
	}
	text := fmt.Sprintf("%s pending, %d active, %d for later", counted(pending, "task"), active, later)
	if v.census.Others > 0 {
		text += fmt.Sprintf("; %s of other programs in the same redis", counted(v.census.Others, "queue"))
	}
	v.ok(check, text)
	return nil
}

// beyond looks at a queue that queue.shards does not have.
func (v *visit) beyond(s queue.Standing) {
	_, number, _ := strings.Cut(s.Name, "-")
	shard, _ := strconv.Atoi(number)
	here := fmt.Sprintf("queue.shards of this configuration, %d", v.d.doctor.queue.Shards())
	switch {
	case s.Workers > 0:
		v.warn("queues", fmt.Sprintf("a worker works %s, which is beyond %s: daemons differ, or this is not the daemon's configuration", s.Name, here),
			"give every daemon the same queue.shards, the larger one")
	case s.Tasks() > 0:
		v.bad("queues", fmt.Sprintf("%s holds %s and is beyond %s: nobody runs them", s.Name, counted(s.Tasks(), "task"), here),
			fmt.Sprintf("set queue.shards to %d or more in every daemon; it may only be raised while deliveries are open", shard+1))
	}
}

func (v *visit) paused(all []queue.Standing) {
	if len(all) == 0 {
		return
	}
	tasks := 0
	var names, keys []string
	for _, s := range all {
		tasks += s.Tasks() - s.Active
		names, keys = append(names, s.Name), append(keys, "'"+queue.PausedKey(s.Name)+"'")
	}
	text := "paused, so that nothing of it is begun: " + named(names)
	advice := "resume in asynqmon (/asynqmon/), or: redis-cli DEL " + strings.Join(keys, " ")
	if tasks == 0 {
		v.warn("queues", text, advice)
		return
	}
	v.bad("queues", fmt.Sprintf("%s; %s there", text, wait(tasks, "task")), advice)
}

// oldestRunnable tells how long what may run waits for a worker.
func (v *visit) oldestRunnable(context.Context) error {
	const check = "oldest runnable"
	if v.census == nil {
		return nil
	}
	var oldest queue.Standing
	pending := 0
	for _, s := range v.census.Queues {
		pending += s.Pending
		if at := s.OldestPending; !at.IsZero() && (oldest.OldestPending.IsZero() || at.Before(oldest.OldestPending)) {
			oldest = s
		}
	}
	if oldest.OldestPending.IsZero() {
		v.ok(check, "none waits for a worker")
		return nil
	}
	age := max(0, v.now.Sub(oldest.OldestPending))
	text := fmt.Sprintf("waits for a worker for %s, in %s; %s pending in all queues", roughly(age), oldest.Name, counted(pending, "task"))
	const advice = "see the lines on workers and queues; if all is well there: more workers, or a higher delivery.concurrency"
	switch {
	case age >= waitsTooLong:
		v.bad(check, text, advice)
	case age >= waitsLong:
		v.warn(check, text, advice)
	default:
		v.ok(check, text)
	}
	return nil
}
