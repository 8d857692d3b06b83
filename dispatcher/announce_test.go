package dispatcher_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// operations is what an endpoint asks for that wants to know how others are doing.
var operations = []string{catalog.TypeEndpointDisabled, catalog.TypeEndpointRecovered, catalog.TypeDeliveryDead}

// wanting makes an endpoint ask for types of events.
func wanting(types ...string) func(*webhook.Endpoint) {
	return func(e *webhook.Endpoint) { e.EventTypes = types }
}

func enabled(e *webhook.Endpoint) { e.DisabledReason = "" }

// operational are the operational events that are stored, the newest first.
func operational(t *testing.T, d *dispatchertest.Dispatcher) []webhook.Event {
	t.Helper()
	page, err := d.Events(t.Context(), webhook.EventQuery{Brand: "acme", Slice: webhook.Slice{Limit: 200}})
	if err != nil {
		t.Fatal(err)
	}
	var found []webhook.Event
	for _, status := range page.Items {
		if slices.Contains(operations, status.Event.Type) {
			found = append(found, status.Event)
		}
	}
	return found
}

// body is what every operational event says.
type body struct {
	EndpointID, DisabledReason, DisabledAt, RecoveredAt string
	EventID, Type, State, DeathReason, UpdatedAt        string
	Attempts                                            int
}

// said reads an operational event, which must be as the catalogue describes it.
func said(t *testing.T, eventType string, payload []byte) body {
	t.Helper()
	types, err := catalog.New(catalog.Config{Validation: catalog.ValidationEnforce})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := types.CheckEvent(eventType, payload); err != nil {
		t.Errorf("%s: %v", eventType, err)
	}
	var b body
	if err := json.Unmarshal(payload, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// An endpoint that answers 410, and is enabled again: others that ask are told all of it.
func TestOperationalEvents(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	watcher := d.Receiver(t, "acme", "", wanting(operations...))
	gone := d.Receiver(t, "acme", webhook.PurposeStatus)
	gone.Answer(answering(http.StatusGone))
	publish(t, d, event("e1"))
	watcher.Wait(t, 2)
	ref := gone.Endpoint.Ref()
	disabled, err := d.Endpoint(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	update(t, d, ref, enabled)
	told := map[string]body{}
	for _, r := range watcher.Wait(t, 3) {
		kind := r.Header.Get(webhook.HeaderEventType)
		told[kind] = said(t, kind, r.Body)
	}
	if b := told[catalog.TypeEndpointDisabled]; b.EndpointID != ref.ID || b.DisabledReason != webhook.DisabledGone ||
		b.DisabledAt != disabled.DisabledAt.Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("disabled: %+v, and it is %+v", b, disabled)
	}
	if b := told[catalog.TypeDeliveryDead]; b.EndpointID != ref.ID || b.EventID != "e1" || b.Type != catalog.TypeMessageDelivered ||
		b.State != "dead" || b.Attempts != 1 || b.DeathReason != string(webhook.DeathGone) || b.UpdatedAt == "" {
		t.Errorf("dead: %+v", b)
	}
	if b := told[catalog.TypeEndpointRecovered]; b.EndpointID != ref.ID || b.RecoveredAt == "" {
		t.Errorf("recovered: %+v", b)
	}
}

// What somebody did himself is no news, and neither is what nobody asks for.
func TestWhatIsNoNews(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Retry.MaxAttempts = 1 })
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	d.Receiver(t, "acme", "", wanting(catalog.TypeEndpointDisabled, catalog.TypeEndpointRecovered))
	update(t, d, r.Endpoint.Ref(), func(e *webhook.Endpoint) { e.DisabledReason = webhook.DisabledManually })
	update(t, d, r.Endpoint.Ref(), enabled)
	r.Answer(failing)
	publish(t, d, event("e1"))
	d.WaitState(t, "acme", "e1", webhook.StateDead)
	d.Stop()
	if found := operational(t, d); len(found) > 0 {
		t.Errorf("stored: %+v", found)
	}
}

