// Package redisstore keeps events, endpoints and the ledger of deliveries in Redis.
//
// # Keys
//
// Every key begins with "oh:" and a tag, {sNN}, NN = hash mod 64 of what the
// key belongs to. A script touches the keys of one tag only, so everything
// holds in Redis Cluster; but on a single node, where those that work on many
// events or endpoints do so at once, and all of a publish is one script (publish.lua).
// The tags are fixed for ever.
//
//	oh:{s}:e:BRAND:EVENT              string  the event, packed (event.go), or its marker
//	oh:{s}:admitting                  zset    events whose fan-out is not finished
//	oh:{s}:brands                     zset    brands of which something is kept, by when one was listed last (brands.go)
//	oh:{s}:i:BRAND                    stream  the brand's events as they came
//	oh:{s}:w:BRAND                    string  how far the janitor is with that stream (sweep.go)
//	oh:{s}:b:BRAND                    set     ids of the brand's endpoints
//	oh:{s}:p:BRAND:ENDPOINT           hash    settings (secrets sealed), revision, gates
//	oh:{s}:l:… :o:… :r:…              zset    line, out, retry: the ledger
//	oh:{s}:d:BRAND:ENDPOINT:EVENT     hash    a delivery's record, from leaving the line on; a test's
//	oh:{s}:a:BRAND:ENDPOINT           stream  attempts (attempt.go)
//	oh:{s}:h:BRAND:ENDPOINT           stream  what was answered to them, under the same ids (answer.go)
//	oh:{s}:x:BRAND:ENDPOINT           zset    dead letters by time of death
//	oh:{s}:k:KEY                      string  a key of the API (apikey.go): its hash
//	oh:{s}:keys                       set     ids of all keys of the API
//	oh:{s}:canaries                   hash    one text sealed with each encryption key (canary.go)
//	oh:{s}:due                        zset    endpoints with open deliveries, by when to look
//	oh:{s}:mark                       string  the last write before a wait for replicas (durable.go), for a minute
//	oh:{s}:lock                       string  the reconciler's, for a few seconds
//	oh:{s}:sweep, oh:{s}:relief       string  the janitor's locks: whose turn it is, and until when
//
// Every stored value begins with a format byte, and a hash has a field v; sets hold
// ids and nothing else, and the locks a time and an owner that only the next seconds read. The line,
// out, retry, due and admitting sets end when they are empty, the list and the
// settings of endpoints when these are deleted, the list of brands as nothing is left of them, keys of the API and their list when
// these are revoked, canaries when nothing needs their keys; everything else has a
// time to live.
//
// # What is past
//
// An event's key lives until its id need not be taken any more. Its body goes before that, when its deliveries have been
// settled for long enough (sweep.go), or when its room is needed (relief.go): then the marker stands in its place, in the
// same key and with its time to live. Why no delivery loses its body on the way is written in retire.go.
//
// # The ledger
//
// An open delivery is in exactly one of line, out and retry of its endpoint:
//
//	          admit                    claim (gate closed)
//	(nothing) -----> line  <----------------------+
//	    |              | release                  |
//	    | admit        v                          |
//	    +----------> out  --record (failed)--> retry
//	                   | ^------- claim ----------+
//	                   v record (delivered, dead, expired, cancelled)
//	                (settled: record and attempts remain for a while)
package redisstore
