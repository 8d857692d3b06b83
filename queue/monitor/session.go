package monitor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// sessionFor is how long a session lasts, used or not: a working day.
	sessionFor = 8 * time.Hour
	cookieName = "outhook_asynqmon"
)

// session is what a cookie says, which holds nothing of the key itself.
type session struct {
	// Key is the id of the admin key that it was begun with; empty for the one that has none.
	Key   string
	Until time.Time
}

// sessions signs cookies and reads them: format, key's id, end in Unix seconds, and HMAC-SHA256 of these, with dots between.
type sessions struct {
	secret []byte
	root   string
}

const formatSession = "1"

func (s sessions) text(is session) string {
	said := strings.Join([]string{formatSession, is.Key, strconv.FormatInt(is.Until.Unix(), 10)}, ".")
	return said + "." + base64.RawURLEncoding.EncodeToString(s.sign(said))
}

// read returns false for whatever text did not make, or made with another secret, and for what is over.
func (s sessions) read(value string) (session, bool) {
	end := strings.LastIndexByte(value, '.')
	if end < 0 {
		return session{}, false
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(value[end+1:])
	if err != nil || !hmac.Equal(signature, s.sign(value[:end])) {
		return session{}, false
	}
	said := strings.Split(value[:end], ".") // ours from here on
	if len(said) != 3 || said[0] != formatSession {
		return session{}, false
	}
	until, err := strconv.ParseInt(said[2], 10, 64)
	is := session{Key: said[1], Until: time.Unix(until, 0)}
	return is, err == nil && time.Now().Before(is.Until)
}

// sign binds what a cookie says to what it is for, and where.
func (s sessions) sign(said string) []byte {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("session\x00" + s.root + "\x00" + said))
	return mac.Sum(nil)
}

// of returns the session of a request: there may be other cookies of the name, set by whoever else is under it.
func (s sessions) of(r *http.Request) (session, bool) {
	for _, cookie := range r.CookiesNamed(cookieName) {
		if is, ok := s.read(cookie.Value); ok {
			return is, true
		}
	}
	return session{}, false
}

func (s sessions) begin(w http.ResponseWriter, r *http.Request, key string) {
	is := session{Key: key, Until: time.Now().Add(sessionFor).Truncate(time.Second)}
	s.set(w, r, s.text(is), int(sessionFor.Seconds()))
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
