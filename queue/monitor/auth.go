package monitor

import (
	"errors"
	"net/http"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// RequireKey lets a request through that carries an admin key: as Bearer token (RFC 6750, section 2.1), or as the password
// of HTTP Basic (RFC 7617) with any user name. isAdmin is never asked about an empty key. Others are answered with 401, and
// with 429 or 503 where isAdmin answers [webhook.ErrBusy] or [webhook.ErrUnavailable].
func RequireKey(next http.Handler, isAdmin func(r *http.Request, key string) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		private(w)
		err := webhook.ErrUnauthorized
		if key := keyOf(r); key != "" {
			err = isAdmin(r, key)
		}
		if err != nil {
			refuse(w, err, basicChallenge, bearerChallenge)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// basicChallenge makes a browser ask for a name and a password, bearerChallenge does not.
const (
	basicChallenge  = `Basic realm="outhook", charset="UTF-8"`
	bearerChallenge = `Bearer realm="outhook"`
)

// private keeps an answer out of caches, and a browser from guessing what it is.
func private(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}

func keyOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

func refuse(w http.ResponseWriter, err error, challenges ...string) {
	status, text := refusal(w, err, challenges...)
	http.Error(w, text, status)
}

// refusal sets the headers of an answer to whoever was not let in, and returns its status and what to say.
func refusal(w http.ResponseWriter, err error, challenges ...string) (status int, text string) {
	switch {
	case errors.Is(err, webhook.ErrBusy):
		w.Header().Set("Retry-After", "1")
		return http.StatusTooManyRequests, "too many wrong keys came from this address: try again in a moment"
	case errors.Is(err, webhook.ErrUnavailable):
		w.Header().Set("Retry-After", "1")
		return http.StatusServiceUnavailable, "redis does not answer: the key could not be looked up"
	}
	w.Header()["Www-Authenticate"] = challenges
	return http.StatusUnauthorized, "an admin key is required"
}
