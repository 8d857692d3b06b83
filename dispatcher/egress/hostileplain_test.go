package egress_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var (
	isOK       = []webhook.Reason{webhook.ReasonOK}
	isTimeout  = []webhook.Reason{webhook.ReasonTimeout}
	isReset    = []webhook.Reason{webhook.ReasonReset}
	isProtocol = []webhook.Reason{webhook.ReasonProtocol}
	isTLS      = []webhook.Reason{webhook.ReasonTLS}
	// A receiver that closes with something left to read resets the connection,
	// and what it had said may be lost.
	isBroken = []webhook.Reason{webhook.ReasonReset, webhook.ReasonProtocol}
)

// slowly writes a byte each second after the first text, until the other side is gone.
func slowly(first, text string) func(net.Conn) {
	return func(conn net.Conn) {
		takeRequest(conn)
		_, err := io.WriteString(conn, first)
		for i := 0; err == nil; i++ {
			_, err = conn.Write([]byte{text[i%len(text)]})
			time.Sleep(time.Second) // the pace of the fault
		}
	}
}

// deaf takes little into its buffers and reads nothing until all is over; it may
// say something.
func deaf(text string, over <-chan struct{}) func(net.Conn) {
	return func(conn net.Conn) {
		shrink(conn)
		_, _ = conn.Read(make([]byte, 1)) // an answer before its request would be none
		_, _ = io.WriteString(conn, text)
		<-over
	}
}

func shrink(conn net.Conn) { _ = conn.(*net.TCPConn).SetReadBuffer(2 << 10) }

// bomb is 64 MiB in a thousandth of that.
var bomb = sync.OnceValue(func() string {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	_, _ = w.Write(make([]byte, 64<<20))
	_ = w.Close()
	return packed.String()
})

// huge is more than the buffers of both ends of a connection take.
var huge = make([]byte, 16<<20)

func slowKinds(w wait) []hostile {
	return []hostile{
		{name: "nothing after the connection", handle: stall(""), reasons: isTimeout, timeout: w.soon},
		{name: "one byte a second of header", handle: slowly("HTTP/1.1 200 OK\r\nX-A: ", "x"), reasons: isTimeout, timeout: w.soon},
		{name: "one byte a second of status line", handle: slowly("", "HTTP/1.1 200 OK"), reasons: isTimeout, timeout: w.soon},
		// The deadline is far away: a second of body is all it gets.
		{name: "one byte a second of body, 200", handle: slowly("HTTP/1.1 200 OK\r\n\r\n", "x"), reasons: isOK, status: 200, timeout: time.Hour},
		{name: "one byte a second of body, 500", handle: slowly("HTTP/1.1 500 No\r\n\r\n", "x"), reasons: isOK, status: 500, timeout: w.later},
		{name: "one byte a second of chunked body, 500", handle: slowly(fmt.Sprintf(chunk, 500), "1\r\nx\r\n"), reasons: isOK, status: 500, timeout: w.later},
		{name: "reads nothing", handle: deaf("", w.over), reasons: isTimeout, timeout: w.soon, body: huge},
		{name: "reads nothing, answers 500", handle: deaf(head500+"some", w.over), reasons: isOK, status: 500, timeout: w.later, body: huge},
	}
}

