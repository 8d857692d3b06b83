package console

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/session"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// formBytes bounds a body that is posted.
	formBytes = 256 << 10
	// pagesAtOnce bounds the pages being made at the same time, pagesOfBrand those for the visitors of one brand, so that who
	// sends forms by the byte shuts out nobody else.
	pagesAtOnce, pagesOfBrand = 64, 32
)

// Handler serves the console. Safe for concurrent use. Before its server shuts down, Close it.
type Handler struct {
	Config
	mux      *http.ServeMux
	sessions session.Signer
	links    session.Signer
	origins  *http.CrossOriginProtection
	policy   string
	pages    pages
	files    files
	survey   survey
	room     places
	streams  places
	// closing is closed when no connection is to stay open.
	closing chan struct{}
	// patterns are those of all pages that want somebody known.
	patterns []string
	closed   sync.Once
}

// New returns the console as a handler of "/console/" and what is below it. A host may mount it below a path of its own with
// [http.StripPrefix]: links and cookies follow, as long as no proxy before the host changes the path. Errors: a
// [webhook.FieldError] that names the field of the Config.
func New(c Config) (*Handler, error) {
	c = c.WithDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	h := &Handler{
		Config: c, mux: http.NewServeMux(), sessions: session.New(c.Secret, "console session"), links: linksOf(c.Secret), origins: http.NewCrossOriginProtection(),
		policy: policyOf(c.FrameAncestors), files: readFiles(), closing: make(chan struct{}),
		room: places{most: pagesAtOnce, each: pagesOfBrand}, streams: places{most: streamsMost, each: streamsOfBrand},
	}
	h.pages = parsePages(h.files)
	h.routes()
	return h, nil
}

// Beside serves the console at its paths, and another handler, which is the API, at all others.
func Beside(api http.Handler, pages *Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/console" || strings.HasPrefix(r.URL.Path, "/console/") {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// policyOf lets pages run and load what this package has, and be in the frames of some.
func policyOf(ancestors []string) string {
	sites := []string{"'none'"}
	if framed(ancestors) {
		sites = sites[:0]
		for _, site := range ancestors {
			if site == "self" {
				site = "'self'"
			}
			sites = append(sites, site)
		}
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors " + strings.Join(sites, " ")
}

// framed tells whether anybody may have the console in a frame.
func framed(ancestors []string) bool { return len(ancestors) > 0 && ancestors[0] != "none" }

func (h *Handler) routes() {
	h.mux.HandleFunc("GET /console/static/{name}", h.files.serve)
	if h.Key != nil {
		h.mux.HandleFunc("GET /console/login", h.showLogin)
		h.mux.HandleFunc("POST /console/login", h.signIn)
		h.mux.HandleFunc("POST /console/logout", h.signOut)
		h.mux.HandleFunc("GET /console/enter", h.enter)
	}
	h.mux.HandleFunc("GET /console", func(w http.ResponseWriter, r *http.Request) { // the mux would not know the root
		_ = (&visit{h: h, w: w, r: r, root: rootOf(r)}).see("/")
	})
	h.on("GET /console/{$}", forAll, (*visit).start)
	h.on("GET /console/brands/{$}", forOperators, (*visit).findBrand)
	h.on("GET /console/brands/{brand}/{$}", forBrand, (*visit).overview)
	h.endpointRoutes()
	h.attemptRoutes()
	h.eventRoutes()
	h.deadLetterRoutes()
	h.jobRoutes()
	h.rehearsalRoutes()
	h.on("/console/", forAll, func(*visit) error { return webhook.ErrNotFound })
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", h.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin") // with no-referrer the Origin of forms would be "null"
	header.Set("Cache-Control", "no-store")
	if h.origins.Check(r) != nil {
		h.fail(w, r, http.StatusForbidden, "This form came from another site.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	h.mux.ServeHTTP(w, r)
}

// audience says who may see a page. To all others it does not exist.
type audience int

const (
	forAll audience = iota
	forBrand
	forOperators
)

func (a audience) admits(who visitor, brand string) bool {
	switch a {
	case forBrand:
		return webhook.CheckID("brand", brand) == nil && who.Sees(brand)
	case forOperators:
		return who.Brand == ""
	}
	return true
}

// visit is one request of somebody who may see what it is about.
type visit struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request
	// root is the path of the console, as the browser has it; brand the one in the path of the request.
	root, brand string
	// who is somebody when known.
	who   visitor
	known bool
	// sent is the form, once it was read.
	sent url.Values
}

// on has a page made for those who may see it.
func (h *Handler) on(pattern string, a audience, do func(*visit) error) {
	h.patterns = append(h.patterns, pattern)
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		who, err := h.visitorOf(r)
		if err != nil {
			h.turnAway(w, r, err)
			return
		}
		v := &visit{h: h, w: w, r: r, root: rootOf(r), brand: r.PathValue("brand"), who: who, known: true}
		if !a.admits(who, v.brand) {
			v.brand = "" // which the answer is not to know
			v.refuse(webhook.ErrNotFound)
			return
		}
		if !h.room.enter(who.Brand) {
			v.refuse(webhook.ErrBusy)
			return
		}
		defer h.room.leave(who.Brand)
		h.Admitted(r)
		if err := do(v); err != nil {
			v.refuse(err)
		}
	})
}

