// Package webhook holds the nouns and the rules of outhook, without any I/O.
//
// The nouns: an [Event] is what happened; an [Endpoint] is where a brand wants
// events; a [Delivery] is one event for one endpoint; an [Attempt] is one POST
// of a delivery; a [Verdict] is what an attempt led to.
//
// The rules: [Judge] is the only place that decides what an attempt means, and
// [Schedule] the only one that decides when the next one is due.
//
// The interfaces [Store], [Queue] and [Sender] are what the dispatcher needs
// from the rooms that do I/O. One event travels through them in this order:
//
//	Store.Admit -> Queue.Enqueue -> (a worker takes the task) -> Store.Claim
//	-> Sender.Send -> Judge -> Store.Record -> Queue.Enqueue (what was released)
package webhook