func plainKinds(w wait) []hostile {
	const early = "HTTP/1.1 103 Early Hints\r\n\r\n"
	text := strings.Repeat("x", 32<<10)
	many := func(first, again, last string) func(net.Conn) {
		packed := strings.Repeat(again, max(1, 32<<10/len(again)))
		if last == "" {
			return flood(first, packed)
		}
		return once(first + packed + last)
	}
	return []hostile{
		{name: "gzip bomb, 500", handle: once("HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\n\r\n" + bomb()), reasons: isOK, status: 500},
		{name: "gzip bomb, 200", handle: once("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bomb()), reasons: isOK, status: 200},
		{name: "gzip as transfer-encoding", handle: once("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + bomb()), reasons: isBroken},
		{name: "body without end, 200", handle: flood("HTTP/1.1 200 OK\r\n\r\n", text), reasons: isOK, status: 200, hangsUp: true},
		{name: "body without end, 500", handle: flood("HTTP/1.1 500 No\r\n\r\n", text), reasons: isOK, status: 500, hangsUp: true},
		{name: "chunks without end, 500", handle: many(fmt.Sprintf(chunk, 500), "1\r\nx\r\n", ""), reasons: isOK, status: 500, hangsUp: true},
		{name: "300,000 informational answers", handle: once(strings.Repeat(early, 300_000)), reasons: isProtocol, hangsUp: true},
		{name: "10 MiB of headers", handle: once("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("b", 1017)+"\r\n", 10<<10) + "\r\n"), reasons: isProtocol, hangsUp: true},
		{name: "headers without end", handle: many("HTTP/1.1 200 OK\r\n", "X-A: b\r\n", ""), reasons: isProtocol, hangsUp: true},
		{name: "a header without end", handle: flood("HTTP/1.1 200 OK\r\nX-A: ", text), reasons: isProtocol, hangsUp: true},
		{name: "60 KiB of small headers", handle: once("HTTP/1.1 500 No\r\n" + smallHeaders(60<<10) + "\r\n"), reasons: isOK, status: 500},
		{name: "60 KiB of small headers, body stalls", handle: stall("HTTP/1.1 500 No\r\nContent-Length: 9\r\n" + smallHeaders(60<<10) + "\r\n"), reasons: isOK, status: 500, timeout: w.later, heavy: true},
		{name: "a status line without end", handle: flood("HTTP/1.1 200 ", text), reasons: isProtocol, hangsUp: true},
		{name: "trailers without end", handle: many(fmt.Sprintf(chunk, 500)+"0\r\n", "X-A: b\r\n", ""), reasons: isOK, status: 500, hangsUp: true},
		{name: "a trailer without end", handle: flood(fmt.Sprintf(chunk, 500)+"0\r\nX-A: ", text), reasons: isOK, status: 500, hangsUp: true},
		{name: "101, then a flood", handle: flood("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", text), reasons: isOK, status: 101, hangsUp: true},
		{name: "HTTP/0.9", handle: once("<html>hello</html>\n"), reasons: isProtocol},
		{name: "HTTP/3.7", handle: once("HTTP/3.7 200 OK\r\n\r\n"), reasons: []webhook.Reason{webhook.ReasonOK}, status: 200},
		{name: "garbage without end", handle: flood("", strings.Repeat("\x00\xff\x16\r", 8<<10)), reasons: isProtocol, hangsUp: true},
		{name: "status 000", handle: once("HTTP/1.1 000 No\r\n\r\n"), reasons: isProtocol},
		{name: "answers without end", handle: flood(ok, strings.Repeat(ok, 1000)), reasons: isOK, status: 200, hangsUp: true},
	}
}

// smallHeaders are as many names as fit: each costs much more than its bytes.
func smallHeaders(size int) string {
	var text strings.Builder
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, "%x:\r\n", i)
	}
	return text.String()
}

// lengthKinds lie about how long their bodies are.
func lengthKinds() []hostile {
	chunks := func(status int, text string) func(net.Conn) { return once(fmt.Sprintf(chunk, status) + text) }
	length := func(lines, body string) func(net.Conn) {
		return once("HTTP/1.1 500 No\r\n" + lines + "\r\n\r\n" + body)
	}
	return []hostile{
		{name: "reset in mid-body, 200", handle: resetAfter(head200 + "some"), reasons: isOK, status: 200},
		{name: "reset in mid-body, 500", handle: resetAfter(head500 + "some"), reasons: isOK, status: 500},
		{name: "chunk size that is none", handle: chunks(500, "zz\r\nabc"), reasons: isOK, status: 500},
		{name: "chunk size that is negative", handle: chunks(500, "-5\r\nabcde\r\n"), reasons: isOK, status: 500},
		{name: "chunk size over 64 bits", handle: chunks(500, strings.Repeat("f", 17)+"\r\nabc"), reasons: isOK, status: 500},
		{name: "chunk size of 2^63", handle: flood(fmt.Sprintf(chunk, 500)+"7fffffffffffffff\r\n", strings.Repeat("x", 32<<10)), reasons: isOK, status: 500, hangsUp: true},
		{name: "chunk extension without end", handle: flood(fmt.Sprintf(chunk, 500)+"5;", strings.Repeat("x", 32<<10)), reasons: isOK, status: 500, hangsUp: true},
		{name: "chunk without its line end", handle: chunks(200, "2\r\nabcde\r\n0\r\n\r\n"), reasons: isOK, status: 200},
		{name: "content-length too short", handle: length("Content-Length: 4", "somemore"), reasons: isOK, status: 500},
		{name: "content-length too long", handle: length("Content-Length: 400", "some"), reasons: isOK, status: 500},
		{name: "content-length of 2^63-1", handle: length("Content-Length: 9223372036854775807", "some"), reasons: isOK, status: 500},
		{name: "content-length negative", handle: length("Content-Length: -4", "some"), reasons: isBroken},
		{name: "content-length over 64 bits", handle: length("Content-Length: 99999999999999999999", "some"), reasons: isBroken},
		{name: "content-length twice, different", handle: length("Content-Length: 4\r\nContent-Length: 5", "some"), reasons: isBroken},
		{name: "content-length and chunks", handle: length("Content-Length: 4\r\nTransfer-Encoding: chunked", "2\r\nab\r\n0\r\n\r\n"), reasons: isOK, status: 500},
	}
}