// rootOf is where the console is to the browser: what a host strips of the path stands before ours.
func rootOf(r *http.Request) string {
	asked, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return "/console"
	}
	before, ok := strings.CutSuffix(asked.Path, r.URL.Path)
	if !ok {
		return "/console"
	}
	return before + "/console"
}

// post reads the form of a request into what was sent.
func (v *visit) post() error {
	body, err := io.ReadAll(v.r.Body)
	if err != nil {
		return badForm(err)
	}
	if v.sent, err = url.ParseQuery(string(body)); err != nil {
		return badForm(err)
	}
	return nil
}

// see sends the browser to another page, a path below the root.
func (v *visit) see(path string) error {
	v.w.Header().Set("Location", v.root+path)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// base is the path of the brand's pages.
func (v *visit) base() string { return "/brands/" + v.brand }

// refuse answers an error as a page. What the visitor is not told is logged.
func (v *visit) refuse(err error) {
	status, text := refusal(err)
	if status == http.StatusInternalServerError {
		v.h.Logger.ErrorContext(v.r.Context(), "console page failed", "page", v.r.Pattern, "error", err)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		v.w.Header().Set("Retry-After", "1")
	}
	_ = v.show("error", view{Title: http.StatusText(status), Status: status, Body: text})
}

// refusal is the status of an error, and what is said of it.
func refusal(err error) (status int, text string) {
	field, invalid := errors.AsType[*webhook.FieldError](err)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return http.StatusRequestEntityTooLarge, "This is more than a form may hold."
	case invalid:
		return http.StatusUnprocessableEntity, field.Error()
	case errors.Is(err, webhook.ErrNotFound):
		return http.StatusNotFound, "There is nothing here, or nothing that you may see."
	case errors.Is(err, webhook.ErrConflict), errors.Is(err, webhook.ErrLimit):
		return http.StatusConflict, err.Error()
	case errors.Is(err, webhook.ErrBusy):
		return http.StatusTooManyRequests, "Too much at the same time: try again in a moment."
	case errors.Is(err, webhook.ErrUnavailable):
		return http.StatusServiceUnavailable, "The store does not answer. What is open stays open, and goes on when it does."
	}
	return http.StatusInternalServerError, "This page could not be made."
}

// fail answers whoever is not known.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	v := &visit{h: h, w: w, r: r, root: rootOf(r)}
	_ = v.show("error", view{Title: http.StatusText(status), Status: status, Body: text})
}

func now() time.Time { return time.Now().UTC() }
