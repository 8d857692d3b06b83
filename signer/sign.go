package signer

import (
	"encoding/base64"
	"fmt"
	"time"
)

// Names of the headers of a webhook (Standard Webhooks 1.0, "Webhook headers").
const (
	HeaderID        = "webhook-id"        // the same on every attempt
	HeaderTimestamp = "webhook-timestamp" // of the attempt, in Unix seconds
	HeaderSignature = "webhook-signature" // what [Sign] returns
)

// maxSignatures bounds what one header can make a receiver compute.
const maxSignatures = 32

// Key is what signs: a [Secret] or a [PrivateKey].
type Key interface {
	IsZero() bool
	sign(message) signature
}

// signature is one entry of the webhook-signature header.
type signature struct {
	version string
	size    int
	bytes   [64]byte
}

// Sign returns the value of the webhook-signature header: one signature for
// each key, in their order, separated by spaces. at is cut to seconds and has
// to go out as webhook-timestamp; body is signed as it is.
//
// Errors: [ErrID] for an id that is empty or has a dot or anything but visible
// ASCII; [ErrTimestamp] for a time outside the years 1970 to 9999; [ErrKey] for
// no key, more than 32, or a zero one.
func Sign(id string, at time.Time, body []byte, keys ...Key) (string, error) {
	if err := checkID(id); err != nil {
		return "", err
	}
	m := message{id: id, unix: at.Unix(), body: body}
	if m.unix < 0 || m.unix > maxUnix {
		return "", fmt.Errorf("%w: outside the years 1970 to 9999", ErrTimestamp)
	}
	if err := checkKeys(keys); err != nil {
		return "", err
	}
	var buf [256]byte
	header := buf[:0]
	for i, key := range keys {
		if i > 0 {
			header = append(header, ' ')
		}
		header = key.sign(m).appendTo(header)
	}
	return string(header), nil
}

func (s signature) appendTo(header []byte) []byte {
	header = append(header, s.version...)
	header = append(header, ',')
	return base64.StdEncoding.AppendEncode(header, s.bytes[:s.size])
}

// checkKeys refuses zero keys, which anybody could sign with.
func checkKeys[K interface{ IsZero() bool }](keys []K) error {
	if len(keys) == 0 {
		return fmt.Errorf("%w: none given", ErrKey)
	}
	if len(keys) > maxSignatures {
		return fmt.Errorf("%w: %d keys, want at most %d", ErrKey, len(keys), maxSignatures)
	}
	for i, key := range keys {
		if any(key) == nil || key.IsZero() {
			return fmt.Errorf("%w: key %d of %d is zero", ErrKey, i+1, len(keys))
		}
	}
	return nil
}
