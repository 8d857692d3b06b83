package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// halfBody is a request that was let in and is waited for: it holds the room for its body, and nothing comes.
type halfBody struct{ *socket }

// half begins a publish with a body of so many bytes. It answers false, and the status, when there is no room.
func (a api) half(t *testing.T, brand string, bytes int) (halfBody, int) {
	t.Helper()
	s := a.dial(t)
	s.write(head(brand, "brand-"+brand, length(bytes), "Expect: 100-continue"))
	line, err := s.in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var status int
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &status); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return halfBody{s}, status
}

// fill begins publishes until there is no room for one more, and answers the status of the refusal.
func (a api) fill(t *testing.T, brand string, bytes int) (held []halfBody, status int) {
	t.Helper()
	for range 1000 {
		s, status := a.half(t, brand, bytes)
		if status != http.StatusContinue {
			return held, status
		}
		held = append(held, s)
	}
	t.Fatal("there is room for everything")
	return nil, 0
}

// end hangs up, and waits until the server has seen it: what it held is free then.
func (h halfBody) end() {
	h.t.Helper()
	_ = h.conn.(interface{ CloseWrite() error }).CloseWrite()
	if _, err := h.in.ReadString('\n'); err != nil { // the rest of the 100
		h.t.Fatal(err)
	}
	if got := h.answer(); got.status != 400 {
		h.t.Errorf("status %d for half a body", got.status)
	}
	h.ends()
}

const large = 8<<20 - 64<<10

// A brand alone has half of the room. What it leaves is for the others, of whom each leaves something for the next.
func TestNoBrandTakesAllRoom(t *testing.T) {
	a := start(t)
	first, status := a.fill(t, "first", large)
	if len(first) != 4 || status != http.StatusTooManyRequests {
		t.Errorf("the first brand has %d requests under way, then %d", len(first), status)
	}
	second, status := a.fill(t, "second", large)
	if len(second) != 2 || status != http.StatusTooManyRequests {
		t.Errorf("the second has %d, then %d", len(second), status)
	}
	for _, brand := range []string{"third", "fourth", "fifth"} {
		if held, _ := a.fill(t, brand, 1<<20); len(held) == 0 {
			t.Errorf("nothing is left for the %s", brand)
		}
	}
	if got := a.send(t, "POST", "/v1/brands/first/events", okBody, "Authorization", "Bearer wrong"); got.status != 401 {
		t.Errorf("who is nobody learns that the brand has no room: %d", got.status)
	}
	receipt := a.send(t, "POST", "/v1/brands/quiet/events", okBody)
	if receipt.status != 202 {
		t.Errorf("a quiet brand: %d %s", receipt.status, receipt.body)
	}
	refused := a.send(t, "POST", "/v1/brands/first/events", strings.Repeat(" ", large))
	if refused.status != http.StatusTooManyRequests && refused.status != http.StatusServiceUnavailable || refused.header.Get("Retry-After") != "1" {
		t.Errorf("one more of the first: %d %v", refused.status, refused.header)
	}
}

// However many brands there are, together they hold no more than there is.
func TestThereIsAnEndToAllRoom(t *testing.T) {
	a := start(t)
	var requests int
	for brand := range 100 {
		held, _ := a.fill(t, fmt.Sprint("b", brand), 1<<20)
		requests += len(held)
	}
	if requests < 56 || requests > 64 {
		t.Errorf("%d bodies of a MiB are under way, want nearly 64", requests)
	}
	refused := a.send(t, "POST", "/v1/brands/next/events", strings.Repeat(" ", large))
	checkProblem(t, refused, http.StatusServiceUnavailable, "", "")
	if refused.header.Get("Retry-After") != "1" {
		t.Errorf("headers %v", refused.header)
	}
}

// Whatever becomes of a request, what it held is free afterwards.
func TestRoomIsGivenBack(t *testing.T) {
	a := start(t)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			a.send(t, "POST", batchPath, `{"events":[`+strings.TrimSuffix(strings.Repeat(okBody+",", 1+i), ",")+`]}`)
			a.send(t, "POST", publishPath, strings.Repeat("{", 1000*i))
			a.send(t, "POST", endpointPath, strings.Repeat(" ", 300<<10), "Authorization", "Bearer brand-acme")
			a.send(t, "POST", publishPath, okBody, "Content-Type", "text/plain")
			a.send(t, "POST", publishPath, okBody, "Authorization", "Bearer brand-other")
			a.send(t, "GET", "/v1/brands/acme/events?limit=0", "")
			a.send(t, "GET", "/v1/brands/acme/attempts", "")
		})
	}
	wg.Wait()
	for range 3 {
		held, _ := a.fill(t, "acme", large)
		if len(held) != 4 {
			t.Fatalf("there is room for %d, want 4", len(held))
		}
		for _, h := range held {
			h.end()
		}
	}
}

