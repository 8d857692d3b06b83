package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Challenges of a 401 (RFC 6750, section 3): an asker that gave no key is not
// told of an error.
const (
	challenge      = `Bearer realm="outhook"`
	challengeWrong = challenge + `, error="invalid_token"`
)

var bearerToken = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// bearer returns the token of the one Authorization header (RFC 6750, section
// 2.1). A key anywhere else, such as in the query, where it would stand in the
// logs of everything between, is none.
func bearer(h http.Header) (token string, ok bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return token, strings.EqualFold(scheme, "Bearer") && bearerToken.MatchString(token)
}

// admit runs before anything of a request is looked at: what the asker may not
// see does not exist. What a request holds is on the account of the brand in its
// path, whoever asks, or else of the asker's.
func (s *server) admit(r route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		request, w := humago.Unwrap(ctx)
		who, err := s.Identify(request)
		brand := ctx.Param("brand")
		switch {
		case err != nil:
			writeUnidentified(w, request, err)
		case !r.scope.admits(who, brand):
			problem(http.StatusNotFound, detailNotFound).reply().write(w)
		default:
			if s.Traced {
				ctx = huma.WithContext(ctx, traced(ctx.Context(), request.Header))
			}
			s.bound(r, cmp.Or(brand, who.Brand), huma.WithValue(ctx, askerKey{}, who), next)
		}
	}
}

type askerKey struct{}

var errNobodyAsks = errors.New("it is not known who asks")

// askerOf returns who makes the request that a handler answers.
func askerOf(ctx context.Context) (webhook.Identity, error) {
	who, ok := ctx.Value(askerKey{}).(webhook.Identity)
	if !ok {
		return who, errNobodyAsks // the zero value would be an admin
	}
	return who, nil
}

// admits tells whether a route of this scope exists for the asker.
func (where scope) admits(who webhook.Identity, brand string) bool {
	switch where {
	case brandScope:
		return who.Sees(brand)
	case keyScope, ownScope:
		return true
	}
	return who.Brand == ""
}

func writeUnidentified(w http.ResponseWriter, r *http.Request, err error) {
	makeLast(w, r)
	switch {
	case errors.Is(err, webhook.ErrBusy):
		waiting(http.StatusTooManyRequests, "too many wrong keys came from this address: try again in a moment").reply().write(w)
		return
	case errors.Is(err, webhook.ErrUnavailable), isContext(err):
		waiting(http.StatusServiceUnavailable, "the store did not answer: the key could not be looked up").reply().write(w)
		return
	}
	w.Header().Set("WWW-Authenticate", challenge)
	if _, given := bearer(r.Header); given {
		w.Header().Set("WWW-Authenticate", challengeWrong)
	}
	problem(http.StatusUnauthorized, detailNoKey).reply().write(w)
}

// unrouted answers what no route matches: 401 as everywhere, 405 for a path
// that has other methods for the asker, else 404.
func (s *server) unrouted(w http.ResponseWriter, r *http.Request) {
	who, err := s.Identify(r)
	if err != nil {
		writeUnidentified(w, r, err)
		return
	}
	allowed := s.methodsOf(r, who)
	if len(allowed) == 0 || !isClean(r.URL.Path) {
		problem(http.StatusNotFound, detailNotFound).reply().write(w)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	problem(http.StatusMethodNotAllowed, "this path has no such method").reply().write(w)
}

// isClean tells whether the mux would take a path as it is; others it redirects,
// before it is known who asks.
func isClean(p string) bool { return p == "/" || path.Clean("/"+p) == strings.TrimSuffix(p, "/") }

func (s *server) methodsOf(r *http.Request, who webhook.Identity) []string {
	var found []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		_, pattern := s.mux.Handler(other)
		where, scoped := s.scopes[pattern]
		if pattern != "/" && (!scoped || where.admits(who, brandIn(r.URL))) {
			found = append(found, method)
		}
	}
	return found
}

// brandIn returns the brand in a path that some route matches; the mux tells
// only its handlers.
func brandIn(u *url.URL) string {
	under, _ := strings.CutPrefix(u.EscapedPath(), "/v1/brands/")
	escaped, _, _ := strings.Cut(under, "/")
	brand, err := url.PathUnescape(escaped)
	if err != nil {
		return ""
	}
	return brand
}
