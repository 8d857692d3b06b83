package egress

import (
	"bytes"
	"context"
	"html"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// drainTimeout bounds the reading of a body that nobody wants; it is read
	// at all only because the connection can then be used again.
	drainTimeout = time.Second
	// maxKeptHeader bounds the header that is handed on, in bytes.
	maxKeptHeader = 8 << 10
)

// read makes a response of an answer whose header has come. Status line and
// header decide: however the body ends, the answer stands. cancel ends the attempt.
func (c *Client) read(answer *http.Response, query string, keep bool, cancel context.CancelFunc) webhook.Response {
	defer answer.Body.Close()
	if answer.StatusCode < 100 || answer.StatusCode > 999 { // net/http takes other numbers as well
		return webhook.Response{Reason: webhook.ReasonProtocol}
	}
	response := webhook.Response{
		Status: answer.StatusCode,
		Reason: webhook.ReasonOK,
		Header: keptHeader(answer.Header, query),
	}
	answer.Header = nil // may take megabytes, for as long as the body is waited for
	switch {
	case answer.StatusCode >= 200 && answer.StatusCode <= 299:
		if keep {
			defer time.AfterFunc(drainTimeout, cancel).Stop()
			response.Body, _ = c.keep(answer.Body, query)
			break
		}
		drain(answer.Body, maxBody, cancel)
	default:
		var read int
		response.Body, read = c.keep(answer.Body, query)
		drain(answer.Body, maxBody-read, cancel)
	}
	return response
}

// keep returns what is kept of a body, and how much of it may have been read.
func (c *Client) keep(from io.Reader, query string) (kept []byte, read int) {
	limit := min(maxBody, c.cfg.ResponseBodyBytes+margin(query))
	body, _ := io.ReadAll(io.LimitReader(from, int64(limit)))
	return keptBody(body, len(body) == limit, query, c.cfg.ResponseBodyBytes), limit
}

func drain(body io.Reader, limit int, cancel context.CancelFunc) {
	if body == http.NoBody || limit == 0 {
		return
	}
	timer := time.AfterFunc(drainTimeout, cancel)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, body, int64(limit))
}

// keptBody returns up to limit bytes of a body; nil when it is empty. A body
// that was cut may end in a part of the query: its last bytes are left out.
func keptBody(body []byte, cut bool, query string, limit int) []byte {
	if query != "" && bytes.IndexByte(body, '?') >= 0 {
		body = []byte(redactQuery(string(body), query))
	}
	if cut {
		body = body[:max(0, len(body)-margin(query))]
	}
	if len(body) == 0 {
		return nil
	}
	return bytes.Clone(body[:min(len(body), limit)])
}

// margin is the most that a repeated query takes, in bytes.
func margin(query string) int {
	if query == "" {
		return 0
	}
	return len("?" + html.EscapeString(query))
}

// keptHeader returns the header without URL queries, and up to maxKeptHeader
// bytes of it: Retry-After in any case, then what fits, by name.
func keptHeader(header http.Header, query string) http.Header {
	size := 0
	for name, values := range header {
		for i, value := range values {
			if name == "Location" || name == "Content-Location" {
				values[i] = RedactURL(value)
			} else {
				values[i] = redactQuery(value, query)
			}
		}
		size += headerSize(name, values)
	}
	if size <= maxKeptHeader {
		return header
	}
	return trimmed(header)
}

func trimmed(header http.Header) http.Header {
	kept, room := make(http.Header), maxKeptHeader
	for _, name := range append([]string{"Retry-After"}, slices.Sorted(maps.Keys(header))...) {
		values, known := header[name]
		if size := headerSize(name, values); known && kept[name] == nil && size <= room {
			kept[name], room = values, room-size
		}
	}
	return kept
}

func headerSize(name string, values []string) int {
	size := 0
	for _, value := range values {
		size += len(name) + len(value)
	}
	return size
}

// redactQuery replaces the query of the request's own URL where a receiver
// repeats that URL: redirects and error pages do, in HTML with escaped ampersands.
func redactQuery(text, query string) string {
	if query == "" || !strings.Contains(text, "?") { // most headers: the query need not be escaped for them
		return text
	}
	text = strings.ReplaceAll(text, "?"+query, "?"+redacted)
	return strings.ReplaceAll(text, "?"+html.EscapeString(query), "?"+redacted)
}
