package monitor

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/session"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Handler serves asynqmon's pages and API below its root path.
type Handler struct {
	cfg      Config
	root     string
	sessions sessions
	// pages are asynqmon's, for whoever is let in; serve is everything.
	pages, serve http.Handler
}

// New returns a handler. Errors are [webhook.FieldError]s.
func New(cfg Config) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	if len(cfg.SessionKey) == 0 {
		cfg.SessionKey = make([]byte, session.MinSecret)
		rand.Read(cfg.SessionKey)
	}
	pages := asynqmon.New(asynqmon.Options{
		RootPath:         cfg.RootPath,
		RedisConnOpt:     borrowed{cfg.Redis},
		ReadOnly:         cfg.ReadOnly,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(marked),
		ResultFormatter:  asynqmon.ResultFormatterFunc(describeResult),
	})
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle(cfg.RootPath+"/api/", facts{typesOf: cfg.TypesOf, health: cfg.Health}.fill(pages))
	// asynqmon would call a Prometheus server through the default client; outbound calls are egress's alone.
	mux.Handle(cfg.RootPath+"/api/metrics", http.NotFoundHandler())

	h := &Handler{cfg: cfg, root: cfg.RootPath, sessions: newSessions(cfg.SessionKey, cfg.RootPath)}
	h.pages = dressed(mux, cfg.RootPath)
	h.serve = http.NewCrossOriginProtection().Handler(http.HandlerFunc(h.route))
	return h, nil
}

// ServeHTTP answers a page for signing in, or 401, without an admin key, and 403 for a state-changing request from another site.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	private(w)
	h.serve.ServeHTTP(w, r)
}

// RootPath is where the handler is to be mounted, without a slash at its end; the pattern of a ServeMux needs one.
func (h *Handler) RootPath() string { return h.root }

// Close ends the handler's use of Redis. The client stays open, as it is the host's; nothing else is held.
func (h *Handler) Close() error { return nil }

func (h *Handler) route(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == h.root+"/login":
		h.login(w, r)
	case r.URL.Path == h.root+"/logout":
		h.logout(w, r)
	case len(r.Header.Values("Authorization")) > 0:
		RequireKey(http.HandlerFunc(h.admitted), h.isAdmin).ServeHTTP(w, r)
	default:
		h.admitSession(w, r)
	}
}

func (h *Handler) isAdmin(r *http.Request, key string) error {
	_, err := h.cfg.AdminKey(r, key)
	return err
}

func (h *Handler) admitted(w http.ResponseWriter, r *http.Request) {
	h.cfg.Admitted(r)
	h.pages.ServeHTTP(w, r)
}

// admitSession lets in who signed in.
func (h *Handler) admitSession(w http.ResponseWriter, r *http.Request) {
	switch _, err := h.signedIn(r); {
	case err == nil && !tellsOrigin(r):
		http.Error(w, "a request that changes something must say which page it comes from", http.StatusForbidden)
	case err == nil:
		h.admitted(w, r)
	case wantsPage(r):
		h.askForKey(w, r, err)
	case isBrowser(r):
		refuse(w, err, bearerChallenge) // its own dialog would be of no use
	default:
		refuse(w, err, basicChallenge, bearerChallenge)
	}
}

// signedIn returns the session of a request. Errors: those of [Config.StillAdmin].
func (h *Handler) signedIn(r *http.Request) (visit, error) {
	is, ok := h.sessions.of(r)
	if !ok {
		return visit{}, webhook.ErrUnauthorized
	}
	return is, h.cfg.StillAdmin(r.Context(), is.Key)
}

// tellsOrigin tells whether it is known where a request comes from that changes something. Only a browser has a session, and
// it says so; [http.CrossOriginProtection] lets through who says nothing, as it may be no browser.
func tellsOrigin(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return true
	}
	return r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
}

// wantsPage tells whether a person will see the answer.
func wantsPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// isBrowser goes by what every browser calls itself. Sec-Fetch headers come by https, or to loopback, alone.
func isBrowser(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "Mozilla/") }

// borrowed lets asynqmon use a client that it does not make. asynqmon's own Close is never called, as it would close it. The
// client is not wrapped, because asynqmon shows Redis's figures for types it knows only.
type borrowed struct{ client redis.UniversalClient }

// MakeRedisClient implements Asynq's RedisConnOpt.
func (b borrowed) MakeRedisClient() any { return b.client }
