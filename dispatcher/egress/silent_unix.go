//go:build unix

package egress

import "syscall"

// silent tells whether a connection that waits for no answer is still open and has got none: a receiver that closed it
// or that says something unasked, such as 408, takes no more requests on it.
func (c *http1) silent() bool {
	if c.raw == nil {
		return true
	}
	silent := false
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		silent = err == syscall.EAGAIN
		return true
	})
	return err == nil && silent
}
