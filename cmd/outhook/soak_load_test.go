package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
)

const (
	// soakPublishers is how many publish at a time.
	soakPublishers = 64
	// soakBehind is how much may be open, as the time in which it is published: what this machine carries may become less.
	soakBehind = 15 * time.Second
)

// soakLoad publishes through all API processes that there are, each event until it is accepted.
type soakLoad struct {
	*testing.T
	books *soakBooks
	http  *http.Client
	end   context.CancelFunc
	open  sync.WaitGroup

	mu   sync.Mutex
	apis map[int]*httpapi.Client
	asks int
	// number is that of the next event, due at its time.
	number int
	due    time.Time
	// held is how long nothing was published, as too much was open.
	held time.Duration
	// repeated counts what kept publishes from being accepted at once.
	repeated map[string]int
}

func newSoakLoad(t *testing.T, b *soakBooks) *soakLoad {
	l := &soakLoad{
		T: t, books: b, apis: map[int]*httpapi.Client{}, repeated: map[string]int{}, end: func() {},
		http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: soakPublishers}},
	}
	t.Cleanup(func() {
		l.stop()
		l.http.CloseIdleConnections()
	})
	return l
}

// balance has the API process of a station be one of those that are published through, whether it is there or not.
func (l *soakLoad) balance(station int, api *httpapi.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apis[station] = api
}

func (l *soakLoad) api() *httpapi.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asks++
	return l.apis[l.asks%len(l.apis)]
}

// register creates all endpoints, and waits until every API process knows them.
func (l *soakLoad) register(b *soakBooks) {
	l.Helper()
	for _, r := range b.receivers {
		request := httpapi.EndpointRequest{ID: r.endpoint, URL: r.server.URL, Purpose: r.purpose}
		if _, _, err := l.api().CreateEndpoint(l.Context(), r.brand, request); err != nil {
			l.Fatal(err)
		}
	}
	for _, api := range l.apis {
		for group := range soakGroups {
			tries := 0
			dispatchertest.Eventually(l, func() bool {
				tries++
				brand, request := eventNumber(group)
				request.ID = fmt.Sprintf("probe-%d-%d-%p", group, tries, api)
				receipt, err := api.Publish(l.Context(), brand, request)
				return err == nil && len(receipt.Deliveries) == soakFanout
			})
		}
	}
}

// burst publishes as fast as may be, and waits until all is received.
func (l *soakLoad) burst(events int) {
	l.Helper()
	first := l.number
	for range soakPublishers {
		l.open.Go(func() {
			for n := l.next(); n < first+events; n = l.next() {
				l.publish(n)
			}
		})
	}
	l.open.Wait()
	l.number = first + events
	dispatchertest.Eventually(l, l.books.received)
}

func (l *soakLoad) next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number++
	return l.number - 1
}

// begin publishes so many events a second until stop. What could not be published in time is made up for, that of the last
// five seconds.
func (l *soakLoad) begin(ctx context.Context, perSecond float64) {
	ctx, l.end = context.WithCancel(ctx)
	interval := time.Duration(float64(time.Second) / perSecond)
	l.open.Go(func() { l.hold(ctx, soakFanout*int64(soakBehind/interval)) })
	for range soakPublishers {
		l.open.Go(func() {
			for l.turn(ctx, interval) {
				l.publish(l.next())
			}
		})
	}
}

// hold puts off what comes next while more than that is open.
func (l *soakLoad) hold(ctx context.Context, most int64) {
	const look = 100 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if l.books.open.Load() > most {
			l.mu.Lock()
			l.due, l.held = time.Now().Add(2*look), l.held+look
			l.mu.Unlock()
		}
	}
}

// turn waits until it is time for one more; false when it is over.
func (l *soakLoad) turn(ctx context.Context, interval time.Duration) bool {
	l.mu.Lock()
	at := l.due
	if least := time.Now().Add(-5 * time.Second); at.Before(least) {
		at = least
	}
	l.due = at.Add(interval)
	l.mu.Unlock()
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(at)):
		return true
	}
}

// stop begins no publish any more, and waits for those under way.
func (l *soakLoad) stop() {
	l.end()
	l.open.Wait()
}

// publish repeats an event until it is accepted, as a caller does who keeps its id.
func (l *soakLoad) publish(n int) {
	brand, request := eventNumber(n)
	for l.Context().Err() == nil {
		receipt, err := l.api().Publish(l.Context(), brand, request)
		if err == nil {
			l.books.accept(n)
			if len(receipt.Deliveries) != soakFanout {
				l.Errorf("%s was accepted for %v, there are %d endpoints", request.ID, receipt.Deliveries, soakFanout)
			}
			return
		}
		l.repeat(err)
		refused, ok := errors.AsType[*httpapi.Problem](err)
		if ok && refused.Status/100 != 5 && refused.Status != http.StatusTooManyRequests {
			l.Errorf("%s: %v", request.ID, err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// repeat counts an error by what it is, in a few words.
func (l *soakLoad) repeat(err error) {
	what := "other: " + err.Error()
	refused, ok := errors.AsType[*httpapi.Problem](err)
	switch {
	case ok:
		what = fmt.Sprint(refused.Status)
	case strings.Contains(err.Error(), "connection refused"):
		what = "nobody listens"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "connection reset"):
		what = "broken off"
	case errors.Is(err, context.DeadlineExceeded):
		what = "no answer"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.repeated[what]++
}

func (l *soakLoad) answers() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.repeated)
}

// eventNumber is the n-th event, and whose it is.
func eventNumber(n int) (brand string, r httpapi.PublishRequest) {
	kinds := []string{"message.read", "interaction.sms.reply"}
	return brandName(n % soakBrands), httpapi.PublishRequest{
		ID: eventPrefix + fmt.Sprint(n), Type: kinds[n/soakBrands%len(kinds)], Payload: fmt.Appendf(nil, `{"filler":%q}`, strings.Repeat("x", 330)),
	}
}

func brandName(i int) string { return fmt.Sprintf("brand%d", i) }
