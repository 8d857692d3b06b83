package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// sessionFor is how long a session lasts, used or not: a working day.
	sessionFor = 8 * time.Hour
	cookieName = "outhook_console"
)

// visitor is who asks.
type visitor struct {
	webhook.Identity
	// link: it was begun by a signed link.
	link bool
	// until is when the session ends; zero where the host says who asks.
	until time.Time
}

// visitorOf tells who asks. Errors: [webhook.ErrUnauthorized], [webhook.ErrUnavailable], [webhook.ErrBusy].
func (h *Handler) visitorOf(r *http.Request) (visitor, error) {
	if h.Identify != nil {
		who, err := h.Identify(r)
		return visitor{Identity: who}, err
	}
	for _, cookie := range r.CookiesNamed(cookieName) { // there may be one of whoever else is under the name
		text, until, ok := h.sessions.Read(cookie.Value)
		if !ok {
			continue
		}
		who, ok := visitorIn(text, until)
		if !ok {
			continue
		}
		if err := h.stillGood(r, who); !errors.Is(err, webhook.ErrUnauthorized) {
			return who, err
		}
	}
	return visitor{}, webhook.ErrUnauthorized
}

// How what is in a cookie begins: who signed in with a key, or came by a link.
const byKey, byLink = "key", "link"

// visitorIn reads what a cookie of ours says: how it was begun, the key's id, and the brand, with dots between.
func visitorIn(text string, until time.Time) (visitor, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return visitor{}, false
	}
	who := visitor{Identity: webhook.Identity{Key: parts[1], Brand: parts[2]}, link: parts[0] == byLink, until: until}
	return who, parts[0] == byKey || who.link && who.Brand != ""
}

// stillGood asks each time whether the key is there that a session was begun with: one that was revoked ends it at once.
func (h *Handler) stillGood(r *http.Request, who visitor) error {
	if who.Key == "" {
		return nil // a link, or the key of the configuration, with which the secret of the sessions changes
	}
	key, err := h.Service.Key(r.Context(), who.Key)
	if errors.Is(err, webhook.ErrNotFound) || err == nil && key.Brand != who.Brand {
		return webhook.ErrUnauthorized
	}
	return err
}

// begin has the browser keep who signed in: the key's id and brand, never the key.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, who webhook.Identity) {
	until := time.Now().Add(sessionFor)
	h.setCookie(w, r, h.sessions.Sign(strings.Join([]string{byKey, who.Key, who.Brand}, "."), until), int(sessionFor.Seconds()))
}

func (h *Handler) setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: rootOf(r) + "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r),
	})
}

// overTLS tells whether the browser came by https: to us, or, as it or the proxy says, to a proxy before us. Who lies about
// it does so about a cookie of its own.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://") || r.Header.Get("X-Forwarded-Proto") == "https"
}
