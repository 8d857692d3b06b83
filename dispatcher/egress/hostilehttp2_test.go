package egress_test

import (
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// reply takes a request and says something to it, once.
func (a authority) reply(say func(p *peer, stream uint32), settings ...http2.Setting) func(net.Conn) {
	return a.http2(func(p *peer) {
		stream, _, _, err := p.take()
		if err != nil {
			return
		}
		say(p, stream)
		_ = p.flush()
		p.drain()
	}, settings...)
}

// forever takes a request and says the same to it until the client is gone;
// begin comes first. It reads meanwhile: a client whose answers nobody takes may stop.
func (a authority) forever(begin, again func(p *peer, stream uint32)) func(net.Conn) {
	return a.http2(func(p *peer) {
		stream, _, _, err := p.take()
		if err != nil {
			return
		}
		go p.drain()
		begin(p, stream)
		if p.flush() != nil {
			return
		}
		for p.out.Len() < 32<<10 {
			again(p, stream)
		}
		packed := p.out.Bytes()
		for err == nil {
			_, err = p.Write(packed)
		}
	})
}

func silence(*peer, uint32) {}

// head writes the header of an answer whose body is to follow.
func head(status string) func(*peer, uint32) {
	return func(p *peer, stream uint32) {
		_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(":status", status), EndHeaders: true})
	}
}

// references is a header of 60 KiB for a byte, again and again: the first sets
// an entry of the table, the others name it.
func references(n int) []byte {
	long := block(":status", "200", "x-a", strings.Repeat("b", 3<<10))
	return append(long, strings.Repeat("\xbe", n)...)
}

