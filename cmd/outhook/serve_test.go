package main

import (
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

// oddPayload breaks whatever decodes and encodes again.
const oddPayload = `{ "n" : 1e2, "n":1E+2,"s":"<\u2028😀\/"  }`

// target is an endpoint that verifies what it gets.
type target struct {
	id  string
	got chan arrival
}

// newTarget registers an endpoint for all status events of the brand acme. It answers once answer can be received from.
func newTarget(t *testing.T, client *httpapi.Client, answer <-chan struct{}) target {
	t.Helper()
	secret := signer.NewSecret()
	to := target{got: make(chan arrival, 10)}
	server := httptest.NewServer(newReceiver([]signer.Verifier{secret}, faults{}, func(a arrival) {
		to.got <- a
		<-answer
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	stored, created, err := client.CreateEndpoint(t.Context(), "acme", httpapi.EndpointRequest{
		URL: server.URL + "/hook", Purpose: webhook.PurposeStatus, Secret: secret.Reveal(),
	})
	if err != nil || !created {
		t.Fatalf("create endpoint: %t, %v", created, err)
	}
	to.id = stored.ID
	return to
}

func atOnce() <-chan struct{} {
	open := make(chan struct{})
	close(open)
	return open
}

// expect waits for one webhook and checks all of it.
func (to target) expect(t *testing.T, id, payload string) arrival {
	t.Helper()
	select {
	case a := <-to.got:
		if a.err != nil || a.id() != id || string(a.body) != payload {
			t.Fatalf("received %s as %s: %v", a.body, a.id(), a.err)
		}
		return a
	case <-time.After(dispatchertest.Patience):
		t.Fatal("nothing arrived")
		return arrival{}
	}
}

func awaitState(t *testing.T, client *httpapi.Client, id string, want webhook.State) httpapi.Event {
	t.Helper()
	var e httpapi.Event
	dispatchertest.Eventually(t, func() bool {
		var err error
		e, err = client.Event(t.Context(), "acme", id)
		return err == nil && len(e.Deliveries) == 1 && e.Deliveries[0].State == string(want)
	})
	return e
}

func TestServeInTwoProcesses(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	api, worker := startServe(t, store.Addr(), "--role=api"), startServe(t, store.Addr(), "--role=worker")
	to := newTarget(t, api.client(t), atOnce())

	got := api.publish(t, "--type=message.delivered", "--id=e1", "--data", " "+oddPayload+"\n")
	if want := "ID  DUPLICATE  ENDPOINTS\ne1  no         " + to.id + "\n"; got.code != exitDone || got.out != want {
		t.Fatalf("publish: %+v", got)
	}
	a := to.expect(t, "e1", oddPayload)
	if agent := a.header.Get("User-Agent"); agent != userAgent() || !strings.HasPrefix(agent, "outhook/") {
		t.Errorf("user agent %q", agent)
	}
	awaitState(t, api.client(t), "e1", webhook.StateDelivered)
	attempts, err := api.client(t).Attempts(t.Context(), "acme", httpapi.AttemptQuery{EventID: "e1"})
	if err != nil || len(attempts.Items) != 1 || attempts.Items[0].Outcome != string(webhook.OutcomeDelivered) {
		t.Fatalf("attempts %+v, %v", attempts, err)
	}

	second := startServe(t, store.Addr(), "--role=worker", "--log-format=json")
	for _, c := range []*child{api, worker, second} {
		c.awaitReady(t, 200, "ok\n")
		c.terminate(t)
		if code := c.exit(); code != exitDone {
			t.Errorf("%v: exit code %d", c.cmd.Args, code)
		}
	}
	for _, secret := range []string{testKey, "MDEyMzQ1", "whsec_", "clientRef"} {
		for _, c := range []*child{api, worker, second} {
			if strings.Contains(c.text(), secret) {
				t.Errorf("%q is in a log", secret)
			}
		}
	}
	if len(worker.logged("queues drained")) != 1 || len(api.logged("queues open")) != 0 {
		t.Error("the roles are not what they say")
	}
}

// The POST in flight at SIGTERM ends by itself and is recorded; meanwhile the process is not ready and takes nothing.
func TestServeFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	all, other := startServe(t, store.Addr()), startServe(t, store.Addr(), "--role=api")
	answer := make(chan struct{})
	to := newTarget(t, all.client(t), answer)
	if got := all.publish(t, "--type=message.read", "--id=e1", "--data={}"); got.code != exitDone {
		t.Fatalf("publish: %+v", got)
	}
	to.expect(t, "e1", "{}")
	all.terminate(t)
	all.awaitLog(t, "draining")
	all.awaitReady(t, 503, "shutting down\n")
	if got := all.publish(t, "--type=message.read", "--data={}"); got.code != exitFailed {
		t.Errorf("published while draining: %+v", got)
	}
	select {
	case <-all.exited:
		t.Fatal("the process did not wait for its attempt")
	default:
	}
	close(answer)
	if code := all.exit(); code != exitDone || len(all.logged("drained")) != 1 {
		t.Fatalf("exit code %d", code)
	}
	e, err := other.client(t).Event(t.Context(), "acme", "e1")
	if err != nil || e.Deliveries[0].State != string(webhook.StateDelivered) || e.Deliveries[0].Attempts != 1 {
		t.Fatalf("not recorded: %+v, %v", e, err)
	}
}

// Readiness fails first: until shutdown.delay is over, everything else goes on. Who signals twice does not want to wait.
func TestServeServesOnAfterTheSignal(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	c := startServe(t, store.Addr(), "--shutdown-delay=1h")
	to := newTarget(t, c.client(t), atOnce())
	c.terminate(t)
	c.awaitReady(t, 503, "shutting down\n")
	if status, body := get(t, c.admin+"/healthz", ""); status != 200 || body != "ok\n" {
		t.Errorf("health %d %s", status, body)
	}
	if got := c.publish(t, "--type=message.read", "--id=e1", "--data={}"); got.code != exitDone {
		t.Fatalf("publish after the signal: %+v", got)
	}
	to.expect(t, "e1", "{}")
	c.terminate(t)
	if code := c.exit(); code != exitFailed {
		t.Fatalf("exit code %d after the second signal", code)
	}
}

func TestServeWaitsForRedis(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t)
	store.Kill()
	api, worker := startServe(t, store.Addr(), "--role=api"), startServe(t, store.Addr(), "--role=worker")
	api.awaitLog(t, "waiting for redis")
	worker.awaitLog(t, "waiting for redis")
	worker.awaitReady(t, 503, "redis does not answer\n")
	checkUnavailable(t, api)

	store.Restart(t)
	api.awaitLog(t, "redis answers")
	api.awaitReady(t, 200, "ok\n")
	worker.awaitReady(t, 200, "ok\n")
	to := newTarget(t, api.client(t), atOnce())
	if got := api.publish(t, "--type=message.read", "--id=e1", "--data={}"); got.code != exitDone {
		t.Fatalf("publish: %+v", got)
	}
	to.expect(t, "e1", "{}")
}

// checkUnavailable publishes, lists, and runs the command while Redis is away.
func checkUnavailable(t *testing.T, c *child) {
	t.Helper()
	checkPublishRefused(t, c)
	_, err := c.client(t).Endpoints(t.Context(), "acme", httpapi.Page{})
	if p, ok := errors.AsType[*httpapi.Problem](err); !ok || p.Status != 503 {
		t.Fatalf("list without redis: %v", err)
	}
	got := c.publish(t, "--type=message.read", "--id=e0", "--data={}")
	if got.code != exitFailed || strings.Count(got.errOut, "\n") != 1 || !strings.Contains(got.errOut, "--id e0") {
		t.Fatalf("publish without redis: %+v", got)
	}
}

func checkPublishRefused(t *testing.T, c *child) {
	t.Helper()
	_, err := c.client(t).Publish(t.Context(), "acme", httpapi.PublishRequest{Type: "message.read", Payload: []byte("{}")})
	if p, ok := errors.AsType[*httpapi.Problem](err); !ok || p.Status != 503 || p.RetryAfter == 0 {
		t.Fatalf("publish without redis: %v", err)
	}
}

// Redis may be gone, or there and silent: publishing answers that it cannot, and all goes on afterwards.
func TestServeOutlivesRedis(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	c := startServe(t, store.Addr())
	to := newTarget(t, c.client(t), atOnce())
	publish := func(id string) {
		t.Helper()
		c.awaitReady(t, 200, "ok\n")
		if got := c.publish(t, "--type=message.read", "--id="+id, "--data={}"); got.code != exitDone {
			t.Fatalf("publish: %+v", got)
		}
		to.expect(t, id, "{}")
		awaitState(t, c.client(t), id, webhook.StateDelivered)
	}
	publish("e1")
	store.Kill()
	checkUnavailable(t, c)
	c.awaitReady(t, 503, "redis does not answer\n")
	store.Restart(t)
	publish("e2")
	store.Stop(t)
	checkPublishRefused(t, c)
	store.Continue(t)
	publish("e3")
}

func TestServeAdminListener(t *testing.T) {
	t.Parallel()
	c := startServe(t, redistest.Start(t).Addr(), "--asynqmon-read-only")
	for path, want := range map[string][2]int{ // without and with the key
		"/healthz":              {200, 200},
		"/readyz":               {200, 200},
		"/asynqmon/":            {401, 200},
		"/asynqmon/api/queues":  {401, 200},
		"/debug/pprof/":         {401, 200},
		"/debug/pprof/heap":     {401, 200},
		"/debug/pprof/symbol":   {401, 200},
		"/debug/pprof/cmdline":  {401, 404},
		"/debug/pprof/../../v1": {401, 404},
		"/metrics":              {200, 200},
		"/metrics/":             {401, 404},
		"/v1/brands/acme/keys":  {401, 404},
		"/":                     {401, 404},
	} {
		c.awaitReady(t, 200, "ok\n")
		without, _ := get(t, c.admin+path, "")
		wrong, _ := get(t, c.admin+path, testKey[1:])
		with, _ := get(t, c.admin+path, testKey)
		if got := [2]int{without, with}; got != want || wrong != without {
			t.Errorf("%s: %d without, %d with another and %d with the key, want %v", path, without, wrong, with, want)
		}
	}
}

func TestServeSaysWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	env := []string{"OUTHOOK_AUTH_ADMIN_KEY=" + testKey, "OUTHOOK_SECRETS_KEYS=" + testSecretKey, "OUTHOOK_LOG_LEVEL=error"}
	got := command(t, env, "serve", "--admin-listen=127.0.0.1:0", "--http-listen="+taken.Addr().String())
	want := "outhook: serve: http.listen: listen tcp " + taken.Addr().String() + ": bind: address already in use\n"
	if got.code != exitFailed || got.errOut != want {
		t.Fatalf("exit code %d, stderr:\n%s", got.code, got.errOut)
	}
	got = command(t, env, "serve", "--catalog-types=[{name: order.paid, description: paid, schema: {type: 7}}]")
	if got.code != exitUsage || !strings.HasPrefix(got.errOut, "outhook: serve: catalog.types[0].schema: ") || strings.Count(got.errOut, "\n") != 1 {
		t.Fatalf("exit code %d, stderr:\n%s", got.code, got.errOut)
	}
}
