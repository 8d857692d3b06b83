package config_test

import (
	"errors"
	"fmt"

	"go.smobi.com/outhook/config"
)

func ExampleLoad() {
	_, err := config.Load(config.Sources{Env: []string{"OUTHOOK_DELIVERY_TIMEOUT=45s", "OUTHOOK_RETRY_JITTTER=0.1"}})
	if problems, ok := errors.AsType[config.Problems](err); ok {
		for _, p := range problems {
			fmt.Println(p)
		}
	}
	// Output:
	// OUTHOOK_DELIVERY_TIMEOUT: delivery.timeout is "45s": must be a duration from 1s to 30s, with its unit
	// OUTHOOK_RETRY_JITTTER: unknown variable; the nearest is OUTHOOK_RETRY_JITTER
}
