package dispatcher_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// childReceivers is how many receivers elsewhere there are, childAddresses names the file into which they write where.
const (
	childReceivers = "OUTHOOK_TEST_CHILD_RECEIVERS"
	childAddresses = "OUTHOOK_TEST_CHILD_ADDRESSES"
)

// elsewhere are receivers in a process of their own, as a brand's are: what they cost is not the publisher's, and their log is theirs.
// They answer 400 until they are told to be well.
type elsewhere struct{ addresses []string }

// heard is a POST in the receivers' log.
type heard struct {
	At          time.Time
	ID, Attempt string
	OK          bool
}

// startElsewhere starts so many, behind every other process.
func startElsewhere(t *testing.T, n int) elsewhere {
	t.Helper()
	file := filepath.Join(t.TempDir(), "addresses")
	lowly(t, "receive", "", roomy, childAddresses+"="+file, childReceivers+"="+strconv.Itoa(n))
	var addresses []byte
	dispatchertest.Eventually(t, func() bool {
		addresses, _ = os.ReadFile(file)
		return len(addresses) > 0
	})
	return elsewhere{strings.Fields(string(addresses))}
}

// endpoint opens an account of an endpoint at one of them; [elsewhere.enter] enters what it received.
func (e elsewhere) endpoint(t *testing.T, b *books, d *dispatchertest.Dispatcher, brand, address string) *account {
	t.Helper()
	to, _, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{Brand: brand, URL: "http://" + address + "/hook", Purpose: webhook.PurposeStatus})
	if err != nil {
		t.Fatal(err)
	}
	return b.open(brand, &dispatchertest.Receiver{Endpoint: to})
}

// ask sends a request and answers what comes.
func (e elsewhere) ask(t *testing.T, method string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+e.addresses[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status, err)
	}
	return body
}

// recover has them answer 200 from now on.
func (e elsewhere) recover(t *testing.T) {
	t.Helper()
	e.ask(t, http.MethodPut)
}

// enter enters into the accounts what their receivers have in their log.
func (e elsewhere) enter(t *testing.T, accounts []*account) {
	t.Helper()
	var log map[string][]heard
	if err := json.Unmarshal(e.ask(t, http.MethodGet), &log); err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		to, err := url.Parse(a.Endpoint.URL)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range log[to.Host] {
			a.posts[h.ID] = append(a.posts[h.ID], post{at: h.At, attempt: h.Attempt, ok: h.OK})
		}
	}
}

// receive is the process of receivers elsewhere.
func receive() error {
	var mu sync.Mutex
	var well atomic.Bool
	log := map[string][]heard{} // by address
	ended := make(chan error)
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.Method {
		case http.MethodPut:
			well.Store(true)
		case http.MethodGet:
			mu.Lock()
			defer mu.Unlock()
			_ = json.NewEncoder(w).Encode(log)
		case http.MethodPost:
			h := heard{At: time.Now(), ID: req.Header.Get(signer.HeaderID), Attempt: req.Header.Get(webhook.HeaderAttempt), OK: well.Load()}
			_, _ = io.Copy(io.Discard, req.Body)
			if !h.OK {
				w.WriteHeader(http.StatusBadRequest)
			}
			mu.Lock()
			defer mu.Unlock()
			log[req.Host] = append(log[req.Host], h)
		}
	})
	addresses := ""
	n, _ := strconv.Atoi(os.Getenv(childReceivers))
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addresses += listener.Addr().String() + "\n"
		go func() { ended <- http.Serve(listener, handler) }()
	}
	file := os.Getenv(childAddresses)
	if err := os.WriteFile(file+".new", []byte(addresses), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	return <-ended
}
