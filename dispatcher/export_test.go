package dispatcher

import "time"

// Joining is how many publishes wait to be admitted together.
func (d *Dispatcher) Joining() int { return d.joint.Waiting() }

// Looks is how many of n payloads of a type are looked at, one after the other at these times.
func Looks(eventType string, times ...time.Time) (n int) {
	var l looked
	for _, at := range times {
		if l.more(eventType, at) {
			n++
		}
	}
	return n
}
