// Package signer signs and verifies webhooks the way Standard Webhooks 1.0
// asks for. It needs nothing but the standard library, keeps no state of its
// own and does no I/O.
//
// # What travels
//
// A signed webhook is an HTTP POST with three headers:
//
//	webhook-id: evt_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f
//	webhook-timestamp: 1767225600
//	webhook-signature: v1,3kq…= v1,Zm9…= v1a,mT0…==
//
// The signature covers the id, the timestamp and the body joined by dots,
// body bytes exactly as sent. That is why an id may not contain a dot, and why
// a receiver has to verify before it parses.
//
// # Two kinds of keys
//
// A [Secret] is shared by sender and receiver and gives `v1` signatures
// (HMAC-SHA256). A [PrivateKey] stays with the sender and gives `v1a`
// signatures (Ed25519); receivers hold its [PublicKey].
//
//	type          text                                    bytes
//	Secret        whsec_ + base64                         24 to 64, random
//	PrivateKey    whsk_ + base64(seed + public key)       64; a bare seed of 32 is read too
//	PublicKey     whpk_ + base64                          32
//
// The base64 is the standard alphabet, padded; the parsers refuse everything
// else and say what is wrong, without quoting the text. The specification
// leaves the bytes behind whsk_ open. Servers in use write seed and public key
// (the 64 bytes of [crypto/ed25519.PrivateKey]), some libraries the seed alone:
// both are read, the first is written.
//
// # Sending
//
// [Sign] returns the value of the webhook-signature header. Give it every key
// that receivers may still hold, so that a secret can be rotated without a gap:
//
//	signature, err := signer.Sign(id, now, body, newSecret, oldSecret)
//
// Sign each attempt anew: the id stays, the timestamp is that of the attempt.
//
// # Receiving
//
// [Verify] takes the headers, the raw body, the receiver's clock and every key
// it trusts. One match is enough. No two failures look alike:
//
//	err := signer.Verify(r.Header, body, time.Now(), signer.DefaultTolerance, secret)
//	switch {
//	case errors.Is(err, signer.ErrHeader):    // not a webhook of ours: 400
//	case errors.Is(err, signer.ErrTimestamp): // replayed, or a clock is off
//	case errors.Is(err, signer.ErrSignature): // forged, damaged or the wrong key
//	}
//
// A webhook can arrive twice: keep the ids of those you have worked on.
//
// # Keeping secrets secret
//
// Secret and PrivateKey print as "[redacted]" through every verb of fmt, slog
// and anything that marshals to text, JSON included, also from inside other
// structs. Their text is had from Reveal alone, so a search for Reveal finds
// each place that could leak one. Hint, the last four characters, is for lists.
package signer
