package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.smobi.com/outhook/signer"
)

// maxArrivalBytes bounds the body that a receiver reads.
const maxArrivalBytes = 8 << 20

// faults are how a receiver misbehaves on purpose. The zero value is not at all.
type faults struct {
	// status is the answer to everything; 0 is 200, or 401 and the like to what is no good.
	status int
	// delay comes before every answer.
	delay time.Duration
	// failFirst attempts of each webhook-id are answered with 500, whatever status says.
	failFirst int
}

// arrival is one webhook as a receiver got it. Its texts are the sender's and untrusted.
type arrival struct {
	at     time.Time
	header http.Header
	body   []byte
	// checked is false when the receiver has no key to verify with.
	checked bool
	// err is why it is no good: it does not verify, or its body could not be read.
	err error
	// status is the answer that it gets.
	status int
}

func (a arrival) id() string      { return a.header.Get(signer.HeaderID) }
func (a arrival) kind() string    { return a.header.Get("smobi-event-type") }
func (a arrival) attempt() string { return a.header.Get("smobi-attempt") }

// receiver is an endpoint on this machine: it verifies what arrives, shows it, and answers.
type receiver struct {
	// keys that a webhook may be signed with; none means that nothing is verified.
	keys   []signer.Verifier
	faults faults
	// show is called for each arrival, before it is answered, from several goroutines.
	show  func(arrival)
	tally *tally
}

func newReceiver(keys []signer.Verifier, f faults, show func(arrival)) *receiver {
	return &receiver{keys: keys, faults: f, show: show, tally: newTally(maxTally)}
}

// ServeHTTP takes one webhook.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "webhooks are POSTed", http.StatusMethodNotAllowed)
		return
	}
	a := r.receive(w, req)
	a.status = r.answer(a)
	r.show(a)
	if !pause(req.Context(), r.faults.delay) {
		panic(http.ErrAbortHandler) // returning would answer 200, and nobody waited long enough for that
	}
	w.WriteHeader(a.status)
}

// receive reads and verifies. The status is what it deserves.
func (r *receiver) receive(w http.ResponseWriter, req *http.Request) arrival {
	a := arrival{at: time.Now(), header: req.Header, checked: len(r.keys) > 0, status: http.StatusOK}
	a.body, a.err = io.ReadAll(http.MaxBytesReader(w, req.Body, maxArrivalBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](a.err); tooLarge {
		a.status, a.err = http.StatusRequestEntityTooLarge, fmt.Errorf("body is over %d bytes", maxArrivalBytes)
		return a
	}
	if a.err != nil {
		a.status, a.err = http.StatusBadRequest, fmt.Errorf("body broke off: %w", a.err)
		return a
	}
	if a.checked {
		a.err = signer.Verify(req.Header, a.body, a.at, signer.DefaultTolerance, r.keys...)
	}
	if a.err != nil {
		a.status = http.StatusUnauthorized
	}
	return a
}

// answer is the status that the faults make of it.
func (r *receiver) answer(a arrival) int {
	switch {
	case r.faults.failFirst > 0 && r.tally.next(a.id()) <= r.faults.failFirst:
		return http.StatusInternalServerError
	case r.faults.status != 0:
		return r.faults.status
	}
	return a.status
}

// pause returns false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
