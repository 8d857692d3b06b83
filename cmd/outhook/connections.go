package main

const (
	// mostConnections bounds those of one listener. One that waits costs some 10 KiB and a file descriptor.
	mostConnections = 4096
	// leastConnections are let in however few files there may be: with fewer, serving makes no sense.
	leastConnections = 64
	// noFileLimit is more than any process needs.
	noFileLimit = 1 << 30
)

// connections is how many each of both listeners may have. A connection that cannot be accepted is refused to everybody, so
// there have to be files for all, and for those that deliveries and Redis need.
func (d *daemon) connections() int { return connectionsOf(fileLimit(), d.filesWithin()) }

func connectionsOf(files, within int) int {
	return max(leastConnections, min(mostConnections, (files-within)/2))
}

// requestsAtOnce are admitted at the same time; see [httpapi.Config]. A brand, which may have half of them, can keep all
// connections to Redis busy; and however few clients' connections there are, the admitted leave as many to others.
func (d *daemon) requestsAtOnce() int { return min(2*d.set.redis.PoolSize, d.connections()/2) }

// filesWithin is what may be open at the same time beside the connections of clients.
func (d *daemon) filesWithin() int {
	n := d.set.redis.PoolSize
	if d.role.delivers() {
		n += d.set.dispatcher.Concurrency
	}
	return n
}

// warnOfFewFiles says that there are fewer connections than there would be.
func (d *daemon) warnOfFewFiles() {
	if most := d.connections(); most < mostConnections {
		d.log.Warn("each listener has fewer connections, as this process may not have many files open: raise RLIMIT_NOFILE (ulimit -n)",
			"connections", most, "files", fileLimit(), "wanted", 2*mostConnections+d.filesWithin())
	}
}
