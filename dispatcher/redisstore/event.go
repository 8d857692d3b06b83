package redisstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strconv"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// An event is kept as one string: a hash would take twice the memory.
//
//	byte 0       format: '1'; 't' where the publish was traced; or 'm' for a marker: only the digest is left
//	bytes 1-16   digest: SHA-256 of type, 0, payload, cut to 16 bytes (write.lua compares it)
//	bytes 17-20  nonce of the publish: tells a command that the client resent from an event published twice; or when a
//	             delivery of it was reopened last, s (hold.lua)
//	bytes 21-45  of 't' only: trace id (16 bytes), span id (8), flags
//	uvarint      published, ms
//	uvarint      expires, ms; 0 never
//	text         type        (uvarint length, bytes)
//	uvarint n, n × text      ids of the endpoints it goes to
//	the rest     payload
const (
	formatEvent  = '1'
	formatTraced = 't'
	formatMarker = 'm'
	digestSize   = 16
	nonceSize    = 4
	traceSize    = 16 + 8 + 1
	// startSize is that of what every event begins with.
	startSize = 1 + digestSize + nonceSize
)

var errFormat = errors.New("stored in a format that this version does not know")

func packEvent(f webhook.Fanout, nonce [nonceSize]byte) []byte {
	e := f.Event
	b := make([]byte, 0, 96+len(e.Type)+40*len(f.Endpoints)+len(e.Payload))
	traced := e.Trace != webhook.TraceContext{}
	format := byte(formatEvent)
	if traced {
		format = formatTraced
	}
	b = append(b, format)
	b = append(b, digest(e)...)
	b = append(b, nonce[:]...)
	if traced {
		b = append(b, e.Trace.TraceID[:]...)
		b = append(b, e.Trace.SpanID[:]...)
		b = append(b, e.Trace.Flags)
	}
	b = binary.AppendUvarint(b, uint64(millis(e.PublishedAt)))
	expires := uint64(0)
	if !e.ExpiresAt.IsZero() {
		expires = uint64(millis(e.ExpiresAt))
	}
	b = binary.AppendUvarint(b, expires)
	b = appendText(b, e.Type)
	b = binary.AppendUvarint(b, uint64(len(f.Endpoints)))
	for _, id := range f.Endpoints {
		b = appendText(b, id)
	}
	return append(b, e.Payload...)
}

func newNonce() (nonce [nonceSize]byte) {
	binary.NativeEndian.PutUint32(nonce[:], rand.Uint32())
	return nonce
}

func digest(e webhook.Event) []byte {
	h := sha256.New()
	h.Write([]byte(e.Type))
	h.Write([]byte{0})
	h.Write(e.Payload)
	return h.Sum(nil)[:digestSize]
}

// unpackEvent reads what packEvent wrote. Errors: errFormat, also when damaged.
func unpackEvent(ref webhook.EventRef, packed []byte) (f webhook.Fanout, err error) {
	f.Event, err = unpack(ref, packed, func(id string) { f.Endpoints = append(f.Endpoints, id) })
	return f, err
}

// unpack hands the ids of the endpoints on one by one, unless toEach is nil.
func unpack(ref webhook.EventRef, packed []byte, toEach func(id string)) (webhook.Event, error) {
	r, trace, err := afterStart(packed)
	if err != nil {
		return webhook.Event{}, err
	}
	e := webhook.Event{ID: ref.ID, Brand: ref.Brand, Trace: trace}
	e.PublishedAt = timeOf(int64(r.uvarint()))
	e.ExpiresAt = timeOf(int64(r.uvarint()))
	e.Type = r.text()
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		if id := r.bytes(); toEach != nil && !r.bad {
			toEach(string(id))
		}
	}
	if r.bad {
		return webhook.Event{}, errFormat
	}
	e.Payload = bytes.Clone(r.rest)
	return e, nil
}

// afterStart reads a packed event up to its times. Errors: errFormat.
func afterStart(packed []byte) (reader, webhook.TraceContext, error) {
	var trace webhook.TraceContext
	switch {
	case len(packed) >= startSize && packed[0] == formatEvent:
		return reader{rest: packed[startSize:]}, trace, nil
	case len(packed) >= startSize+traceSize && packed[0] == formatTraced:
		rest := packed[startSize:]
		rest = rest[copy(trace.TraceID[:], rest):]
		rest = rest[copy(trace.SpanID[:], rest):]
		trace.Flags = rest[0]
		return reader{rest: rest[1:]}, trace, nil
	}
	return reader{}, trace, errFormat
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// reader reads packed values; bad once anything was missing.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) text() string { return string(r.bytes()) }

// bytes answers what a text takes, of what is read.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

// number reads decimal digits that a script wrote; 0 when there are none.
func number(text string) int64 {
	if text == "" { // the common case of what may be there, whose error would cost more than a number
		return 0
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
