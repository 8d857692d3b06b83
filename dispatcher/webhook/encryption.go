package webhook

import "fmt"

// KeyError says that the encryption keys of a process are not those that sealed
// what is stored: only an operator can cure it.
type KeyError struct {
	// KeyID names the key in secrets.keys.
	KeyID string
	// Missing: the process has no key of that id. Else it has another one under it.
	Missing bool
}

func (e *KeyError) Error() string {
	if e.Missing {
		return fmt.Sprintf("secrets.keys: key %q is missing, and something that is stored is sealed with it", e.KeyID)
	}
	return fmt.Sprintf("secrets.keys: key %q is not the one that sealed what is stored", e.KeyID)
}

// Reencryption is what became of the endpoints that it looked at; deleted ones do not count.
type Reencryption struct {
	// Moved counts those whose secrets and headers are sealed with the newest key now.
	Moved int
	// AlreadyNewest counts those that were left as they are, because they were so already.
	AlreadyNewest int
	// Failed, by brand and id, are as they were before.
	Failed []Unmoved
}

// Endpoints counts all of them.
func (r Reencryption) Endpoints() int { return r.Moved + r.AlreadyNewest + len(r.Failed) }

// Unmoved is an endpoint that could not be sealed anew.
type Unmoved struct {
	Endpoint EndpointRef
	// KeyID names the key that sealed what cannot be opened; empty when that is not known.
	KeyID string
	// Err says why. It holds nothing of what is sealed.
	Err error
}
