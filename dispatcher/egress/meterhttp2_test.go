package egress_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// takeMany reads requests of one frame, and answers their streams and by how much
// the client opened the connection's window meanwhile.
func (p *peer) takeMany(n int) (streams []uint32, opened int) {
	for len(streams) < n {
		frame, err := p.ReadFrame()
		if err != nil {
			break
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			streams = append(streams, frame.StreamID)
		case *http2.WindowUpdateFrame:
			if frame.StreamID == 0 {
				opened += int(frame.Increment)
			}
		}
	}
	return streams, opened
}

// frames reads up to the nth frame of a kind and answers how many there were.
func (p *peer) frames(kind http2.FrameType, flags http2.Flags, n int) (found int) {
	for found < n {
		frame, err := p.ReadFrame()
		if err != nil {
			break
		}
		if head := frame.Header(); head.Type == kind && head.Flags.Has(flags) {
			found++
		}
	}
	return found
}

// answerAll gives every stream an answer as long as its own window and the connection's let it be.
func (p *peer) answerAll(streams []uint32, window int) {
	const frame = 4 << 10
	for _, stream := range streams {
		head("200")(p, stream)
		for sent := 0; sent < 64<<10 && window > 0; sent += frame {
			size := min(frame, window)
			window -= size
			_ = p.WriteData(stream, false, make([]byte, size))
		}
	}
}

// When attempts end, as much may be on its way to them as the connection's window
// allows. That is no offence, and the next attempt does not suffer from it.
func TestAnswersToAttemptsThatAreOver(t *testing.T) {
	for name, beside := range map[string]bool{"before the next": false, "beside the next": true} {
		t.Run(name, func(t *testing.T) { answersThatAreLate(t, beside) })
	}
}

func answersThatAreLate(t *testing.T, beside bool) {
	const attempts = 20 // more than it takes to use up the window
	a := newAuthority(t)
	count := newCounted()
	taken, over := make(chan struct{}), make(chan bool, 1)
	server := listen(t, "127.0.0.1:0", a.http2(func(p *peer) {
		first, opened := p.takeMany(1)
		for _, stream := range first {
			_ = p.answer(stream, "200", "")
		}
		streams, more := p.takeMany(attempts)
		taken <- struct{}{}
		p.frames(http2.FrameRSTStream, 0, attempts)
		p.answerAll(streams, 1<<16-1+opened+more)
		if !beside {
			_ = p.WritePing(false, [8]byte{})
			_ = p.flush()
			over <- p.frames(http2.FramePing, http2.FlagPingAck, 1) == 1
		} else {
			over <- true
		}
		next, _ := p.takeMany(1)
		for _, stream := range next {
			_ = p.answer(stream, "200", "ok")
		}
		p.drain()
	}))
	client := newClient(t, a.trusting().WithWatch(count.watch))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	send(t, client, post(server.https("127.0.0.1"))) // so that all find the connection
	results := make(chan webhook.Response)
	for range attempts {
		go func() { results <- client.Send(ctx, post(server.https("127.0.0.1"))) }()
	}
	<-taken
	cancel()
	for range attempts {
		if got := <-results; got.Reason != webhook.ReasonInterrupted {
			t.Errorf("got %+v, want interrupted", got)
		}
	}
	if !<-over {
		t.Fatal("the connection was cut")
	}
	got := send(t, client, post(server.https("127.0.0.1")))
	if _, conns := count.of(server.Addr().String()); got.Status != 200 || conns != 1 {
		t.Errorf("the next one: %+v on connection %d, want 200 on the first", got, conns)
	}
}

