// Package monitor serves asynqmon, Asynq's web pages, behind outhook's own authentication.
//
// asynqmon itself asks nobody who they are, takes state-changing requests from any site, and shows payloads as they are. Here,
// every request needs an admin key; what changes something must come from the pages themselves; and of a task only its type
// and ids are shown, of a wake-up also how many wait behind which gate until when. What the pages delete or archive is found
// missing by the reconciler, and delivered all the same.
package monitor
