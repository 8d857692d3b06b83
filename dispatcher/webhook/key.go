package webhook

import "time"

// APIKey is a key of the API as it is kept: without what would let anybody in.
type APIKey struct {
	// ID begins with KeyPrefix.
	ID string
	// Brand is the only one that the key sees; empty for an admin's.
	Brand string
	// Description is whoever made it's own, never interpreted.
	Description string
	// Hash is the SHA-256 of the whole key.
	Hash      [32]byte
	CreatedAt time.Time
}

// Identity is who asks.
type Identity struct {
	// Brand is the only brand that the asker may see; empty for an admin, who
	// may see every brand.
	Brand string
	// Key is the id of the API key that was presented; empty for one that has
	// none, such as that of the configuration.
	Key string
}

// Sees tells whether the asker may see a brand.
func (i Identity) Sees(brand string) bool { return i.Brand == "" || i.Brand == brand }