// What attempts were given and did not use is gone with them, whether or not the
// connection ever is without one.
func TestNothingIsSavedUp(t *testing.T) {
	const attempts, pings, mostAnswered, mostRead = 40, 4000, 1000, 2 << 20
	a := newAuthority(t)
	for name, held := range map[string]int{"idle": 0, "in use": 1} {
		for kind, flood := range map[string]func(p *peer){
			"pings": func(p *peer) {
				for range pings {
					_ = p.WritePing(false, [8]byte{})
				}
			},
			"bytes": func(p *peer) {
				for range 3 * mostRead >> 13 {
					_ = p.WriteRawFrame(0xbe, 0, 0, make([]byte, 8<<10))
				}
			},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				count := newCounted()
				taken, now, answered := make(chan struct{}, 1), make(chan struct{}), make(chan int, 1)
				server := listen(t, "127.0.0.1:0", a.http2(func(p *peer) {
					for i := range held + attempts {
						stream, _, _, err := p.take()
						if err != nil {
							return
						}
						if i < held {
							taken <- struct{}{}
							continue
						}
						_ = p.answer(stream, "200", "ok")
					}
					<-now
					flood(p)
					go func() { _ = p.flush() }()
					answered <- p.frames(http2.FramePing, http2.FlagPingAck, pings)
				}))
				client := newClient(t, a.trusting().WithWatch(count.watch))
				results := make(chan webhook.Response, 1)
				for range held {
					go func() { results <- client.Send(t.Context(), post(server.https("127.0.0.1"))) }()
					<-taken
				}
				for range attempts {
					if got := send(t, client, post(server.https("127.0.0.1"))); got.Status != 200 {
						t.Fatalf("got %+v", got)
					}
				}
				close(now)
				if n := <-answered; n > mostAnswered {
					t.Errorf("%d pings were answered, want at most %d", n, mostAnswered)
				}
				count.awaitClosed(server.Addr().String())
				if read, conns := count.of(server.Addr().String()); read > mostRead || conns != 1 {
					t.Errorf("%d bytes were read on %d connections, want at most %d on 1", read, conns, mostRead)
				}
				for range held {
					if got := <-results; got.Reason != webhook.ReasonProtocol {
						t.Errorf("the one in flight: %+v, want protocol", got)
					}
				}
			})
		}
	}
}

// Nor is what the opening of a connection left: TLS takes a few KiB of it.
func TestTheOpeningLeavesNothing(t *testing.T) {
	a := newAuthority(t)
	count := newCounted()
	server := listen(t, "127.0.0.1:0", a.forever(silence, func(p *peer, _ uint32) { _ = p.WriteRawFrame(0xbe, 0, 0, nil) }))
	client := newClient(t, a.trusting().WithWatch(count.watch))
	if got := send(t, client, post(server.https("127.0.0.1"))); got.Reason != webhook.ReasonProtocol {
		t.Errorf("got %+v, want protocol", got)
	}
	count.awaitClosed(server.Addr().String())
	if read, _ := count.of(server.Addr().String()); read > perPost+16<<10 {
		t.Errorf("%d bytes were read, want at most %d", read, perPost+16<<10)
	}
}

// What a large payload was given stays its own when others end beside it.
func TestLargePayloadBesideOthers(t *testing.T) {
	a := newAuthority(t)
	begun, others := make(chan struct{}), make(chan struct{})
	url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{*a.cert}}, true, func(_ http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 1<<20 {
			begun <- struct{}{}
			<-others
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	count := newCounted()
	client := newClient(t, a.trusting().WithWatch(count.watch))
	large := post(url)
	large.Body = make([]byte, 16<<20)
	result := make(chan webhook.Response, 1)
	go func() { result <- client.Send(t.Context(), large) }()
	<-begun
	other := post(url)
	other.Body = nil // the large one has all that the receiver lets in
	if got := send(t, client, other); got.Status != 200 {
		t.Errorf("the other: %+v", got)
	}
	close(others)
	got := <-result
	if _, conns := count.of(strings.TrimPrefix(url, "https://")); got.Status != 200 || conns != 1 {
		t.Errorf("%+v on %d connections", got, conns)
	}
}
