package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

// outage is a process whose deliveries have one attempt, and the receiver of its endpoint, which is down until it is not.
type outage struct {
	seeing
	down     atomic.Bool
	verified atomic.Int64
}

func startOutage(t *testing.T) *outage {
	t.Helper()
	child := startServe(t, redistest.Start(t).Addr(), "--retry-max-attempts=1", "--breaker-failures=1000000")
	child.awaitReady(t, 200, "ok\n")
	o := &outage{seeing: seeing{child: child}.with(testKey)}
	o.down.Store(true)
	secret := signer.NewSecret()
	verifying := newReceiver([]signer.Verifier{secret}, faults{}, func(a arrival) {
		if a.err == nil {
			o.verified.Add(1)
		}
	})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		verifying.ServeHTTP(w, r)
	}))
	t.Cleanup(receiver.Close)
	e := httpapi.EndpointRequest{ID: "status", URL: receiver.URL + "/hook?k=[1]", Purpose: "status", Secret: secret.Reveal(), Headers: map[string]string{"X-Team": "it's $HOME"}}
	if _, _, err := o.client(t).CreateEndpoint(t.Context(), "acme", e); err != nil {
		t.Fatal(err)
	}
	return o
}

// die publishes events and waits until all of them are dead letters.
func (o *outage) die(t *testing.T, prefix string, n int) {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"id":"%s%d","type":"message.read","payload":{"a":"it's %d"}}`+"\n", prefix, i, i)
	}
	if got := commandWith(t, lines.String(), o.env, "publish", "--brand=acme", "-"); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	want := fmt.Sprintf("matched: %d\n", n)
	dispatchertest.Eventually(t, func() bool {
		return strings.ReplaceAll(o.run(t, "dead-letter resend --brand acme --all --dry-run").out, "  ", " ") == want
	})
}

// A receiver was down, and comes back: everything that there is to do then, against a real process.
func TestRecoveryCommandsAgainstServe(t *testing.T) {
	t.Parallel()
	o := startOutage(t)
	o.die(t, "e", 30)
	o.down.Store(false)

	o.sees(t, "event resend e0 --brand acme", "\nstatus ") // running, or delivered by then
	dispatchertest.Eventually(t, func() bool { return strings.Contains(o.run(t, "event get e0 --brand acme").out, "1 delivered") })
	o.completes(t, "dead-letter resend e1 e2 --brand acme", 2, " deadLetterResend acme - done 2 2 0 0 0 0\n")
	o.sees(t, "dead-letter delete e3 --brand acme --endpoint status", "matched: 1, deleted: 1\n")
	o.sees(t, "recover --brand acme --endpoint status --since 1h --dry-run", "matched: 26\n")
	o.completes(t, "recover --brand acme --endpoint status --since 1h", 26, " recover acme status done 26 26 0 0 0 0\n")
	o.sees(t, "event cancel e4 --brand acme", "status delivered ")
	o.sees(t, "brand health acme", "endpoints: 1\n", "waiting: 0\n", "last hour: 59 attempts, 49.2 % delivered\n")
	o.sees(t, "endpoint get status --brand acme", "last hour: 59 attempts, 49.2 % delivered\n")
	if n := o.verified.Load(); n != 29 {
		t.Errorf("%d arrived, want each of those that were sent once more, once", n)
	}
	o.runsCurl(t)

	o.sees(t, "job list --brand acme", " deadLetterDelete acme status done 1 0 0 0 1 0\n")
	o.sees(t, "brand erase acme --yes", "matched: 30, deleted: 30\n")
	o.run(t, "event get e0 --brand acme").fails(t, exitFailed, "event get: event e0 of brand acme: not found, or not for this key to see")
}

// completes runs a command that begins a job, and waits until the list of jobs has this line: what the job sent may still be open
// when the command ends.
func (o *outage) completes(t *testing.T, line string, matched int, row string) {
	t.Helper()
	if got := o.run(t, line); got.code != exitDone || !strings.Contains(got.out, fmt.Sprintf("running\nmatched: %d, ", matched)) {
		t.Errorf("%s: %+v", line, got)
	}
	dispatchertest.Eventually(t, func() bool {
		return strings.Contains(regexp.MustCompile(` +`).ReplaceAllString(o.run(t, "job list --brand acme").out, " "), row)
	})
}

// runsCurl gives a shell what explain --curl prints: the receiver verifies it.
func (o *outage) runsCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		return
	}
	before := o.verified.Load()
	printed := o.run(t, "event explain e5 --brand acme --curl")
	if out, err := exec.Command("sh", "-c", printed.out).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 200 OK") {
		t.Errorf("%v: %s\n%+v", err, out, printed)
	}
	if o.verified.Load() != before+1 {
		t.Errorf("it did not verify:\n%s", printed.out)
	}
}

// A job that is cancelled while somebody looks on ends the command, too, with what was done.
func TestJobCancelledAgainstServe(t *testing.T) {
	t.Parallel()
	o := startOutage(t)
	o.die(t, "e", 30)
	o.down.Store(false)
	followed := make(chan outcome)
	go func() {
		followed <- o.run(t, "recover --brand acme --endpoint status --since 1h --per-second 1 -o json")
	}()
	var j httpapi.Job
	dispatchertest.Eventually(t, func() bool {
		var list httpapi.List[httpapi.Job]
		if err := json.Unmarshal([]byte(o.run(t, "job list -o json").out), &list); err != nil || len(list.Items) != 1 {
			return false
		}
		j = list.Items[0]
		return j.Matched > 0
	})
	o.sees(t, "job cancel "+j.ID, "state: cancelled\n")
	got := <-followed
	if err := json.Unmarshal([]byte(got.out), &j); err != nil || got.code != exitFailed || j.State != "cancelled" || j.Matched == 0 || j.Matched > 29 {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.HasSuffix(got.errOut, "outhook: recover: job "+j.ID+" was cancelled\n") {
		t.Errorf("stderr %q", got.errOut)
	}
}
