package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Identity is who asks.
type Identity struct {
	// Brand is the only brand that the asker may see; empty for an admin, who
	// may see every brand.
	Brand string
}

func (i Identity) sees(brand string) bool { return i.Brand == "" || i.Brand == brand }

// BearerKey returns a [Config.Identify] that takes whoever presents adminKey as
// "Authorization: Bearer KEY" for an admin, and everybody else for nobody. An
// empty adminKey lets nobody in; so does a request with two Authorization headers.
func BearerKey(adminKey string) func(*http.Request) (Identity, bool) {
	want := sha256.Sum256([]byte(adminKey))
	return func(r *http.Request) (Identity, bool) {
		key, ok := bearer(r.Header)
		// Hashes, because the comparison takes constant time for equal lengths only.
		got := sha256.Sum256([]byte(key))
		same := subtle.ConstantTimeCompare(got[:], want[:]) == 1
		return Identity{}, ok && same && adminKey != ""
	}
}

// bearer returns the token of the one Authorization header (RFC 6750, section 2.1).
func bearer(h http.Header) (token string, ok bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer")
}

// authorize runs before anything of a request is looked at: a brand that the
// asker may not see does not exist.
func (s *server) authorize(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	who, ok := s.Identify(r)
	switch {
	case !ok:
		writeUnauthorized(w)
	case !who.sees(ctx.Param("brand")):
		problem(http.StatusNotFound, "not found").reply().write(w)
	default:
		next(ctx)
	}
}

func writeUnauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	problem(http.StatusUnauthorized, "a valid key is required: Authorization: Bearer KEY").reply().write(w)
}

// unrouted answers what no route matches: 401 as everywhere, 405 for a path
// that has other methods, else 404.
func (s *server) unrouted(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.Identify(r); !ok {
		writeUnauthorized(w)
		return
	}
	allowed := s.methodsOf(r)
	if len(allowed) == 0 {
		problem(http.StatusNotFound, "not found").reply().write(w)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	problem(http.StatusMethodNotAllowed, "this path has no such method").reply().write(w)
}

func (s *server) methodsOf(r *http.Request) []string {
	var found []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(other); pattern != "/" {
			found = append(found, method)
		}
	}
	return found
}
