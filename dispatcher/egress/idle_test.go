package egress_test

import (
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/egress"
)

// closing counts connections that were closed.
type closing struct {
	net.Conn
	n *atomic.Int64
}

func (c closing) Close() error { c.n.Add(1); return nil }

func TestIdleConnectionsAreBounded(t *testing.T) {
	var idle egress.Idle
	var closed atomic.Int64
	for range egress.MaxIdlePerHost + 10 {
		idle.Put(closing{n: &closed}, "http://one.example.com")
	}
	if n := idle.Len(); n != egress.MaxIdlePerHost || closed.Load() != 10 {
		t.Fatalf("one destination has %d connections, %d were closed", n, closed.Load())
	}
	for i := range egress.MaxIdle {
		idle.Put(closing{n: &closed}, strconv.Itoa(i))
	}
	if n := idle.Len(); n != egress.MaxIdle || closed.Load() != 10+egress.MaxIdlePerHost {
		t.Errorf("%d connections are kept, %d were closed", n, closed.Load())
	}
	if last := strconv.Itoa(egress.MaxIdle - 1); !idle.Take(last) || idle.Take(last) || idle.Len() != egress.MaxIdle-1 {
		t.Error("the last connection was not kept, or is kept although it was taken")
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var idle egress.Idle
		var closed atomic.Int64
		for range 2 { // the second time, after none was left
			closed.Store(0)
			idle.Put(closing{n: &closed}, "http://early.example.com")
			time.Sleep(egress.IdleTimeout / 2)
			idle.Put(closing{n: &closed}, "http://late.example.com")
			for _, want := range []int64{1, 2} {
				time.Sleep(egress.IdleTimeout/2 + egress.SweepEvery)
				if n := closed.Load(); n != want || idle.Len() != int(2-want) {
					t.Errorf("%d connections were closed and %d are kept, want %d closed", n, idle.Len(), want)
				}
			}
		}
	})
}

// A connection is not used just because it was not yet looked at.
func TestIdleConnectionsAreNotTakenTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var idle egress.Idle
		var closed atomic.Int64
		time.Sleep(egress.SweepEvery / 2)
		idle.Put(closing{n: &closed}, "http://one.example.com")
		time.Sleep(egress.IdleTimeout)
		if idle.Take("http://one.example.com") || closed.Load() != 1 {
			t.Error("a connection was taken after its time")
		}
	})
}
