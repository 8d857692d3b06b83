package signer

import (
	"fmt"
	"iter"
	"strings"
	"time"
)

// DefaultTolerance is how far a webhook's timestamp may be from the receiver's
// clock, either way.
const DefaultTolerance = 5 * time.Minute

// Verifier is what verifies: a [Secret] or a [PublicKey].
type Verifier interface {
	IsZero() bool
	// verify reports whether any signature in the header is this key's.
	verify(m message, header string) bool
}

// Verify checks that a webhook was signed by one of the keys, at a time within
// tolerance of now (Standard Webhooks 1.0, "Verifying signatures"). One
// signature that belongs to one key is enough; those of unknown versions are
// passed over. Signatures are compared in constant time.
//
// headers is the request's http.Header; names may be in any case. body has to
// be the bytes received, before any decoding. A tolerance of 0 is
// [DefaultTolerance], a negative one accepts nothing; exactly the tolerance is
// inside it. To check a webhook of the past, give as now when it arrived.
//
// Errors, in the order of the checks: [ErrKey] for no key, more than 32, or a
// zero one; [ErrHeader] for a header that is missing, malformed or there twice,
// with [ErrID] beside it for an id that [Sign] would refuse; [ErrTooOld] or
// [ErrTooNew], both of them [ErrTimestamp]; [ErrSignature].
func Verify(headers map[string][]string, body []byte, now time.Time, tolerance time.Duration, keys ...Verifier) error {
	if err := checkKeys(keys); err != nil {
		return err
	}
	m, signed, err := readHeaders(headers)
	if err != nil {
		return err
	}
	if err := checkAge(now.Sub(time.Unix(m.unix, 0)), tolerance); err != nil {
		return err
	}
	m.body = body
	for _, key := range keys {
		if key.verify(m, signed) {
			return nil
		}
	}
	return ErrSignature
}

// readHeaders returns the message without its body, and the signatures.
func readHeaders(headers map[string][]string) (m message, signed string, err error) {
	if m.id, err = headerValue(headers, HeaderID); err != nil {
		return message{}, "", err
	}
	if err := checkID(m.id); err != nil {
		return message{}, "", fmt.Errorf("%w: %s: %w", ErrHeader, HeaderID, err)
	}
	timestamp, err := headerValue(headers, HeaderTimestamp)
	if err != nil {
		return message{}, "", err
	}
	unix, ok := parseUnix(timestamp)
	if !ok {
		return message{}, "", fmt.Errorf("%w: %s is not in Unix seconds", ErrHeader, HeaderTimestamp)
	}
	m.unix = unix
	if signed, err = headerValue(headers, HeaderSignature); err != nil {
		return message{}, "", err
	}
	return m, signed, checkSignatures(signed)
}

// headerValue returns the one value of a header. Two values, even equal ones, are
// refused: another reader of the request might take the other one.
func headerValue(headers map[string][]string, name string) (string, error) {
	value, count := "", 0
	for key, values := range headers {
		if strings.EqualFold(key, name) && len(values) > 0 {
			value, count = values[0], count+len(values)
		}
	}
	switch {
	case count > 1:
		return "", fmt.Errorf("%w: %s is there %d times", ErrHeader, name, count)
	case value == "":
		return "", fmt.Errorf("%w: %s is missing", ErrHeader, name)
	}
	return value, nil
}

// checkSignatures asks for one readable entry; what else is in the header may
// come from a later version of the specification.
func checkSignatures(signed string) error {
	if strings.Count(signed, " ") >= maxSignatures {
		return fmt.Errorf("%w: %s has more than %d signatures", ErrHeader, HeaderSignature, maxSignatures)
	}
	for entry := range strings.SplitSeq(signed, " ") {
		if version, text, ok := strings.Cut(entry, ","); ok && version != "" && text != "" {
			return nil
		}
	}
	return fmt.Errorf("%w: %s has no version,signature", ErrHeader, HeaderSignature)
}

func checkAge(age, tolerance time.Duration) error {
	if tolerance < 0 {
		return fmt.Errorf("%w: the tolerance of %v is negative", ErrTimestamp, tolerance)
	}
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	switch {
	case age > tolerance:
		return fmt.Errorf("%w: %v, tolerance %v", ErrTooOld, age, tolerance)
	case age < -tolerance:
		return fmt.Errorf("%w: %v ahead, tolerance %v", ErrTooNew, -age, tolerance)
	}
	return nil
}

// signatures yields the entries of one version, without it.
func signatures(signed, version string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for entry := range strings.SplitSeq(signed, " ") {
			v, text, ok := strings.Cut(entry, ",")
			if ok && v == version && !yield(text) {
				return
			}
		}
	}
}
