package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// preallocated bounds what a request gets for its mere Content-Length,
	// unknownLength is what one without it gets.
	preallocated  = 64 << 10
	unknownLength = 4 << 10
)

// envelopeDepth is how deep a payload lies in a batch.
const envelopeDepth = 3

// readJSON returns the body, at most limit bytes of valid JSON, and {} for an
// empty one where the route lets it stand for that. Errors are [Problem]s. The
// body belongs to the caller.
func (q *rawRequest) readJSON(limit int) ([]byte, error) {
	if !q.body.Required && q.r.ContentLength == 0 {
		return []byte("{}"), nil // whatever its Content-Type
	}
	if err := q.checkHeader(); err != nil {
		return nil, err
	}
	body, err := q.read(limit)
	switch {
	case err != nil:
		return nil, err
	case !q.body.Required && len(bytes.TrimSpace(body)) == 0:
		return []byte("{}"), nil
	}
	return body, checkJSON(body)
}

func (q *rawRequest) checkHeader() error {
	h := q.r.Header
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	switch {
	case err != nil || q.body.Content[kind] == nil:
		kinds := slices.Sorted(maps.Keys(q.body.Content))
		return problem(http.StatusUnsupportedMediaType, "the Content-Type must be "+strings.Join(kinds, " or "))
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		return problem(http.StatusUnsupportedMediaType, "the charset must be utf-8")
	case len(h.Values("Content-Encoding")) > 0:
		return problem(http.StatusUnsupportedMediaType, "the body must have no Content-Encoding")
	}
	return nil
}

func (q *rawRequest) read(limit int) ([]byte, error) {
	if q.r.ContentLength > int64(limit) {
		return nil, tooLarge(limit)
	}
	body, err := readAll(http.MaxBytesReader(q.w, q.r.Body, int64(limit)), int(q.r.ContentLength))
	if err != nil {
		return nil, readProblem(err, limit)
	}
	return body, nil
}

// readAll reads a body of the given length; a negative one is not known. What it
// takes grows with what came, and is no more than the body in the end.
func readAll(r io.Reader, length int) ([]byte, error) {
	room := unknownLength
	if length >= 0 {
		room = min(length+1, preallocated) // 1 to see the end
	}
	body := make([]byte, 0, room)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			body = grown(body, length)
		}
	}
}

// grown returns the body with room for more of it.
func grown(body []byte, length int) []byte {
	room := 2 * cap(body)
	if length >= cap(body) {
		room = min(4*cap(body), length+1)
	}
	larger := make([]byte, len(body), room)
	copy(larger, body)
	return larger
}

func readProblem(err error, limit int) error {
	if busy, ok := errors.AsType[*Problem](err); ok {
		return busy
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(limit)
	}
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
		return problem(http.StatusRequestTimeout, "the body came too slowly")
	}
	return problem(http.StatusBadRequest, "the body ended early")
}

func tooLarge(limit int) error {
	return problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body must be at most %d bytes", limit))
}

// checkJSON leaves UTF-8 and depth to the fields, so that they can be named;
// only nesting that no parser takes is refused here.
func checkJSON(body []byte) error {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return malformed("a body is required")
	case json.Valid(body):
		return nil
	case depth(body) > webhook.MaxDepth+envelopeDepth:
		return broken("body", fmt.Sprintf("must not nest deeper than %d in a payload", webhook.MaxDepth))
	}
	return malformed("malformed JSON" + place(body))
}

func malformed(detail string) *Problem {
	p := problem(http.StatusBadRequest, detail)
	p.Errors = []ProblemError{{Location: "body", Message: detail}}
	return p
}

func place(body []byte) string {
	var discard json.RawMessage
	syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(body, &discard))
	if !ok {
		return ""
	}
	return fmt.Sprintf(" at byte %d: %s", syntax.Offset, syntax.Error())
}
