package signer

import (
	"errors"
	"fmt"
)

// The errors of this package; all are met with [errors.Is]. No message quotes
// a key, a signature or a body.
var (
	// ErrKey: a key's text cannot be read, a key is zero, or there are none or
	// too many of them.
	ErrKey = errors.New("invalid key")

	// ErrID: the id cannot be signed unambiguously or sent as a header. From
	// [Verify] it comes together with ErrHeader.
	ErrID = errors.New("invalid webhook id")

	// ErrHeader: a webhook header is missing, malformed or there twice.
	ErrHeader = errors.New("invalid webhook header")

	// ErrTimestamp: the timestamp cannot be signed, or is out of tolerance.
	ErrTimestamp = errors.New("invalid webhook timestamp")

	// ErrTooOld is the ErrTimestamp of a webhook further back than the tolerance.
	ErrTooOld = fmt.Errorf("%w: too old", ErrTimestamp)

	// ErrTooNew is the ErrTimestamp of a webhook further ahead than the tolerance.
	ErrTooNew = fmt.Errorf("%w: too new", ErrTimestamp)

	// ErrSignature: no signature in the header belongs to any of the keys.
	ErrSignature = errors.New("no matching webhook signature")
)
