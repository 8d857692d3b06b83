package monitor

import (
	"net/http"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/session"
)

const (
	// sessionFor is how long a session lasts, used or not: a working day.
	sessionFor = 8 * time.Hour
	cookieName = "outhook_asynqmon"
)

// visit is what a cookie says, which holds nothing of the key itself.
type visit struct {
	// Key is the id of the admin key that it was begun with; empty for the one that has none.
	Key   string
	Until time.Time
}

// sessions make cookies and read them.
type sessions struct {
	signer session.Signer
	root   string
}

func newSessions(key []byte, root string) sessions {
	return sessions{session.New(key, "asynqmon "+root), root}
}

// of returns the session of a request: there may be other cookies of the name, set by whoever else is under it.
func (s sessions) of(r *http.Request) (visit, bool) {
	for _, cookie := range r.CookiesNamed(cookieName) {
		if key, until, ok := s.signer.Read(cookie.Value); ok {
			return visit{key, until}, true
		}
	}
	return visit{}, false
}

func (s sessions) begin(w http.ResponseWriter, r *http.Request, key string) {
	s.set(w, r, s.signer.Sign(key, time.Now().Add(sessionFor)), int(sessionFor.Seconds()))
}

func (s sessions) end(w http.ResponseWriter, r *http.Request) { s.set(w, r, "", -1) }

func (s sessions) set(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: s.root + "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r),
	})
}

// overTLS tells whether the browser came by https: to us, or, as it says itself, to a proxy before us.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://")
}
