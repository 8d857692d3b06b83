package dispatchertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// Received is one webhook that a [Receiver] got and verified.
type Received struct {
	Header http.Header
	Body   []byte
	At     time.Time
}

// ID is the webhook-id.
func (r Received) ID() string { return r.Header.Get(signer.HeaderID) }

// Receiver is an endpoint on loopback that verifies every webhook it gets.
type Receiver struct {
	Endpoint webhook.Endpoint
	server   *httptest.Server

	mu       sync.Mutex
	answer   http.HandlerFunc
	inspect  func(Received)
	secrets  []webhook.EndpointSecret
	received []Received
}

// Receiver starts a receiver and registers it as an endpoint of the brand. It
// answers 200 until Answer says otherwise. change alters the endpoint first.
func (d *Dispatcher) Receiver(t testing.TB, brand, purpose string, change ...func(*webhook.Endpoint)) *Receiver {
	t.Helper()
	r := &Receiver{}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.serve(t, w, req) }))
	t.Cleanup(func() {
		r.server.CloseClientConnections()
		r.server.Close()
	})
	e := webhook.Endpoint{Brand: brand, URL: r.server.URL + "/hook", Purpose: purpose}
	for _, c := range change {
		c(&e)
	}
	stored, _, err := d.CreateEndpoint(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Endpoint, r.secrets = stored, stored.Secrets
	return r
}

// Answer decides how the next webhooks are answered; nil means with 200.
func (r *Receiver) Answer(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// Expect makes it verify with the secrets of an endpoint, such as one whose secret was rotated.
func (r *Receiver) Expect(e webhook.Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = e.Secrets
}

// Inspect has a look at each webhook that arrives, from several goroutines.
func (r *Receiver) Inspect(look func(Received)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inspect = look
}

// Received returns what arrived so far, in order.
func (r *Receiver) Received() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Received(nil), r.received...)
}

// Wait waits until at least n webhooks arrived and returns them.
func (r *Receiver) Wait(t testing.TB, n int) []Received {
	t.Helper()
	Eventually(t, func() bool { return len(r.Received()) >= n })
	return r.Received()
}

func (r *Receiver) serve(t testing.TB, w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost { // a check looks whether somebody is there
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	secrets, answer, inspect := r.secrets, r.answer, r.inspect
	r.mu.Unlock()
	if err := signer.Verify(req.Header, body, time.Now(), 0, verifiers(secrets)...); err != nil {
		t.Errorf("a webhook that does not verify: %v", err)
	}
	got := Received{Header: req.Header.Clone(), Body: body, At: time.Now()}
	if inspect != nil {
		inspect(got)
	}
	r.mu.Lock()
	r.received = append(r.received, got)
	r.mu.Unlock()
	if answer != nil {
		answer(w, req)
	}
}

func verifiers(secrets []webhook.EndpointSecret) []signer.Verifier {
	var keys []signer.Verifier
	for _, s := range secrets {
		if s.HMAC.IsZero() {
			keys = append(keys, s.Ed25519.Public())
		} else {
			keys = append(keys, s.HMAC)
		}
	}
	return keys
}
