package signer

import (
	"fmt"
	"strconv"
)

const maxUnix = 253402300799 // 9999-12-31T23:59:59Z; no arithmetic on times overflows up to here

// message is one webhook as it is signed: id.timestamp.body (Standard Webhooks
// 1.0, "Signature scheme").
type message struct {
	id   string
	unix int64 // seconds
	body []byte
}

// appendPrefix appends what comes before the body.
func (m message) appendPrefix(dst []byte) []byte {
	dst = append(dst, m.id...)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, m.unix, 10)
	return append(dst, '.')
}

// join returns the whole message, for Ed25519, which reads it twice.
func (m message) join() []byte {
	const digits = 20
	joined := make([]byte, 0, len(m.id)+digits+2+len(m.body))
	return append(m.appendPrefix(joined), m.body...)
}

// checkID refuses a dot, because id "a" with body "2.x" and id "a.1" with body
// "x" would be signed alike, and whatever cannot stand in a header.
func checkID(id string) error {
	if id == "" {
		return fmt.Errorf("%w: empty", ErrID)
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c == '.':
			return fmt.Errorf("%w: contains a dot, which separates what is signed", ErrID)
		case c <= ' ' || c > '~':
			return fmt.Errorf("%w: byte %d is not visible ASCII", ErrID, i)
		}
	}
	return nil
}

// parseUnix reads decimal seconds in the one form that appendPrefix writes, so
// that the text received is the text signed.
func parseUnix(text string) (int64, bool) {
	unix, err := strconv.ParseUint(text, 10, 63)
	canonical := text == "0" || (text != "" && text[0] != '0')
	return int64(unix), err == nil && canonical && unix <= maxUnix
}
