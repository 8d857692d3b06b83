package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// How the receiver of dev may answer.
const (
	behaveOK   = "ok"
	behaveFail = "500"
	behaveSlow = "slow"
	behaveHang = "hang"
)

// devReceiver is the receiver of dev, which the console switches. It implements [console.Rehearsal].
type devReceiver struct {
	brand   string
	samples []sample
	// asks publishes; set before anybody can ask.
	asks *httpapi.Client
	// how it answers; nil is behaveOK.
	how atomic.Pointer[string]
}

// Brand is the one whose endpoints lead to it.
func (d *devReceiver) Brand() string { return d.brand }

// Behaviours are all that it can do.
func (d *devReceiver) Behaviours() []string {
	return []string{behaveOK, behaveFail, behaveSlow, behaveHang}
}

// Behaviour is how it answers now.
func (d *devReceiver) Behaviour() string {
	if how := d.how.Load(); how != nil {
		return *how
	}
	return behaveOK
}

// Behave changes how it answers, from the next request on.
func (d *devReceiver) Behave(how string) { d.how.Store(&how) }

// Publish publishes a sample of each event type.
func (d *devReceiver) Publish(ctx context.Context) error {
	for _, s := range d.samples {
		if _, err := d.asks.Publish(ctx, d.brand, httpapi.PublishRequest{Type: s.kind, Payload: s.payload}); err != nil {
			return err
		}
	}
	return nil
}

// faults are those of a behaviour. Slow is less than an attempt may take, hanging more.
func (d *devReceiver) faults() faults {
	switch d.Behaviour() {
	case behaveFail:
		return faults{status: http.StatusInternalServerError}
	case behaveSlow:
		return faults{delay: 3 * time.Second}
	case behaveHang:
		return faults{delay: 2 * webhook.MaxTimeout}
	}
	return faults{}
}

// switched has a receiver answer as it is told.
func (d *devReceiver) switched(r *receiver) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		now := *r
		now.faults = d.faults()
		now.ServeHTTP(w, req)
	})
}
