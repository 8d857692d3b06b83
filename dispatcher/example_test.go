package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded"
)

// A host embeds the dispatcher, registers a brand's endpoint and publishes.
func Example() {
	server, err := embedded.Start() // a host uses its own Redis
	if err != nil {
		panic(err)
	}
	defer server.Close()
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer rdb.Close()

	arrived := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("smobi-event-type")
	}))
	defer receiver.Close()

	cfg := dispatcher.Config{Redis: rdb, Secrets: redisstore.NewKeyRing(), Logger: slog.New(slog.DiscardHandler)}
	cfg.Egress.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} // for this example only
	cfg.Egress.AllowHTTP, cfg.Egress.Ports = true, []int{}
	ctx, stop := context.WithCancel(context.Background())
	errc := make(chan error, 1)
	if err := embed(ctx, cfg, receiver.URL, errc); err != nil {
		panic(err)
	}
	fmt.Println(<-arrived)
	stop()
	fmt.Println(<-errc)
	// Output:
	// message.delivered
	// <nil>
}

func embed(ctx context.Context, cfg dispatcher.Config, url string, errc chan<- error) error {
	// README: embed
	d, err := dispatcher.New(cfg) // Redis and Secrets are required; zero Egress is public https only
	if err != nil {
		return err
	}
	go func() { errc <- d.Run(ctx) }() // leave it out to publish only; nil after a clean drain

	endpoint := webhook.Endpoint{ID: "status", Brand: "acme", URL: url, Purpose: webhook.PurposeStatus}
	if _, _, err := d.CreateEndpoint(ctx, endpoint); err != nil { // safe to repeat
		return err
	}
	event, err := catalog.MessageDelivered("acme", catalog.Status{
		SmobiMessageID: "123e4567-e89b-12d3-a456-426614174000", ClientRef: "client-ref-123",
		To: "15552223333", From: "Smobi-Dev", Channel: catalog.ChannelRCS, Timestamp: time.Now(),
	})
	if err != nil {
		return err
	}
	event.ID = "receipt-1-delivered" // with an id of your own it is safe to publish again
	_, err = d.Publish(ctx, event)
	switch {
	case errors.Is(err, webhook.ErrUnavailable): // Redis is away: keep it and try later, with the same id
	case errors.Is(err, webhook.ErrInvalid): // a *webhook.FieldError names the field and the rule
	}
	// README: end
	return err
}
