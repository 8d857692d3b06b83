// Package egress is the only way out: every HTTP request that outhook makes on
// behalf of a brand goes through a [Client]. It implements webhook.Sender
// and webhook.Checker.
//
// # What it promises
//
// No connection is opened to an address outside the public Internet unless an
// operator allowed its range. That is decided on the address actually dialled,
// after DNS, for every connection; what a name resolved to earlier, or what the
// URL looks like, decides nothing. Redirects are answers like any other, there
// are no proxies, no cookies and no credentials in URLs. Of a name's addresses 16
// are tried at most.
//
// A receiver can do no harm: one deadline bounds an attempt from DNS to the end
// of the body, at most 64 KiB of headers and 64 KiB of body are read, nothing
// is decompressed, and TLS is at least 1.2 and always verified. Whatever a
// receiver sends instead (pings, informational answers, empty frames), no more than 64 KiB
// is read before the first request on a connection and 192 KiB for each request, and it
// is cut off if it has us answer too much. What requests leave of that may be used
// after them, up to 1.2 MiB on a connection: so much of answers that nobody wants any
// more may be on its way, and cuts nobody off. What an attempt opens and does not use
// is closed a second after its deadline. Measured: hostile.txt.
//
// A [webhook.Response] and a [webhook.Check] name no resolved address, no rule of
// the guard and no query of the URL.
//
// One thing is out of this package's reach: of HTTP/2, and of checks, net/http writes to
// the standard logger what a receiver sends before a request or after its answer has ended, and
// a line for each frame of a type it does not know. A process whose logs must not
// hold receivers' text directs log.Default elsewhere.
//
// # Who speaks
//
// HTTP/2 and checks are net/http's. For HTTP/1.1 this package has connections and a pool of its own:
// net/http's two goroutines a connection, and what is handed between them, took as much processor time
// as the rest of its work, and a quarter of what a delivery takes in all. Requests are written here, from names and values that were checked
// once more; answers are parsed by net/http ([http.ReadResponse]) in both cases. What a receiver speaks
// is agreed in TLS, for each connection: this package dials, and brings net/http those that speak HTTP/2.
//
// # One attempt may be two POSTs
//
// A receiver may close an idle connection in the very moment in which the next
// POST is written to it. Such a request is sent once more, on another
// connection, within the same attempt and deadline: only when the connection
// had been used before and not one byte of an answer came, or when HTTP/2 says
// that the request was not processed. Delivery is at least once anyway, and both
// carry the same webhook-id.
//
// There is no third, whatever the receiver says: the attempt ends with the reason
// reset. Nor are more than four connections opened for one attempt. Many attempts at
// once to a receiver of few HTTP/2 streams compete for those: of 64 at once, when no
// connection is open yet, some end as reset for a receiver of 20 streams or less, and
// most for one of a single stream. That is retried like any other reset.
package egress
