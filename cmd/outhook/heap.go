package main

import (
	"os"
	"runtime/debug"
)

// heapRoom is how much garbage a daemon may make beyond what it may anyway, as much as what lives, before it is collected, in bytes.
// Little of a worker lives, but every collection looks through the stacks of all that is in flight: they took a sixth of its processor time.
const heapRoom = 48 << 20

// heapHeld counts as live, so that the collector waits until as much again was allocated. Nobody writes to it, so that
// the system need not give the memory.
var heapHeld []byte

// roomyHeap makes the room, unless GOGC says how often is collected, or GOMEMLIMIT leaves too little.
func roomyHeap() {
	if os.Getenv("GOGC") == "" && debug.SetMemoryLimit(-1) >= 8*heapRoom { // a negative limit changes none
		heapHeld = make([]byte, heapRoom)
	}
}
