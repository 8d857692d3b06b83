package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestRoomyHeap has the collector wait for that much more.
func TestRoomyHeap(t *testing.T) {
	emptyHeap(t)
	before := nextCollection()
	roomyHeap()
	if more := int64(nextCollection()) - int64(before); more < heapRoom {
		t.Errorf("the next collection is at %d bytes more, want %d", more, heapRoom)
	}
}

// TestRoomyHeapAsksWhoRunsIt leaves the heap to who set how it is to be.
func TestRoomyHeapAsksWhoRunsIt(t *testing.T) {
	emptyHeap(t)
	t.Run("GOGC", func(t *testing.T) {
		t.Setenv("GOGC", "200")
		if roomyHeap(); heapHeld != nil {
			t.Error("room was made")
		}
	})
	t.Run("GOMEMLIMIT", func(t *testing.T) {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(8*heapRoom - 1))
		if roomyHeap(); heapHeld != nil {
			t.Error("room was made")
		}
		debug.SetMemoryLimit(8 * heapRoom)
		if roomyHeap(); heapHeld == nil {
			t.Error("no room was made, although there is enough")
		}
	})
}

func emptyHeap(t *testing.T) {
	t.Helper()
	t.Setenv("GOGC", "")
	before := heapHeld
	heapHeld = nil
	t.Cleanup(func() { heapHeld = before })
}

// nextCollection is how large the heap is to be then.
func nextCollection() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NextGC
}
