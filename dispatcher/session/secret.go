package session

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// Secret derives a secret for [New] from the newest encryption key, of 32 bytes, and the SHA-256 of the bootstrap admin key, zero
// for none: as serve does, so that a host with these can make links to a daemon. What was signed ends when either changes.
func Secret(encryptionKey []byte, adminKeyHash [sha256.Size]byte) []byte {
	key, err := hkdf.Key(sha256.New, encryptionKey, adminKeyHash[:], "outhook session", MinSecret)
	if err != nil {
		panic(err) // cannot happen: it is for far longer keys
	}
	return key
}