// A body that does not say how long it is takes room as it comes.
func TestChunksTakeRoomAsTheyCome(t *testing.T) {
	a := start(t, func(c *httpapi.Config) { c.RequestsAtOnce = 256 })
	chunk := func(n int) string { return fmt.Sprintf("%x\r\n%s\r\n", n, strings.Repeat(" ", n)) }
	var streams []*socket
	for range 100 { // many more than would fit with the largest body each
		s := a.dial(t)
		s.write(head("acme", "brand-acme", "Transfer-Encoding: chunked", "Expect: 100-continue"))
		if line, err := s.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = s.in.ReadString('\n')
		s.write(chunk(1000))
		streams = append(streams, s)
	}
	refused := map[*socket]bool{}
	for _, s := range streams[:20] { // no room for all of these
		if _, err := io.WriteString(s.conn, chunk(4<<20)); err != nil { // not read on
			refused[s] = true
		}
	}
	for _, s := range streams[:20] {
		_ = s.conn.(interface{ CloseWrite() error }).CloseWrite()
		if response, err := http.ReadResponse(s.in, nil); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusTooManyRequests {
				refused[s] = true
			}
		}
	}
	if len(refused) < 10 {
		t.Errorf("%d of 20 refused, want more than half", len(refused))
	}
	s := streams[99] // began before, and is small
	s.write(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(okBody), okBody))
	if got := s.answer(); got.status != 202 {
		t.Errorf("a small one: %d %s", got.status, got.body)
	}
}

// What is not small takes room before it is read; a route that is new is not small until somebody says so.
func TestAnswersTakeRoom(t *testing.T) {
	a := start(t)
	small := map[string]bool{
		"getEndpoint": true, "deleteEndpoint": true, "enableEndpoint": true, "disableEndpoint": true, "updateEndpoint": true, "createEndpoint": true,
		"publish": true, "publishBatch": true, "rotateSecret": true, "testEndpoint": true, "checkURL": true, "createKey": true, "revokeKey": true,
		"resendDeadLetters": true, "deleteDeadLetters": true, "recoverEndpoint": true, "getJob": true, "cancelJob": true, "getBrandHealth": true, "eraseBrand": true,
	}
	if held, _ := a.fill(t, "acme", large); len(held) != 4 {
		t.Fatalf("%d", len(held))
	}
	for _, op := range a.operations(t) {
		if small[op.id] {
			continue
		}
		if path := op.pathFor("acme"); strings.Contains(path, "acme") {
			checkProblem(t, a.send(t, op.method, path, ""), http.StatusTooManyRequests, "", "")
		}
		if got := a.send(t, op.method, op.pathFor("other"), ""); got.status != 200 && got.status != 404 {
			t.Errorf("%s of another brand: %d", op.id, got.status)
		}
	}
	if got := a.send(t, "GET", "/v1/brands/acme/endpoints/ep-1", ""); got.status != 404 {
		t.Errorf("a small answer: %d", got.status)
	}
	got := a.send(t, "GET", "/v1/event-types", "", "Authorization", "Bearer brand-acme")
	checkProblem(t, got, http.StatusTooManyRequests, "", "") // on the account of who asks: there is no other
	if got := a.send(t, "GET", "/v1/event-types", "", "Authorization", "Bearer brand-other"); got.status != 200 {
		t.Errorf("another brand: %d", got.status)
	}
}

// However small they are, a brand has half of the requests that may be under way, and leaves something for each that comes.
func TestRequestsUnderWayAreCounted(t *testing.T) {
	a := start(t, func(c *httpapi.Config) { c.RequestsAtOnce = 16 })
	for i, want := range []int{8, 4, 2, 1} {
		held, status := a.fill(t, fmt.Sprint("b", i), 10)
		if len(held) != want || status != http.StatusTooManyRequests {
			t.Errorf("brand %d has %d under way, then %d; want %d", i, len(held), status, want)
		}
		if i == 0 { // what it has goes on
			held[0].write("          ")
			_, _ = held[0].in.ReadString('\n')
			if got := held[0].answer(); got.status != 400 {
				t.Errorf("the first: %d", got.status)
			}
			if again, _ := a.fill(t, "b0", 10); len(again) != 1 {
				t.Errorf("%d instead of one that ended", len(again))
			}
		}
	}
	if held, _ := start(t).fill(t, "acme", 10); len(held) != 64 {
		t.Errorf("%d by default, want 64", len(held))
	}
}

// The room grows with the largest request that is allowed.
func TestRoomFitsTheLargestRequest(t *testing.T) {
	a := start(t, func(c *httpapi.Config) { c.RequestBytes = 100 << 20 })
	if _, status := a.half(t, "acme", 100<<20); status != http.StatusContinue {
		t.Errorf("a body that is allowed has no room: %d", status)
	}
}
