package monitor

import (
	"net/http"
	"strings"
)

// RequireKey lets a request through that carries an admin key: as Bearer token (RFC 6750, section 2.1), or as the password
// of HTTP Basic (RFC 7617) with any user name, which is what a browser can send. Others are answered with 401.
func RequireKey(next http.Handler, isAdmin func(r *http.Request, key string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if key := keyOf(r); key == "" || !isAdmin(r, key) {
			w.Header().Add("WWW-Authenticate", `Basic realm="outhook", charset="UTF-8"`)
			w.Header().Add("WWW-Authenticate", `Bearer realm="outhook"`)
			http.Error(w, "an admin key is required", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
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

// secured keeps the pages out of frames and other sites' logs.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}
