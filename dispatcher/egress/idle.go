package egress

import (
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
}

// take returns a connection to a destination that its receiver has not closed, or nil.
func (i *idle) take(key string) *http1 {
	for {
		conn := i.pop(key)
		if conn == nil || conn.usable() {
			return conn
		}
		_ = conn.Close()
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
	if other := i.exchange(conn); other != nil {
		_ = other.Close()
	}
}

// exchange keeps a connection and returns the one that has to go for it, or nil.
func (i *idle) exchange(conn *http1) (other *http1) {
	i.mu.Lock()
	defer i.mu.Unlock()
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
		other = i.conns[from][0]
		i.set(from, i.conns[from][1:])
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
	i.drop(func(conn *http1) bool { return time.Since(conn.since) >= idleTimeout || !conn.usable() })
}

// close closes all connections.
func (i *idle) close() { i.drop(func(*http1) bool { return true }) }

func (i *idle) drop(which func(*http1) bool) {
	for _, conn := range i.remove(which) {
		_ = conn.Close()
	}
}

func (i *idle) remove(which func(*http1) bool) (gone []*http1) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for key, conns := range i.conns {
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
	}
	i.total -= len(gone)
	switch {
	case i.sweep == nil:
	case i.total == 0:
		i.sweep.Stop()
		i.sweep = nil
	default:
		i.sweep.Reset(sweepEvery)
	}
	return gone
}
