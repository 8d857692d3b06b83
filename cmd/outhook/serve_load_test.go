package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// peakMiB is the most memory that the process has had.
func (c *child) peakMiB(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		t.Skip("this system does not tell the memory of a process")
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Skip("this system does not tell the peak")
	return 0
}

// brandKey makes a key of a brand.
func (c *child) brandKey(t *testing.T, brand string) string {
	t.Helper()
	made, err := c.client(t).CreateKey(t.Context(), httpapi.KeyRequest{Brand: brand})
	if err != nil {
		t.Fatal(err)
	}
	return made.Key
}

// post sends a body and answers the status; 0 when the connection broke, as it may when the server does not read on.
func (c *child) post(t *testing.T, path, key string, body []byte) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.api+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func largeBatch() []byte {
	event := `{"type":"message.read","payload":{"filler":"` + strings.Repeat("x", 16_000) + `"}}`
	return []byte(`{"events":[` + strings.TrimSuffix(strings.Repeat(event+",", 500), ",") + `]}`)
}

// publishes sends small events with a key of the brand quiet, each until it is taken: a machine that is busy with this test may
// be slow, but there has to be room.
func (c *child) publishes(t *testing.T, n int, quiet string) {
	t.Helper()
	for range n {
		dispatchertest.Eventually(t, func() bool {
			status := c.post(t, "/v1/brands/quiet/events", quiet, []byte(`{"type":"message.read","payload":{}}`))
			if status == http.StatusTooManyRequests {
				t.Fatal("there is no room for the quiet brand")
			}
			return status == http.StatusAccepted
		})
	}
}

// Two hundred clients send 8 MiB each at the same time. What is taken is taken quickly, the rest is refused, and there is room
// for a brand that sends little.
func TestServeUnderLargeRequestsOfMany(t *testing.T) {
	if raceEnabled {
		t.Skip("takes long with the race detector, whose memory would be measured too")
	}
	const clients = 200
	c := startServe(t, redistest.Start(t).Addr(), "--role=api")
	c.awaitReady(t, 200, "ok\n")
	quiet, before, body := c.brandKey(t, "quiet"), c.peakMiB(t), largeBatch()
	var mu sync.Mutex
	counts := map[int]int{}
	var flood sync.WaitGroup
	began := time.Now()
	for i := range clients {
		flood.Go(func() {
			status := c.post(t, fmt.Sprintf("/v1/brands/loud%d/events/batch", i%10), testKey, body)
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
	}
	c.publishes(t, 20, quiet)
	flood.Wait()
	after := c.peakMiB(t)
	t.Logf("%d clients with %d bytes each: answers %v in %s; peak of memory %d MiB, before %d MiB", clients, len(body), counts, time.Since(began), after, before)
	if counts[202] == 0 || counts[202]+counts[429]+counts[503]+counts[0] != clients {
		t.Errorf("answers %v", counts)
	}
	checkGrowth(t, before, after)
}

// checkGrowth allows what requests may hold, 64 MiB, six times over: as they came, cut, packed, in the pipeline to Redis, and
// not yet collected.
func checkGrowth(t *testing.T, before, after int) {
	t.Helper()
	const most = 6 * 64
	if grown := after - before; grown > most {
		t.Errorf("memory grew by %d MiB, at most %d MiB are meant", grown, most)
	}
}

// A thousand clients hold half a request each, with a key and without one. The others go on.
func TestServeUnderHalfRequestsOfMany(t *testing.T) {
	c := startServe(t, redistest.Start(t).Addr(), "--role=api")
	c.awaitReady(t, 200, "ok\n")
	bad, quiet, before := c.brandKey(t, "bad"), c.brandKey(t, "quiet"), c.peakMiB(t)
	c.publishes(t, 1, quiet) // the wrong keys of an address hinder no key that is known to be good
	began := strings.Repeat(" ", 64<<10)
	for i := range 1000 {
		key := bad
		if i%2 == 0 {
			key = "wrong"
		}
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.api, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "POST /v1/brands/bad/events/batch HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", key, 8<<20, began) // may be refused meanwhile
	}
	c.publishes(t, 20, quiet)
	after := c.peakMiB(t)
	t.Logf("1,000 half requests: peak of memory %d MiB, before %d MiB", after, before)
	checkGrowth(t, before, after)
}

// More connections than there may be, all silent: whoever comes later is served.
func TestServeUnderMoreConnectionsThanThereMayBe(t *testing.T) {
	long(t)
	c := startServe(t, redistest.Start(t).Addr(), "--role=api")
	c.awaitReady(t, 200, "ok\n")
	before := c.peakMiB(t)
	for range mostConnections + 500 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.api, "http://"))
		if err != nil {
			t.Skipf("this machine has not that many: %v", err)
		}
		defer conn.Close()
		// One answer each, so that it is idle and not merely new.
		if _, err := io.WriteString(conn, "GET /docs/nothing HTTP/1.1\r\nHost: example.com\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := get(t, c.api+"/openapi.json", ""); status != 200 {
		t.Errorf("whoever comes later is answered %d", status)
	}
	dispatchertest.Eventually(t, func() bool { return len(c.warnings("connections are closed for new ones")) == 1 })
	t.Logf("%d connections: peak of memory %d MiB, before %d MiB", mostConnections, c.peakMiB(t), before)
}

func long(t *testing.T) {
	t.Helper()
	if os.Getenv("OUTHOOK_TEST_LONG") == "" {
		t.Skip("takes long: set OUTHOOK_TEST_LONG=1")
	}
}
