package dispatcher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// sayOnce is how often an endpoint is spoken of, with events of one type, at the most.
	sayOnce = time.Hour
	// askAgain is how long nobody is asked again whether there is an endpoint that wants to know.
	askAgain = 10 * time.Second
	// mostNews bounds what waits to be said, mostSaid what is remembered to have been said.
	mostNews = 1000
	mostSaid = 10_000
)

// subject is what an operational event is about.
type subject struct {
	eventType string
	endpoint  webhook.EndpointRef
}

// news is something that outhook has to say to a brand.
type news struct {
	subject
	at time.Time
	// event is that of a delivery that died.
	event string
}

// id is the same for everybody who has the same to say within sayOnce, so that it is said once.
func (n news) id() string {
	span := n.at.UTC().Truncate(sayOnce).Format(time.RFC3339)
	sum := sha256.Sum256([]byte(strings.Join([]string{n.eventType, n.endpoint.Brand, n.endpoint.ID, span}, "\n")))
	return webhook.EventPrefix + hex.EncodeToString(sum[:16])
}

// announceSettled has the brand be told what a settlement did to an endpoint, or that it was the end of a delivery.
func (d *Dispatcher) announceSettled(s *webhook.Settlement, r webhook.Release) {
	to, now := s.Run.Endpoint(), time.Now()
	if r.Disabled != "" {
		d.announcer.add(news{subject{catalog.TypeEndpointDisabled, to}, now, ""})
	}
	if r.Breaker == webhook.BreakerClosed {
		d.announcer.add(news{subject{catalog.TypeEndpointRecovered, to}, now, ""})
	}
	// The end of what was to tell of an end is not told of.
	if s.Verdict.State == webhook.StateDead && (s.Attempt == nil || !d.catalog.Operational(s.Attempt.Type)) {
		d.announcer.add(news{subject{catalog.TypeDeliveryDead, to}, now, s.Run.EventID})
	}
}

// announceEnabled tells the brand that an endpoint is sent to again which outhook had disabled by itself.
func (d *Dispatcher) announceEnabled(ctx context.Context, before, after webhook.Endpoint) {
	byItself := before.DisabledReason == webhook.DisabledGone || before.DisabledReason == webhook.DisabledFailing
	if byItself && after.DisabledReason == "" {
		d.tell(ctx, news{subject{catalog.TypeEndpointRecovered, after.Ref()}, time.Now(), ""})
	}
}

// tell publishes news if an endpoint wants to know, and answers until when there is nothing more to say of it. What fails is
// logged, and said by the next who has the same to say.
func (d *Dispatcher) tell(ctx context.Context, n news) (until time.Time) {
	ctx, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	id, err := d.announce(ctx, n)
	switch {
	case errors.Is(err, webhook.ErrConflict): // another one was faster, with other words
	case err != nil:
		if d.warned.first("news "+n.eventType, n.at) {
			d.log.WarnContext(ctx, "operational event not published; said once a minute", "type", n.eventType,
				"brand", n.endpoint.Brand, "about", n.endpoint.ID, "error", err)
		}
		return time.Time{}
	case id == "":
		return n.at.Add(askAgain)
	default:
		d.log.InfoContext(ctx, "operational event published", "brand", n.endpoint.Brand, "event", id, "type", n.eventType, "about", n.endpoint.ID)
	}
	return n.at.Truncate(sayOnce).Add(sayOnce)
}

// announce sends news down the road of every event; the id is empty when nobody wants to know. An endpoint is never told of itself.
func (d *Dispatcher) announce(ctx context.Context, n news) (id string, err error) {
	e := webhook.Event{ID: n.id(), Brand: n.endpoint.Brand, Type: n.eventType, PublishedAt: n.at.Truncate(time.Millisecond).UTC()}
	f := webhook.Fanout{Event: e, AtOnce: true}
	if err := d.match(ctx, &f); err != nil {
		return "", err
	}
	f.Endpoints = slices.DeleteFunc(f.Endpoints, func(id string) bool { return id == n.endpoint.ID })
	if len(f.Endpoints) == 0 {
		return "", nil
	}
	if f.Event.Payload, err = d.wording(ctx, n); err != nil || f.Event.Payload == nil {
		return "", err
	}
	if err := d.gauge.room(ctx); err != nil {
		return "", err
	}
	results, err := d.admit(ctx, []webhook.Fanout{f})
	d.countPublished([]webhook.Fanout{f}, results, err)
	if err != nil {
		return "", err
	}
	return e.ID, results[0].Err
}

