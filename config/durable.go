package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Durable is what a publish waits for, written off, wait:N or waitaof:N. The zero value is off; at most one field is set.
type Durable struct {
	// Replicas must have what was published in their memory.
	Replicas int
	// AOFs must have it on their disks, that of the server itself included.
	AOFs int
}

const (
	durableOff     = "off"
	durableWait    = "wait"
	durableWaitAOF = "waitaof"

	maxDurable = 100
)

// String is how it is written.
func (d Durable) String() string {
	switch {
	case d.Replicas > 0:
		return fmt.Sprintf("%s:%d", durableWait, d.Replicas)
	case d.AOFs > 0:
		return fmt.Sprintf("%s:%d", durableWaitAOF, d.AOFs)
	}
	return durableOff
}

func durable() kind[Durable] {
	rule := fmt.Sprintf("must be off, wait:N or waitaof:N, N from 1 to %d", maxDurable)
	return simple("string", rule, []string{strTag}, parseDurable, Durable.String)
}

func parseDurable(text string) (Durable, bool) {
	if text == durableOff {
		return Durable{}, true
	}
	kind, count, _ := strings.Cut(text, ":")
	n, err := strconv.Atoi(count)
	if err != nil || !isDecimal(count) || n < 1 || n > maxDurable {
		return Durable{}, false
	}
	switch kind {
	case durableWait:
		return Durable{Replicas: n}, true
	case durableWaitAOF:
		return Durable{AOFs: n}, true
	}
	return Durable{}, false
}