// An endpoint is not told of itself, whether others are told or not; and explain says so.
func TestNobodyIsToldOfItself(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t)
	all := append([]string{"message.*"}, operations...)
	bad := d.Receiver(t, "acme", "", wanting(all...))
	bad.Answer(answering(http.StatusGone))
	publish(t, d, event("e1"))
	d.WaitState(t, "acme", "e1", webhook.StateDead)
	d.Stop() // everything is said
	if found := operational(t, d); len(found) > 0 {
		t.Fatalf("stored: %+v", found)
	}
	d.Receiver(t, "acme", "", wanting(operations...))
	update(t, d, bad.Endpoint.Ref(), enabled)
	found := operational(t, d)
	if len(found) != 1 || found[0].Type != catalog.TypeEndpointRecovered {
		t.Fatalf("stored: %+v", found)
	}
	explained, err := d.Explain(t.Context(), found[0].Ref())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range explained.Endpoints {
		if x.EndpointID == bad.Endpoint.ID && (x.Matched || x.Text != "not matched: an endpoint is not told of itself") {
			t.Errorf("%+v", x)
		}
	}
}

// A recover sends what an endpoint missed, but nothing that is about itself.
func TestARecoverTellsNobodyOfItself(t *testing.T) {
	t.Parallel()
	d := onServer(t, redistest.Start(t), func(c *dispatcher.Config) { c.Retry.MaxAttempts = 1 })
	d.Receiver(t, "acme", "", wanting(catalog.TypeDeliveryDead)).Answer(nil)
	bad := d.Receiver(t, "acme", "", wanting("message.*"))
	bad.Answer(failing)
	began := time.Now().Add(-time.Minute)
	publish(t, d, event("e1"))
	dispatchertest.Eventually(t, func() bool { return len(operational(t, d)) == 1 })
	bad.Answer(nil)
	update(t, d, bad.Endpoint.Ref(), wanting("message.*", catalog.TypeDeliveryDead))
	late := d.Receiver(t, "acme", "", wanting(catalog.TypeDeliveryDead))
	for r, want := range map[*dispatchertest.Receiver]string{bad: catalog.TypeMessageDelivered, late: catalog.TypeDeliveryDead} {
		before := len(r.Received())
		job, err := d.StartJob(t.Context(), webhook.JobSpec{
			Kind: webhook.JobRecover, Brand: "acme", EndpointID: r.Endpoint.ID, Span: webhook.Span{Since: began},
		})
		if err != nil {
			t.Fatal(err)
		}
		dispatchertest.Eventually(t, func() bool {
			job, err = d.Job(t.Context(), job.ID)
			return err == nil && job.State == webhook.JobDone && job.Open == 0
		})
		got := r.Received()[before:]
		if len(got) != 1 || got[0].Header.Get(webhook.HeaderEventType) != want || job.Delivered != 1 {
			t.Errorf("received %d, want one %s: %+v", len(got), want, job)
		}
	}
}

// Many who die at one endpoint, in two processes, are one event an hour; those of another endpoint are another.
func TestManyDeathsAreToldOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	change := func(c *dispatcher.Config) { c.Retry.MaxAttempts, c.Breaker.Failures = 1, 1_000_000 }
	d, second := onServer(t, server, change), onServer(t, server, change)
	watcher := d.Receiver(t, "acme", "", wanting(catalog.TypeDeliveryDead))
	for range 2 {
		d.Receiver(t, "acme", webhook.PurposeStatus).Answer(failing)
	}
	began := time.Now().Truncate(time.Hour)
	publishAll(t, d, "e", 200)
	for i := range 200 {
		d.WaitState(t, "acme", fmt.Sprint("e", i), webhook.StateDead)
	}
	d.Stop()
	second.Stop()
	found := operational(t, d)
	if time.Now().Truncate(time.Hour).Equal(began) && len(found) != 2 {
		t.Errorf("%d events tell of it, want one for each endpoint", len(found))
	}
	if len(found) < 2 || len(watcher.Received()) < 2 {
		t.Errorf("stored %d, received %d", len(found), len(watcher.Received()))
	}
}

