package bench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/cmd/outhook/bench"
)

// receiver is one in this process.
type receiver struct {
	*testing.T
	orders  *io.PipeWriter
	answers *bufio.Scanner
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	in, orders := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- bench.Child{In: in, Out: out}.Run(t.Context(), "receiver") }()
	t.Cleanup(func() {
		_ = orders.Close()
		if err := <-ended; err != nil {
			t.Errorf("receiver: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return &receiver{T: t, orders: orders, answers: bufio.NewScanner(answers)}
}

// ask gives an order and returns the value of its answer.
func (r *receiver) ask(order string) string {
	r.Helper()
	if _, err := fmt.Fprintln(r.orders, order); err != nil {
		r.Fatal(err)
	}
	if !r.answers.Scan() {
		r.Fatalf("%s: no answer", order)
	}
	var a struct {
		Error string
		Value json.RawMessage
	}
	if err := json.Unmarshal(r.answers.Bytes(), &a); err != nil || a.Error != "" {
		r.Fatalf("%s: %v%s", order, err, a.Error)
	}
	return string(a.Value)
}

// tally returns how many arrived, and how many of these again.
func (r *receiver) tally(order string) (arrived, again int) {
	r.Helper()
	var t struct{ Arrived, Again int }
	if err := json.Unmarshal([]byte(r.ask(order)), &t); err != nil {
		r.Fatal(err)
	}
	return t.Arrived, t.Again
}

func post(t *testing.T, url, id string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("webhook-id", id)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestReceiverCounts(t *testing.T) {
	r := startReceiver(t)
	var urls []string
	if err := json.Unmarshal([]byte(r.ask(`{"do":"open","args":2}`)), &urls); err != nil || len(urls) != 2 {
		t.Fatalf("urls %v: %v", urls, err)
	}
	for _, p := range []struct{ url, id string }{
		{urls[0] + "/0", "e5"}, {urls[0] + "/0", "e6"}, {urls[1] + "/1", "e5"}, {urls[0] + "/0", "e5"},
	} {
		if status := post(t, p.url, p.id); status != http.StatusOK {
			t.Errorf("%s %s: status %d", p.url, p.id, status)
		}
	}
	if status := post(t, urls[0]+"/0", "evt_other"); status != http.StatusBadRequest {
		t.Errorf("a stranger's event: status %d", status)
	}
	if arrived, again := r.tally(`{"do":"await","args":{"Arrived":3,"Within":60000000000}}`); arrived != 3 || again != 1 {
		t.Errorf("arrived %d, again %d, want 3 and 1", arrived, again)
	}
	r.ask(`{"do":"forget","args":{}}`)
	post(t, urls[0]+"/0", "e6")
	if arrived, again := r.tally(`{"do":"tally","args":{}}`); arrived != 0 || again != 1 {
		t.Errorf("after forgetting: arrived %d, again %d, want 0 and 1", arrived, again)
	}
}

func TestReceiverHangs(t *testing.T) {
	r := startReceiver(t)
	var urls []string
	if err := json.Unmarshal([]byte(r.ask(`{"do":"open","args":1}`)), &urls); err != nil {
		t.Fatal(err)
	}
	r.ask(`{"do":"behave","args":{"Hang":[3]}}`)
	answered := make(chan int)
	go func() { answered <- post(t, urls[0]+"/3", "e0") }()
	post(t, urls[0]+"/4", "e0")
	for !strings.Contains(r.ask(`{"do":"tally","args":{}}`), `"Held":1`) {
		time.Sleep(time.Millisecond)
	}
	r.ask(`{"do":"behave","args":{}}`)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("what hung was answered with %d", status)
	}
	if arrived, _ := r.tally(`{"do":"tally","args":{}}`); arrived != 1 {
		t.Errorf("arrived %d, want 1: what hung does not count", arrived)
	}
}

// TestReceiverIsSlow wants what arrives counted at once, and answered later.
func TestReceiverIsSlow(t *testing.T) {
	r := startReceiver(t)
	var urls []string
	if err := json.Unmarshal([]byte(r.ask(`{"do":"open","args":1}`)), &urls); err != nil {
		t.Fatal(err)
	}
	r.ask(`{"do":"behave","args":{"Slow":3600000000000}}`)
	answered := make(chan int)
	for i := range 2 {
		go func() { answered <- post(t, urls[0]+"/0", fmt.Sprint("e", i)) }()
	}
	if arrived, _ := r.tally(`{"do":"await","args":{"Arrived":2,"Within":60000000000}}`); arrived != 2 {
		t.Errorf("arrived %d, want 2", arrived)
	}
	if held := r.ask(`{"do":"tally","args":{}}`); !strings.Contains(held, `"Held":2,"Most":2`) {
		t.Errorf("tally %s, want 2 held", held)
	}
	r.ask(`{"do":"behave","args":{"Slow":1000000}}`)
	for range 2 {
		if status := <-answered; status != http.StatusOK {
			t.Errorf("answered with %d", status)
		}
	}
	if status := post(t, urls[0]+"/0", "e2"); status != http.StatusOK {
		t.Errorf("answered with %d", status)
	}
}

// TestDelay sends there and back through a longer way, and wants the bytes as they were.
func TestDelay(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		conn, err := echo.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	between, err := bench.StartDelay(t.Context(), echo.Addr().String(), 2*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer between.End()
	conn, err := net.Dial("tcp", between.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 20 {
		sent := strings.Repeat(fmt.Sprint(i, " "), 10_000)
		go func() { _, _ = io.WriteString(conn, sent) }()
		got := make([]byte, len(sent))
		began := time.Now()
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != sent {
			t.Fatalf("round %d: got other bytes: %v", i, err)
		}
		if took := time.Since(began); i > 0 && took < time.Millisecond {
			t.Errorf("round %d: was back before it can have been", i)
		}
	}
}