func http2Kinds(a authority, w wait) []hostile {
	goAway := func(p *peer, _ uint32) { _ = p.WriteGoAway(0, http2.ErrCodeNo, nil) }
	kinds := []hostile{
		{name: "HTTP/2: nothing after the settings", handle: a.reply(silence), reasons: isTimeout, timeout: w.soon},
		{name: "HTTP/2: no settings", handle: a.secure(drain, "h2"), reasons: isTimeout, timeout: w.soon},
		{name: "HTTP/2: goes away", handle: a.reply(goAway), reasons: isReset},
		{name: "HTTP/2: goes away and closes", handle: a.http2(func(p *peer) {
			if _, _, _, err := p.take(); err == nil {
				goAway(p, 0)
				_ = p.flush()
			}
		}), reasons: isReset},
		{name: "HTTP/2: closes after its settings", handle: a.http2(func(*peer) {}), reasons: isReset},
		{name: "HTTP/2: refuses every stream", handle: a.http2(func(p *peer) {
			for {
				stream, _, _, err := p.take()
				if err != nil {
					return
				}
				_ = p.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
				_ = p.flush()
			}
		}), reasons: isReset},
		{name: "HTTP/2: no streams", handle: a.http2(func(p *peer) { p.drain() }, http2.Setting{ID: http2.SettingMaxConcurrentStreams}),
			reasons: []webhook.Reason{webhook.ReasonReset, webhook.ReasonTimeout}, timeout: w.later},
		{name: "HTTP/2: window never opened", handle: a.http2(func(p *peer) { p.drain() }, http2.Setting{ID: http2.SettingInitialWindowSize}), reasons: isTimeout, timeout: w.soon},
		{name: "HTTP/2: a frame of 16 MiB", handle: a.reply(func(p *peer, stream uint32) {
			_, _ = p.out.Write([]byte{0xff, 0xff, 0xff, byte(http2.FrameData), 0, 0, 0, 0, byte(stream)})
		}), reasons: isReset},
		{name: "HTTP/2: a frame of 1 MiB", handle: a.reply(func(p *peer, stream uint32) {
			head("500")(p, stream)
			_, _ = p.out.Write([]byte{0x0f, 0xff, 0xff, byte(http2.FrameData), 0, 0, 0, 0, byte(stream), 'x'})
		}), reasons: isOK, status: 500},
		{name: "HTTP/2: a frame that never ends", handle: a.reply(func(p *peer, stream uint32) {
			head("500")(p, stream)
			_, _ = p.out.Write([]byte{0, 0x40, 0, byte(http2.FrameData), 0, 0, 0, 0, byte(stream), 'x'})
		}), reasons: isOK, status: 500, timeout: w.later},
		{name: "HTTP/2: header list over the limit", handle: a.reply(func(p *peer, stream uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: references(25), EndHeaders: true})
		}), reasons: isBroken},
		{name: "HTTP/2: 45 MiB of header in 15 KiB", handle: a.reply(func(p *peer, stream uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: references(12 << 10), EndHeaders: true})
		}), reasons: isBroken},
		{name: "HTTP/2: status of seven digits", handle: a.reply(head("2000000")), reasons: isProtocol},
		{name: "HTTP/2: status -1", handle: a.reply(head("-1")), reasons: isProtocol},
		{name: "HTTP/2: 101", handle: a.reply(head("101")), reasons: isTimeout, timeout: w.soon},
		{name: "HTTP/2: body stalls, 200", handle: a.reply(head("200")), reasons: isOK, status: 200, timeout: w.later},
		{name: "HTTP/2: reset in mid-body, 500", handle: a.reply(func(p *peer, stream uint32) {
			head("500")(p, stream)
			_ = p.WriteData(stream, false, []byte("some"))
			_ = p.WriteRSTStream(stream, http2.ErrCodeInternal)
		}), reasons: isOK, status: 500},
		{name: "HTTP/2: content-length too long", handle: a.reply(func(p *peer, stream uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(":status", "500", "content-length", "400"), EndHeaders: true})
			_ = p.WriteData(stream, true, []byte("some"))
		}), reasons: isOK, status: 500},
		{name: "HTTP/2: content-length twice", handle: a.reply(func(p *peer, stream uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(":status", "500", "content-length", "4", "content-length", "5"), EndHeaders: true})
			_ = p.WriteData(stream, true, []byte("some"))
		}), reasons: isOK, status: 500},
		{name: "HTTP/2: pushes", handle: a.reply(func(p *peer, stream uint32) {
			_ = p.WritePushPromise(http2.PushPromiseParam{StreamID: stream, PromiseID: 2, BlockFragment: block(":status", "200"), EndHeaders: true})
		}), reasons: isReset},
		{name: "HTTP/2: reads nothing, answers 500", handle: a.deafToTheBody(w.over), reasons: isOK, status: 500, timeout: w.later, body: huge},
	}
	return secured(kinds)
}

func secured(kinds []hostile) []hostile {
	for i := range kinds {
		kinds[i].secure = true
	}
	return kinds
}

// deafToTheBody opens all windows, answers at once, and reads nothing: the client
// waits for room in the socket while it holds what its reading of the answer needs.
func (a authority) deafToTheBody(over <-chan struct{}) func(net.Conn) {
	const all = 1<<31 - 1
	return func(conn net.Conn) {
		shrink(conn)
		a.http2(func(p *peer) {
			_ = p.WriteWindowUpdate(0, all-65535)
			_ = p.flush()
			for { // the request's header, and no more
				frame, err := p.ReadFrame()
				if err != nil {
					return
				}
				if frame.Header().Type == http2.FrameHeaders {
					break
				}
			}
			time.Sleep(100 * time.Millisecond) // the client is to be stuck in its writing when the answer comes
			head("500")(p, 1)
			for range 6 {
				_ = p.WriteData(1, false, make([]byte, 10<<10))
			}
			_ = p.flush()
			<-over
		}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: all})(conn)
	}
}

