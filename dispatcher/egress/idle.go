package egress

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// sweepEvery is how often idle connections are looked through.
const sweepEvery = 5 * time.Second

// idle keeps the connections of HTTP/1.1 that wait for their next request, for up to idleTimeout. Safe for
// concurrent use; the zero value is empty.
type idle struct {
	mu sync.Mutex
	// conns are by key of their destination, the last used last.
	conns map[string][]*http1
	total int
	sweep *time.Timer // set while there are any
	// closed: no more are kept.
	closed bool
}

// take returns a connection to a destination that its receiver has not closed, or nil.
func (i *idle) take(key string) *http1 {
	for {
		conn := i.pop(key)
		if conn == nil || conn.usable() {
			return conn
		}
		_ = conn.meter.Close() // at once: there may be many, and an attempt waits
	}
}

func (i *idle) pop(key string) *http1 {
	i.mu.Lock()
	defer i.mu.Unlock()
	conns := i.conns[key]
	if len(conns) == 0 {
		return nil
	}
	last := len(conns) - 1
	conn := conns[last]
	conns[last] = nil
	i.set(key, conns[:last])
	i.total--
	return conn
}

// set keeps the connections to a destination. i.mu is held.
func (i *idle) set(key string, conns []*http1) {
	if len(conns) == 0 {
		delete(i.conns, key)
		return
	}
	i.conns[key] = conns
}

// put keeps a connection, in the place of any other when there are too many.
func (i *idle) put(conn *http1) {
	conn.reused, conn.since = true, time.Now()
	if other := i.swap(conn); other != nil {
		_ = other.Close()
	}
}

// swap keeps a connection and returns the one that has to go for it, or nil.
func (i *idle) swap(conn *http1) (other *http1) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return conn
	}
	if i.conns == nil {
		i.conns = make(map[string][]*http1)
	}
	from := conn.key
	if len(i.conns[from]) < maxIdlePerHost {
		if i.total < maxIdle {
			from = ""
		} else {
			for from = range i.conns {
				break
			}
		}
	}
	if from != "" {
		conns := i.conns[from]
		other = conns[0]
		conns[0] = nil
		i.set(from, conns[1:])
		i.total--
	}
	i.conns[conn.key] = append(i.conns[conn.key], conn)
	i.total++
	if i.sweep == nil {
		i.sweep = time.AfterFunc(sweepEvery, i.sweepUp)
	}
	return other
}

// sweepUp closes what was idle for too long, and what its receiver has closed.
func (i *idle) sweepUp() {
	for _, key := range i.keys() { // one by one, as the system is asked about each connection
		closeAll(i.remove(key, func(conn *http1) bool { return !conn.usable() }))
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.total == 0 {
		i.sweep = nil
	} else {
		i.sweep.Reset(sweepEvery)
	}
}

// close closes all connections, and those that are put later.
func (i *idle) close() {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	for _, key := range i.keys() {
		closeAll(i.remove(key, func(*http1) bool { return true }))
	}
}

func closeAll(conns []*http1) {
	for _, conn := range conns {
		_ = conn.Close()
	}
}

func (i *idle) keys() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Collect(maps.Keys(i.conns))
}

// remove returns the connections to a destination that are no longer to be kept.
func (i *idle) remove(key string, which func(*http1) bool) (gone []*http1) {
	i.mu.Lock()
	defer i.mu.Unlock()
	conns := i.conns[key]
	kept := conns[:0]
	for _, conn := range conns {
		if which(conn) {
			gone = append(gone, conn)
		} else {
			kept = append(kept, conn)
		}
	}
	clear(conns[len(kept):])
	i.set(key, kept)
	i.total -= len(gone)
	return gone
}