// Two who want to know of deaths, and at whom all dies: their deliveries end by attempts and by age, and it ends there.
func TestDeathsAreNotToldInACircle(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*dispatcher.Config){
		"attempts": func(c *dispatcher.Config) { c.Retry.MaxAttempts = 1 },
		"age": func(c *dispatcher.Config) {
			c.Retry.MaxAge, c.Breaker = 2*time.Second, webhook.Breaker{Failures: 1, OpenFor: time.Hour, MaxOpenFor: time.Hour}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dispatchertest.Start(t, change)
			for _, types := range [][]string{{"message.*"}, operations, operations} {
				d.Receiver(t, "acme", "", wanting(types...)).Answer(failing)
			}
			publish(t, d, event("e1"))
			var found []webhook.Event
			dispatchertest.Eventually(t, func() bool { found = operational(t, d); return len(found) > 0 })
			d.WaitState(t, "acme", found[0].ID, webhook.StateDead)
			d.Stop()
			if found = operational(t, d); len(found) != 1 || said(t, found[0].Type, found[0].Payload).EventID != "e1" {
				t.Errorf("stored: %+v", found)
			}
		})
	}
}

// A breaker that closes is told of, once an hour, though it opens and closes again.
func TestARecoveryIsTold(t *testing.T) {
	t.Parallel()
	d := dispatchertest.Start(t, func(c *dispatcher.Config) {
		c.Breaker = webhook.Breaker{Failures: 1, OpenFor: 200 * time.Millisecond, MaxOpenFor: time.Second}
	})
	watcher := d.Receiver(t, "acme", "", wanting(catalog.TypeEndpointRecovered))
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	began := time.Now().Truncate(time.Hour)
	for i := range 2 {
		r.Answer(answering(http.StatusInternalServerError))
		id := fmt.Sprint("e", i)
		publish(t, d, event(id))
		dispatchertest.Eventually(t, func() bool {
			h, err := d.Health(t.Context(), []webhook.EndpointRef{r.Endpoint.Ref()})
			return err == nil && h[0].Breaker != webhook.BreakerClosed
		})
		r.Answer(nil)
		d.WaitDelivered(t, "acme", id)
	}
	watcher.Wait(t, 1)
	d.Stop()
	if n := len(operational(t, d)); n != 1 && time.Now().Truncate(time.Hour).Equal(began) {
		t.Errorf("told %d times", n)
	}
}

// A Redis too full to publish changes nothing for deliveries; the news is logged, and told by the next who has it.
func TestNewsThatCannotBeTold(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	set(t, server, "maxmemory", "10gb")
	var log diary
	d := onServer(t, server, log.keep, func(c *dispatcher.Config) { c.Retry.MaxAttempts, c.PublishWatermark = 1, 0.01 })
	watcher := d.Receiver(t, "acme", "", wanting(catalog.TypeDeliveryDead))
	r := d.Receiver(t, "acme", webhook.PurposeStatus)
	full := make(chan struct{})
	answer := sync.OnceFunc(func() { close(full) })
	t.Cleanup(answer)
	r.Answer(func(w http.ResponseWriter, _ *http.Request) {
		<-full
		w.WriteHeader(http.StatusBadRequest)
	})
	publish(t, d, event("e1"))
	r.Wait(t, 1)
	set(t, server, "maxmemory", "50mb") // of which more than a hundredth is in use
	dispatchertest.Eventually(t, func() bool {
		_, err := d.Publish(t.Context(), eventOf("nobody", ""))
		return errors.Is(err, webhook.ErrFull)
	})
	answer()
	d.WaitState(t, "acme", "e1", webhook.StateDead)
	dispatchertest.Eventually(t, func() bool { return log.count("operational event not published") == 1 })
	set(t, server, "maxmemory", "10gb")
	dispatchertest.Eventually(t, func() bool {
		_, err := d.Publish(t.Context(), event("e2"))
		return err == nil
	})
	if got := watcher.Wait(t, 1); said(t, catalog.TypeDeliveryDead, got[0].Body).EventID != "e2" {
		t.Errorf("told: %s", got[0].Body)
	}
}
