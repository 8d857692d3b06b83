package monitor

import (
	"context"
	"net/http"
	"path"
	"strings"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/session"
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

	// AdminKey tells whether the candidate that came with a request is a key that may see and change everything, and its id,
	// which is any of [webhook.CheckID] or empty; required. It compares in constant time, is called for each request that
	// has a key, from several goroutines, and never with an empty candidate. Errors: [webhook.ErrUnauthorized], and
	// [webhook.ErrBusy] and [webhook.ErrUnavailable] where that is not known.
	AdminKey func(r *http.Request, candidate string) (id string, err error)
	// StillAdmin tells whether the key of an id that AdminKey answered is what it was, required. It is called for each
	// request of a browser that signed in, so that what it no longer takes ends the sessions that were begun with it.
	// Errors: [webhook.ErrUnauthorized], [webhook.ErrUnavailable].
	StillAdmin func(ctx context.Context, id string) error
	// SessionKey signs the cookies of browsers that signed in; at least 32 bytes, the same in all processes behind one
	// address. Whoever changes it signs everybody out. Defaults to random bytes: sessions end with the handler, and others
	// do not know them.
	SessionKey []byte

	// Admitted is told of each request that has a good key or session, before it is answered. nil: nobody is.
	Admitted func(r *http.Request)

	// TypesOf answers the types of events, in the order of the input, empty for one that is not known; Health how endpoints
	// are doing. Each is called once a page, for at most 500. nil, or an error: pages do not show what it would have said.
	TypesOf func(ctx context.Context, refs []webhook.EventRef) ([]string, error)
	Health  func(ctx context.Context, refs []webhook.EndpointRef) ([]webhook.Health, error)
}

// WithDefaults returns a copy with RootPath and Admitted set to their defaults, RootPath without a slash at its end.
func (c Config) WithDefaults() Config {
	if c.RootPath == "" {
		c.RootPath = "/asynqmon"
	}
	c.RootPath = strings.TrimSuffix(c.RootPath, "/")
	if c.Admitted == nil {
		c.Admitted = func(*http.Request) {}
	}
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
	case c.StillAdmin == nil:
		return webhook.Invalid("asynqmon.stillAdmin", "is required")
	case len(c.SessionKey) > 0 && len(c.SessionKey) < session.MinSecret:
		return webhook.Invalid("asynqmon.sessionKey", "must be at least %d bytes", session.MinSecret)
	case !rootPath(c.RootPath):
		return webhook.Invalid("asynqmon.rootPath", "must begin with / and be a plain path of at least one segment, such as /asynqmon")
	}
	return nil
}

// rootPath refuses what asynqmon's router would read as a pattern, what ServeMux would redirect, and what a cookie's path
// cannot hold.
func rootPath(p string) bool {
	return len(p) > 1 && p[0] == '/' && path.Clean(p) == p && !strings.ContainsAny(p, "{}?#%\\\"'<> ;,")
}
