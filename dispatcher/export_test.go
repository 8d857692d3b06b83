package dispatcher

import "go.smobi.com/outhook/dispatcher/webhook"

// Joining is how many publishes wait to be admitted together.
func (d *Dispatcher) Joining() int { return d.joint.Waiting() }

// Looks is how many of these payloads are looked at, one after the other.
func Looks(events ...webhook.Event) (n int) {
	var l looked
	for _, e := range events {
		if l.more(e) {
			n++
		}
	}
	return n
}
