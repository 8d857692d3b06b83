//go:build unix

package main

import "syscall"

// fileLimit is how many files this process may have open; Go has raised it to the hard limit.
func fileLimit() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return noFileLimit
	}
	return int(min(uint64(limit.Cur), noFileLimit))
}
