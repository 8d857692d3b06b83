package signer

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
)

// Prefixes of keys as text (Standard Webhooks 1.0, "Signature scheme", secret
// serialization).
const (
	prefixSecret  = "whsec_"
	prefixPrivate = "whsk_"
	prefixPublic  = "whpk_"
)

const (
	maxKeyBytes = 64  // of any kind: the longest secret, and seed + public key
	maxEncoded  = 256 // bytes of base64 worth decoding to say how long the key is
	hintLength  = 4
)

// encodeKey is the text of a key: its prefix and padded standard base64.
func encodeKey(prefix string, key []byte) string {
	return prefix + base64.StdEncoding.EncodeToString(key)
}

// decodeKey reads what encodeKey wrote and nothing else, so that a key has one
// text only. Its errors never quote the text.
func decodeKey(prefix, text string) ([]byte, error) {
	encoded, err := cutPrefix(prefix, text)
	if err != nil {
		return nil, err
	}
	if err := checkBase64(encoded); err != nil {
		return nil, err
	}
	// Strict: unused bits at the end must be zero.
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: not padded standard base64 after %s", ErrKey, prefix)
	}
	return key, nil
}

func cutPrefix(prefix, text string) (string, error) {
	if text == "" {
		return "", fmt.Errorf("%w: empty, want %s and base64", ErrKey, prefix)
	}
	if encoded, ok := strings.CutPrefix(text, prefix); ok {
		return encoded, nil
	}
	for _, other := range []string{prefixSecret, prefixPrivate, prefixPublic} {
		if strings.HasPrefix(text, other) {
			return "", fmt.Errorf("%w: another kind of key, starts with %s, want %s", ErrKey, other, prefix)
		}
	}
	if strings.HasPrefix(strings.TrimSpace(text), prefix) {
		return "", fmt.Errorf("%w: contains white space", ErrKey)
	}
	return "", fmt.Errorf("%w: missing prefix %s", ErrKey, prefix)
}

// checkBase64 names the usual mistakes; the decoder finds the rest.
func checkBase64(encoded string) error {
	switch {
	case len(encoded) > maxEncoded: // before anything reads it
		return fmt.Errorf("%w: too long, want at most %d bytes", ErrKey, maxKeyBytes)
	case strings.ContainsFunc(encoded, unicode.IsSpace): // the decoder would skip line ends
		return fmt.Errorf("%w: contains white space", ErrKey)
	case strings.ContainsAny(encoded, "-_"):
		return fmt.Errorf("%w: url-safe base64, want the standard alphabet", ErrKey)
	case len(encoded)%4 != 0 && !strings.Contains(encoded, "="):
		return fmt.Errorf("%w: base64 without padding", ErrKey)
	}
	return nil
}

// hint is the end of a key's text, enough to tell two keys apart in a list.
func hint(text string) string { return text[max(0, len(text)-hintLength):] }
