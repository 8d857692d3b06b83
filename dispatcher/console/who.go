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
		key, brand, _ := strings.Cut(text, ".")
		who := visitor{webhook.Identity{Brand: brand, Key: key}, until}
		if err := h.stillGood(r, who); !errors.Is(err, webhook.ErrUnauthorized) {
			return who, err
		}
	}
	return visitor{}, webhook.ErrUnauthorized
}

// stillGood asks each time whether the key is there that a session was begun with: one that was revoked ends it at once.
func (h *Handler) stillGood(r *http.Request, who visitor) error {
	if who.Key == "" {
		return nil // that of the configuration, with which the secret of the sessions changes
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
	h.setCookie(w, r, h.sessions.Sign(who.Key+"."+who.Brand, until), int(sessionFor.Seconds()))
}

func (h *Handler) setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: rootOf(r) + "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r),
	})
}

// overTLS tells whether the browser came by https: to us, or, as it says itself, to a proxy before us.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://")
}
