// Package dispatcher delivers a platform's events to the endpoints that its
// brands registered: signed, retried, every attempt recorded.
//
// It is the way in for a host: [New] joins the rooms below it, [Dispatcher.Publish]
// accepts an event, [Dispatcher.Run] delivers, and [Dispatcher.Handler] is the
// HTTP API. One event travels through the files of this package in this order:
//
//	publish.go    validate, match (match.go), write down and admit
//	dispatcher.go enqueue what has a slot
//	deliver.go    claim, sign, POST, judge, record, release
//	reconcile.go  make the queue agree with the ledger again, whatever was killed
//
// # Guarantees
//
// A publish that returned nil is delivered at least once to every endpoint that
// matched, or ends as a visible dead, expired or cancelled delivery. Duplicates
// carry the same webhook-id. No order is promised.
package dispatcher
