package main

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
)

// place is a listener with so few connections that a test can fill it.
type place struct {
	t       *testing.T
	address string
	crowd   *crowd
	// asked gets each request to /wait and /keep, which is answered when answer says so. That to /keep is admitted.
	asked  chan struct{}
	answer chan struct{}
}

func newPlace(t *testing.T, most int, log io.Writer) place {
	t.Helper()
	p := place{t: t, asked: make(chan struct{}, 100), answer: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keep" {
			admitted(r)
		}
		if r.URL.Path != "/" {
			p.asked <- struct{}{}
			<-p.answer
		}
		_, _ = io.WriteString(w, "ok")
	})}
	p.crowd = &crowd{most: most, log: slog.New(slog.NewTextHandler(log, nil))}
	p.crowd.bind(server)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
	return p
}

// guest is one connection to the place.
type guest struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (p place) guest() guest {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(dispatchertest.Patience))
	return guest{p.t, conn, bufio.NewReader(conn)}
}

func (g guest) write(text string) {
	g.t.Helper()
	if _, err := io.WriteString(g.conn, text); err != nil {
		g.t.Fatal(err)
	}
}

// gets sends a request and reads its answer.
func (g guest) gets() {
	g.t.Helper()
	g.write("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
	g.isAnswered()
}

func (g guest) isAnswered() {
	g.t.Helper()
	response, err := http.ReadResponse(g.in, nil)
	if err != nil {
		g.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "ok" {
		g.t.Fatalf("answer %q, %v", body, err)
	}
}

// isSentAway waits until the connection is closed.
func (g guest) isSentAway() {
	g.t.Helper()
	rest, err := io.ReadAll(g.in)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) || len(rest) > 0 {
		g.t.Errorf("the connection is open: %q, %v", rest, err)
	}
}

// settled waits until so many wait for their client and so many connections are open.
func (p place) settled(waiting, open int) {
	p.t.Helper()
	dispatchertest.Eventually(p.t, func() bool {
		p.crowd.mu.Lock()
		defer p.crowd.mu.Unlock()
		return p.crowd.waiting.Len() == waiting && len(p.crowd.open) == open
	})
}

func TestTheLongestIdleMakesRoom(t *testing.T) {
	var log strings.Builder
	p := newPlace(t, 3, &log)
	var guests []guest
	for i := range 3 {
		guests = append(guests, p.guest())
		guests[i].gets()
		p.settled(i+1, i+1)
	}
	guests[0].gets() // now the second has waited longest
	p.settled(3, 3)
	late := p.guest()
	late.gets()
	guests[1].isSentAway()
	for _, g := range []guest{guests[0], guests[2], late} {
		g.gets()
	}
	p.guest().gets()
	p.settled(3, 3)
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings within a minute:\n%s", n, &log)
	}
}

// Who is silent, or sends a header by the byte, shuts nobody out.
func TestUnfinishedHeadersMakeRoom(t *testing.T) {
	p := newPlace(t, 3, io.Discard)
	beginnings := []string{"", "G", "GET / HTTP/1.1\r\nHost: example.com\r\nX-Slow: "}
	var slow []guest
	for i, text := range beginnings {
		slow = append(slow, p.guest())
		slow[i].write(text)
		p.settled(i+1, i+1)
	}
	for range 10 {
		p.guest().gets()
	}
	for _, g := range slow {
		g.isSentAway()
	}
}

// asks sends a request and waits until it is being answered.
func (g guest) asks(p place, path string) {
	g.t.Helper()
	g.write("GET " + path + " HTTP/1.1\r\nHost: example.com\r\n\r\n")
	<-p.asked
}

// Who was not admitted keeps no connection with an answer, such as one that it does not read.
func TestWhoIsNotAdmittedMakesRoom(t *testing.T) {
	p := newPlace(t, 3, io.Discard)
	kept := p.guest()
	kept.asks(p, "/keep")
	strangers := []guest{p.guest(), p.guest()}
	for _, g := range strangers {
		g.asks(p, "/wait")
	}
	p.settled(2, 3)
	for range 10 {
		p.guest().gets()
	}
	for _, g := range strangers {
		g.isSentAway()
	}
	close(p.answer)
	kept.isAnswered()
}

func TestWhoIsAdmittedStays(t *testing.T) {
	p := newPlace(t, 2, io.Discard)
	busy := []guest{p.guest(), p.guest()}
	for _, g := range busy {
		g.asks(p, "/keep")
	}
	p.guest().isSentAway()
	close(p.answer)
	for _, g := range busy {
		g.isAnswered()
	}
	p.settled(2, 2)
	p.guest().gets() // for whom one of the two goes
}

func TestConnectionsThatEndLeaveNothing(t *testing.T) {
	p := newPlace(t, 3, io.Discard)
	for range 20 {
		g := p.guest()
		g.gets()
		g.conn.Close()
	}
	p.settled(0, 0)
}