// wording is the payload of news, as its schema in the catalogue has it; nil when it is none any more.
func (d *Dispatcher) wording(ctx context.Context, n news) (json.RawMessage, error) {
	switch n.eventType {
	case catalog.TypeEndpointDisabled:
		e, err := d.store.Endpoint(ctx, n.endpoint)
		if err != nil || e.DisabledReason == "" || e.DisabledReason == webhook.DisabledManually {
			return nil, unlessGone(err)
		}
		return json.Marshal(struct {
			EndpointID     string `json:"endpointId"`
			DisabledReason string `json:"disabledReason"`
			DisabledAt     string `json:"disabledAt"`
		}{e.ID, e.DisabledReason, stamp(e.DisabledAt)})
	case catalog.TypeEndpointRecovered:
		return json.Marshal(struct {
			EndpointID  string `json:"endpointId"`
			RecoveredAt string `json:"recoveredAt"`
		}{n.endpoint.ID, stamp(n.at)})
	}
	return d.obituary(ctx, webhook.DeliveryRef{Brand: n.endpoint.Brand, EventID: n.event, EndpointID: n.endpoint.ID})
}

// obituary is the payload of the news that a delivery died; nil when it did not, when it was to tell of something itself, and
// when nobody knows any more what it was.
func (d *Dispatcher) obituary(ctx context.Context, ref webhook.DeliveryRef) (json.RawMessage, error) {
	e, _, err := d.store.Event(ctx, ref.Event())
	if err != nil || d.catalog.Operational(e.Type) {
		return nil, unlessGone(err)
	}
	died, err := d.store.Delivery(ctx, ref)
	if err != nil || died.State != webhook.StateDead {
		return nil, unlessGone(err)
	}
	return json.Marshal(struct {
		EventID     string              `json:"eventId"`
		EndpointID  string              `json:"endpointId"`
		Type        string              `json:"type"`
		State       webhook.State       `json:"state"`
		Attempts    int                 `json:"attempts"`
		DeathReason webhook.DeathReason `json:"deathReason"`
		UpdatedAt   string              `json:"updatedAt"`
	}{ref.EventID, ref.EndpointID, e.Type, died.State, died.Attempts, died.DeathReason, stamp(died.UpdatedAt)})
}

// mayBeTold tells whether an endpoint that wants a type of event may be sent one of it that did not go to it before: none is
// told of itself.
func (d *Dispatcher) mayBeTold(ctx context.Context, ref webhook.EventRef, eventType, endpointID string) (bool, error) {
	if !d.catalog.Operational(eventType) {
		return true, nil
	}
	e, _, err := d.store.Event(ctx, ref)
	return err == nil && !isAbout(e, endpointID), unlessGone(err)
}

// isAbout tells whether an operational event speaks of an endpoint.
func isAbout(e webhook.Event, endpointID string) bool {
	var body struct {
		EndpointID string `json:"endpointId"`
	}
	return json.Unmarshal(e.Payload, &body) == nil && body.EndpointID == endpointID
}

func unlessGone(err error) error {
	if errors.Is(err, webhook.ErrNotFound) {
		return nil
	}
	return err
}

// announcer says news one after the other, between start and stop, and keeps 100,000 who have the same to say from saying it.
type announcer struct {
	tell func(context.Context, news) (until time.Time)
	news chan news

	mu sync.Mutex
	// said is until when there is nothing more to say of a subject.
	said map[subject]time.Time
	// running: there is somebody who says what is added.
	running bool
	hush    context.CancelFunc
	speaker sync.WaitGroup
}

func newAnnouncer(tell func(context.Context, news) time.Time) *announcer {
	return &announcer{tell: tell, news: make(chan news, mostNews), said: map[subject]time.Time{}}
}

// add never waits. What finds no room is said by the next who has the same to say.
func (a *announcer) add(n news) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.running || n.at.Before(a.said[n.subject]) {
		return
	}
	select {
	case a.news <- n:
		a.remember(n.subject, n.at.Add(askAgain)) // until it is said
	default:
	}
}

// remember keeps what is said; the lock is held.
func (a *announcer) remember(of subject, until time.Time) {
	if until.IsZero() {
		delete(a.said, of)
		return
	}
	if len(a.said) >= mostSaid {
		for other := range a.said { // an arbitrary one: its event has the same id again
			delete(a.said, other)
			break
		}
	}
	a.said[of] = until
}

// start begins to say what is added, until stop.
func (a *announcer) start(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ctx, a.hush = context.WithCancel(context.WithoutCancel(ctx))
	a.running = true
	a.speaker.Go(func() {
		for n := range a.news {
			until := a.tell(ctx, n)
			a.mu.Lock()
			a.remember(n.subject, until)
			a.mu.Unlock()
		}
	})
}

// stop takes no more, and returns when what was added is said, or a moment is over.
func (a *announcer) stop() {
	a.mu.Lock()
	a.running = false
	close(a.news)
	a.mu.Unlock()
	late := time.AfterFunc(answerFor, a.hush)
	a.speaker.Wait()
	late.Stop()
	a.hush()
}
