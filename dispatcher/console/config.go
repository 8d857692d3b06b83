package console

import (
	"log/slog"
	"net/http"
	"strings"

	"go.smobi.com/outhook/dispatcher/session"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Config says what the console shows, and to whom. Exactly one of Key and Identify is set.
type Config struct {
	// Service does what is asked. Required.
	Service Service
	// Key tells whose an API key is, with which somebody signs in. Errors: [webhook.ErrUnauthorized],
	// [webhook.ErrUnavailable], and [webhook.ErrBusy] when too many wrong ones came.
	Key func(r *http.Request, key string) (webhook.Identity, error)
	// Secret signs what browsers keep of that: the same in every process, at least 32 random bytes. Required with Key.
	Secret []byte
	// FrameAncestors are the sites that may have the console in a frame, as "https://app.example.com"; "self" is the console's
	// own. Empty, and "none" alone, is nobody.
	FrameAncestors []string
	// Identify tells who asks, for a host that knows. Nobody signs in or out then. Errors: as Key.
	Identify func(*http.Request) (webhook.Identity, error)
	// Logger gets what could not be answered. Defaults to slog.Default().
	Logger *slog.Logger
	// Admitted is told of each request of which it is known who asks, and for which there is room. Optional.
	Admitted func(*http.Request)
	// Rehearsal is a receiver that the pages switch, for outhook dev. Optional.
	Rehearsal Rehearsal
	// Asynqmon is where operators find the queues, a URL to link to. Optional.
	Asynqmon string
}

// WithDefaults returns a copy with every zero field set to its default.
func (c Config) WithDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Admitted == nil {
		c.Admitted = func(*http.Request) {}
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Service == nil:
		return webhook.Invalid("Service", "is required")
	case (c.Key == nil) == (c.Identify == nil):
		return webhook.Invalid("Key", "is required, or else Identify")
	case c.Key != nil && len(c.Secret) < session.MinSecret:
		return webhook.Invalid("Secret", "must be at least %d bytes", session.MinSecret)
	}
	return CheckFrameAncestors("FrameAncestors", c.FrameAncestors)
}

// CheckFrameAncestors returns a [webhook.FieldError] of the field unless sites are such as [Config.FrameAncestors] takes.
func CheckFrameAncestors(field string, sites []string) error {
	for _, site := range sites {
		if site == "" || strings.ContainsAny(site, " \t\r\n;,'\"") || site == "*" || strings.HasSuffix(site, ":") { // which would be everybody
			return webhook.Invalid(field, "must be sites such as https://app.example.com")
		}
		if site == "none" && len(sites) > 1 {
			return webhook.Invalid(field, "must have none alone")
		}
	}
	return nil
}
