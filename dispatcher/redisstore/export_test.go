package redisstore

import "go.smobi.com/outhook/dispatcher/webhook"

// PackEvent is packEvent with one nonce.
func PackEvent(f webhook.Fanout) []byte { return packEvent(f, [nonceSize]byte{1, 2, 3, 4}) }

// What the tests of the formats look at from inside: bytes that only a newer,
// a damaged or a hostile Redis would hand out.
var (
	UnpackEvent   = unpackEvent
	PackAttempt   = packAttempt
	UnpackAttempt = unpackAttempt
)

// ParsePlace is parsePlace.
var ParsePlace = parsePlace

// Open is KeyRing.open.
var Open = KeyRing.open

// Seal is KeyRing.seal.
var Seal = KeyRing.seal

// AdmitSource is the script that admits a delivery.
var AdmitSource = scriptAdmit.source

// EventKey is where an event is kept.
func EventKey(ref webhook.EventRef) string { return keysOfEvent(ref).event }

// LineKey is where the line of an endpoint is kept.
func LineKey(ref webhook.EndpointRef) string { return keysOfEndpoint(ref).line }
