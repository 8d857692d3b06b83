package webhook

import (
	"encoding/hex"
	"regexp"

	"github.com/google/uuid"
)

// Prefixes of the ids that outhook makes.
const (
	EventPrefix    = "evt_"
	EndpointPrefix = "ep_"
	AttemptPrefix  = "att_"
	KeyPrefix      = "key_"
	JobPrefix      = "job_"
)

// IDRule is the rule for every id that a caller may choose, brands included.
const IDRule = "must match [A-Za-z0-9_-]{1,64}"

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// NewID returns prefix and a UUIDv7 (RFC 9562, section 5.7) without dashes, so
// that ids sort by the time they were made.
func NewID(prefix string) string {
	id := uuid.Must(uuid.NewV7())
	return prefix + hex.EncodeToString(id[:])
}

// CheckID returns a [FieldError] for field unless id matches [IDRule].
func CheckID(field, id string) error {
	if !idPattern.MatchString(id) {
		return Invalid(field, IDRule)
	}
	return nil
}
