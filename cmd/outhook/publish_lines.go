package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// maxLine bounds a line, in bytes: with a little around it, it fills a batch.
const maxLine = batchBytes - 1<<10

// eventLine is one line of NDJSON: an event, or why it is none.
type eventLine struct {
	number int
	bytes  int // of the line as read
	event  httpapi.PublishRequest
	err    error
}

// lineReader reads events of one brand, one a line.
type lineReader struct {
	brand string
	in    *bufio.Reader
	count int
}

func newLineReader(brand string, in io.Reader) *lineReader {
	return &lineReader{brand: brand, in: bufio.NewReaderSize(in, 64<<10)}
}

// next returns the next line that is not empty. Its error ends the input; a bad line has one of its own.
func (r *lineReader) next() (eventLine, error) {
	for {
		raw, size, err := r.line()
		if size == 0 && err != nil {
			return eventLine{}, err
		}
		r.count++
		l := eventLine{number: r.count, bytes: size}
		if size > maxLine {
			l.err = fmt.Errorf("must be at most %d bytes, is %d", maxLine, size)
			return l, nil
		}
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		l.event, l.err = r.event(raw)
		return l, nil
	}
}

// line returns a line and its size; of one that is too long, only that.
func (r *lineReader) line() (raw []byte, size int, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		size += len(part)
		if size <= maxLine {
			raw = append(raw, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return raw, size, err
		}
	}
}

// event returns the event of a line. One without an id gets one now, which is what makes it safe to repeat.
func (r *lineReader) event(raw []byte) (httpapi.PublishRequest, error) {
	e, err := parseEvent(raw)
	if errors.Is(err, errNoEvent) {
		if rule := malformed(raw); rule != "" {
			err = errors.New(rule)
		}
	}
	if err != nil {
		return e, err
	}
	if e.ID == "" {
		e.ID = webhook.NewID(webhook.EventPrefix)
	}
	return e, checkEvent(webhook.Event{ID: e.ID, Brand: r.brand, Type: e.Type, Payload: e.Payload}, maxLine)
}

// parseEvent is as strict as the API: names in their own case, each once, no others.
func parseEvent(raw []byte) (e httpapi.PublishRequest, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return e, errNoEvent
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return e, errNoEvent
		}
		if seen[name] {
			return e, webhook.Invalid(oneLine(name), "is given twice")
		}
		seen[name] = true
		if err := setField(&e, name, value); err != nil {
			return e, err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return e, errNoEvent
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return e, errNoEvent
	}
	return e, nil
}

var errNoEvent = errors.New(`must be one JSON object with "type" and "payload"`)

func setField(e *httpapi.PublishRequest, name string, value json.RawMessage) error {
	switch name {
	case "id":
		if string(value) == `""` {
			return webhook.Invalid(name, "must not be empty: leave it out to have one made")
		}
		return decodeField(name, "must be a string", value, &e.ID)
	case "type":
		return decodeField(name, "must be a string", value, &e.Type)
	case "expiresAt":
		return decodeField(name, "must be a time as in RFC 3339", value, &e.ExpiresAt.Time)
	case "payload":
		e.Payload = value
		return nil
	}
	return webhook.Invalid(oneLine(name), "is not a field of an event")
}

func decodeField(name, rule string, value json.RawMessage, field any) error {
	if json.Unmarshal(value, field) != nil {
		return webhook.Invalid(name, "%s", rule)
	}
	return nil
}
