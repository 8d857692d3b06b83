package webhook

import (
	"fmt"
	"time"
)

// ServerInfo is what one of the store's servers that are written to says of itself.
type ServerInfo struct {
	// Address is host:port where the store has several servers, else empty.
	Address string
	// Version is that of Redis, or which Redis it is compatible with: "7.0.15". Empty when the
	// server says nothing of itself, as an embedded one: then the other fields mean nothing.
	Version string
	// Policy is what happens when MaxMemory is reached. Everything but "noeviction" evicts.
	Policy string
	// MaxMemory and UsedMemory are in bytes; a MaxMemory of 0 is no limit.
	MaxMemory, UsedMemory int64
	// AOF says that it keeps an append-only file.
	AOF bool
	// Replica says that it takes no writes of ours: it was demoted, or is not promoted yet.
	Replica bool
}

// NoEviction is the [ServerInfo.Policy] under which a full server refuses to write, and drops nothing.
const NoEviction = "noeviction"

// Evicts tells whether the server drops what is stored when it is full.
func (s ServerInfo) Evicts() bool { return s.Version != "" && s.Policy != "" && s.Policy != NoEviction }

// Used is the share of the server's memory that is in use; 0 where there is no limit.
func (s ServerInfo) Used() float64 {
	if s.MaxMemory <= 0 {
		return 0
	}
	return float64(s.UsedMemory) / float64(s.MaxMemory)
}

// Full tells whether this share of the server's memory is in use, above 0 to 1.
func (s ServerInfo) Full(watermark float64) bool {
	return s.MaxMemory > 0 && float64(s.UsedMemory) >= watermark*float64(s.MaxMemory)
}

// ServerError says that a server of the store is not one to keep events on: only an operator can cure it.
type ServerError struct {
	// Address is host:port where the store has several servers, else empty.
	Address string
	// Why says what is wrong and what to set, without the address.
	Why string
}

func (e *ServerError) Error() string {
	if e.Address == "" {
		return e.Why
	}
	return e.Address + ": " + e.Why
}

// MaxDurableTimeout is the longest [Durability.Timeout]: a publish answers within two seconds.
const MaxDurableTimeout = 1500 * time.Millisecond

// Durability says what a publish waits for, beyond the answer of the server. The zero value: nothing.
type Durability struct {
	// Replicas is how many replicas must have in memory what was written (WAIT).
	Replicas int
	// AOFs is how many append-only files must have it on disk, that of the server itself included
	// (WAITAOF, Redis 7.2 or later). With "appendfsync everysec" that takes up to a second. Only one of
	// AOFs and Replicas may be set.
	AOFs int
	// Timeout bounds the wait; after it the publish is refused. Up to MaxDurableTimeout. Defaults to 1 s.
	Timeout time.Duration
}

// On tells whether there is something to wait for.
func (d Durability) On() bool { return d.Replicas > 0 || d.AOFs > 0 }

// String is what redis.durable would be: "off", "wait:2", "waitaof:1".
func (d Durability) String() string {
	switch {
	case d.Replicas > 0:
		return fmt.Sprintf("wait:%d", d.Replicas)
	case d.AOFs > 0:
		return fmt.Sprintf("waitaof:%d", d.AOFs)
	}
	return "off"
}

// WithDefaults returns a copy with a zero Timeout set to its default.
func (d Durability) WithDefaults() Durability {
	d.Timeout = or(d.Timeout, time.Second)
	return d
}

// Validate returns a [FieldError] for the first field whose value is impossible.
func (d Durability) Validate() error {
	d = d.WithDefaults()
	switch {
	case d.Replicas < 0:
		return Invalid("Durable.Replicas", "must be positive")
	case d.AOFs < 0:
		return Invalid("Durable.AOFs", "must be positive")
	case d.Replicas > 0 && d.AOFs > 0:
		return Invalid("Durable", "must have Replicas or AOFs, not both")
	case d.Timeout < time.Millisecond || d.Timeout > MaxDurableTimeout:
		return Invalid("Durable.Timeout", "must be 1ms to %s", MaxDurableTimeout)
	}
	return nil
}
