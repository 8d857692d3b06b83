package monitor

import (
	"net/http"
	"path"
	"strings"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Config of a [Handler].
type Config struct {
	// Redis is the host's client, required and never closed.
	Redis redis.UniversalClient

	// RootPath is where the handler is mounted, with everything below it. Defaults to "/asynqmon".
	RootPath string

	// ReadOnly refuses every request that changes something, and hides the buttons.
	ReadOnly bool

	// AdminKey tells whether the candidate that came with a request is a key that may see and change everything, required.
	// It compares in constant time, is called for each request, from several goroutines, and never with an empty candidate.
	AdminKey func(r *http.Request, candidate string) bool
}

// WithDefaults returns a copy with every zero field set to its default, and RootPath without a slash at its end.
func (c Config) WithDefaults() Config {
	if c.RootPath == "" {
		c.RootPath = "/asynqmon"
	}
	c.RootPath = strings.TrimSuffix(c.RootPath, "/")
	return c
}

// Validate returns a [webhook.FieldError] for the first field whose value is impossible.
func (c Config) Validate() error {
	c = c.WithDefaults()
	switch {
	case c.Redis == nil:
		return webhook.Invalid("asynqmon.redis", "is required")
	case c.AdminKey == nil:
		return webhook.Invalid("asynqmon.adminKey", "is required")
	case !rootPath(c.RootPath):
		return webhook.Invalid("asynqmon.rootPath", "must begin with / and be a plain path of at least one segment, such as /asynqmon")
	}
	return nil
}

// rootPath refuses what asynqmon's router would read as a pattern, and what ServeMux would redirect.
func rootPath(p string) bool {
	return len(p) > 1 && p[0] == '/' && path.Clean(p) == p && !strings.ContainsAny(p, "{}?#%\\\"'<> ")
}