// http2FloodKinds say nothing at length. What they begin with is counted as an answer.
func http2FloodKinds(a authority) []hostile {
	frame := func(kind http2.FrameType, flags http2.Flags, payload string) func(*peer, uint32) {
		return func(p *peer, stream uint32) { _ = p.WriteRawFrame(kind, flags, stream, []byte(payload)) }
	}
	onConnection := func(kind http2.FrameType, payload string) func(*peer, uint32) {
		return func(p *peer, _ uint32) { _ = p.WriteRawFrame(kind, 0, 0, []byte(payload)) }
	}
	informational := func(p *peer, stream uint32) {
		_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(":status", "103"), EndHeaders: true})
	}
	openHeader := func(p *peer, stream uint32) {
		_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(":status", "200")})
	}
	data := strings.Repeat("x", 8<<10)
	pad := string([]byte{255}) + strings.Repeat("\x00", 255)
	kinds := []hostile{
		{name: "pings", handle: a.forever(silence, onConnection(http2.FramePing, "12345678")), reasons: isProtocol},
		{name: "answers to pings", handle: a.forever(silence, func(p *peer, _ uint32) { _ = p.WritePing(true, [8]byte{}) }), reasons: isProtocol},
		{name: "settings", handle: a.forever(silence, onConnection(http2.FrameSettings, "\x00\x04\x00\x00\xff\xff")), reasons: isProtocol},
		{name: "empty settings", handle: a.forever(silence, onConnection(http2.FrameSettings, "")), reasons: isProtocol},
		{name: "goaways", handle: a.forever(silence, func(p *peer, _ uint32) { _ = p.WriteGoAway(1, http2.ErrCodeNo, []byte(data)) }), reasons: isProtocol},
		{name: "priorities", handle: a.forever(silence, frame(http2.FramePriority, 0, "\x00\x00\x00\x03\x01")), reasons: isProtocol},
		{name: "unknown frames", handle: a.forever(silence, frame(0xbe, 0, "")), reasons: isProtocol},
		{name: "window updates", handle: a.forever(silence, onConnection(http2.FrameWindowUpdate, "\x00\x00\x00\x01")), reasons: isProtocol},
		{name: "resets of other streams", handle: a.forever(silence, func(p *peer, _ uint32) { _ = p.WriteRSTStream(3, http2.ErrCodeCancel) }), reasons: isProtocol},
		{name: "resets", handle: a.forever(silence, func(p *peer, stream uint32) { _ = p.WriteRSTStream(stream, http2.ErrCodeRefusedStream) }), reasons: isBroken},
		{name: "continuations", handle: a.forever(openHeader, frame(http2.FrameContinuation, 0, string(block("x-a", "b")))), reasons: isBroken},
		{name: "empty continuations", handle: a.forever(openHeader, frame(http2.FrameContinuation, 0, "")), reasons: isBroken},
		{name: "informational answers", handle: a.forever(silence, informational), reasons: isBroken},
		{name: "headers after headers", handle: a.forever(head("200"), informational), reasons: isOK, status: 200},
		{name: "headers of other streams", handle: a.forever(silence, func(p *peer, _ uint32) { head("200")(p, 3) }), reasons: isProtocol},
		{name: "data, 200", handle: a.forever(head("200"), frame(http2.FrameData, 0, data)), reasons: isOK, status: 200},
		{name: "data, 500", handle: a.forever(head("500"), frame(http2.FrameData, 0, data)), reasons: isOK, status: 500},
		{name: "empty data, 500", handle: a.forever(head("500"), frame(http2.FrameData, 0, "")), reasons: isOK, status: 500},
		{name: "padding, 500", handle: a.forever(head("500"), frame(http2.FrameData, http2.FlagDataPadded, pad)), reasons: isOK, status: 500},
		{name: "data without a header", handle: a.forever(silence, frame(http2.FrameData, 0, data)), reasons: isBroken},
		{name: "pings after the answer", handle: a.forever(func(p *peer, stream uint32) { _ = p.answer(stream, "200", "ok") },
			onConnection(http2.FramePing, "12345678")), reasons: isOK, status: 200},
	}
	for i := range kinds {
		kinds[i].name = "HTTP/2 flood: " + kinds[i].name
		kinds[i].hangsUp = true
	}
	return secured(kinds)
}
