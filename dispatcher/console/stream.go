package console

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// streamEvery is how often it is looked whether there is something new.
	streamEvery = time.Second
	// streamFor bounds one connection, after which the browser comes again: so no process that ends waits for long.
	streamFor = time.Minute
	// streamWrite bounds how long a browser may take to read a part.
	streamWrite = 10 * time.Second
	// streamsMost bounds the connections, streamsOfBrand those of one brand.
	streamsMost, streamsOfBrand = 200, 20
)

// places counts what is under way at the same time: most of all, and each of one brand.
type places struct {
	most, each int

	mu    sync.Mutex
	all   int
	count map[string]int
}

func (s *places) enter(brand string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.most || s.count[brand] >= s.each {
		return false
	}
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.all++
	s.count[brand]++
	return true
}

func (s *places) leave(brand string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.count[brand]--; s.count[brand] == 0 {
		delete(s.count, brand)
	}
}

// Close ends the connections on which pages are told what is new, so that a server can shut down. Browsers come again.
func (h *Handler) Close() { h.closed.Do(func() { close(h.closing) }) }

// stream has a page told what content is as it changes, as server-sent events (WHATWG HTML, section 9.2).
func (h *Handler) stream(pattern string, content func(*visit, context.Context) ([]byte, error)) {
	h.patterns = append(h.patterns, pattern)
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		who, err := h.visitorOf(r)
		brand := r.PathValue("brand")
		switch {
		case err != nil:
			h.turnAway(w, r, err)
			return
		case !forBrand.admits(who, brand):
			h.fail(w, r, http.StatusNotFound, "")
			return
		case !h.streams.enter(brand):
			h.fail(w, r, http.StatusTooManyRequests, "")
			return
		}
		defer h.streams.leave(brand)
		h.Admitted(r)
		v := &visit{h: h, w: w, r: r, root: rootOf(r), brand: brand, who: who, known: true}
		v.tell(content)
	})
}

// tell sends what is new until the visit ends, which it says when it is over for good.
func (v *visit) tell(content func(*visit, context.Context) ([]byte, error)) {
	ctx, over := v.r.Context(), time.After(streamFor)
	conn := http.NewResponseController(v.w)
	_ = conn.SetReadDeadline(time.Time{}) // that of the server is for a request; where there is none to set, it holds
	v.w.Header().Set("Content-Type", "text/event-stream")
	ticker := time.NewTicker(streamEvery)
	defer ticker.Stop()
	for last := []byte(nil); ; {
		now, err := content(v, ctx)
		switch {
		case errors.Is(err, webhook.ErrInvalid):
			_ = send(conn, v.w, "end", nil)
			return
		case err == nil && (last == nil || !bytes.Equal(now, last)):
			if last = now; send(conn, v.w, "rows", now) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-v.h.closing:
			return
		case <-over:
			return
		case <-ticker.C:
		}
		if v.isOver() {
			_ = send(conn, v.w, "end", nil)
			return
		}
	}
}

// isOver tells whether the visitor may no longer see this: the session ended, or its key was revoked.
func (v *visit) isOver() bool {
	_, err := v.h.visitorOf(v.r)
	return errors.Is(err, webhook.ErrUnauthorized)
}

// send writes one event. Lines of the content are lines of the event.
func send(conn *http.ResponseController, w http.ResponseWriter, name string, content []byte) error {
	_ = conn.SetWriteDeadline(time.Now().Add(streamWrite)) // where a host's writer has none, the server's own holds
	text := append([]byte("event: "+name+"\ndata: "), bytes.ReplaceAll(content, []byte("\n"), []byte("\ndata: "))...)
	if _, err := w.Write(append(text, "\n\n"...)); err != nil {
		return err
	}
	return conn.Flush()
}
