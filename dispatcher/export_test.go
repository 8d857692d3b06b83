package dispatcher

// Joining is how many publishes wait to be admitted together.
func (d *Dispatcher) Joining() int { return d.joint.Waiting() }
