package httpapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// settingsBytes bounds the body of every request that carries no payload.
const settingsBytes = 256 << 10

// Config says what the API serves, to whom, and within which limits.
type Config struct {
	// Service does what is asked. Required.
	Service Service
	// Identify tells who asks, once a request and before its body is read.
	// [webhook.ErrUnavailable] is answered with 503, [webhook.ErrBusy] with 429,
	// every other error with 401. See [Authenticator]. Required.
	Identify func(*http.Request) (webhook.Identity, error)
	// Logger gets what could not be answered. Defaults to slog.Default().
	Logger *slog.Logger
	// PayloadBytes bounds the payload of an event. Defaults to 256 KiB.
	PayloadBytes int
	// RequestBytes bounds the body of a publish; bodies of other requests are
	// bounded by 256 KiB, or this if it is less. Defaults to 8 MiB.
	RequestBytes int
	// BatchEvents bounds the events of a batch. Defaults to 500.
	BatchEvents int
	// RequestsAtOnce bounds the requests under way at the same time: a brand alone
	// may have half of them. What is more is answered with 429 or 503. Defaults to 128.
	RequestsAtOnce int
	// Admitted is told of each request of which it is known who asks and for which
	// there is room, before it is read further. So a host knows which connections
	// strangers have: all of which it was not told. Optional.
	Admitted func(*http.Request)
	// Traced has the traceparent of a request, of which it is known who asks, name the parent of what it publishes, unless its
	// context has a span already. Its sampled flag counts, too. Defaults to false.
	Traced bool
}

// WithDefaults returns a copy with every zero field set to its default.
func (c Config) WithDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	setDefault(&c.PayloadBytes, 256<<10)
	setDefault(&c.RequestBytes, 8<<20)
	setDefault(&c.BatchEvents, 500)
	setDefault(&c.RequestsAtOnce, 128)
	return c
}

func setDefault(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

func (c Config) validate() error {
	switch {
	case c.Service == nil:
		return webhook.Invalid("Service", "is required")
	case c.Identify == nil:
		return webhook.Invalid("Identify", "is required")
	case c.PayloadBytes < 0:
		return webhook.Invalid("PayloadBytes", "must be positive")
	case c.RequestBytes < c.PayloadBytes:
		return webhook.Invalid("RequestBytes", "must be at least PayloadBytes (%d)", c.PayloadBytes)
	case c.BatchEvents < 0:
		return webhook.Invalid("BatchEvents", "must be positive")
	case c.RequestsAtOnce < 2:
		return webhook.Invalid("RequestsAtOnce", "must be at least 2")
	}
	return nil
}

type server struct {
	Config
	mux *http.ServeMux
	api huma.API
	// scopes are those of the routes by their pattern on the mux.
	scopes map[string]scope
	load   *load
}

// New returns the API as a handler of "/v1/", and of "/openapi.json" and
// "/docs", which are open to everybody. A host mounts it below a prefix with
// [http.StripPrefix]. Errors: a [webhook.FieldError] that names the field of the Config.
func New(c Config) (http.Handler, error) {
	c = c.WithDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	s := newServer(c)
	if err := s.addDocuments(); err != nil {
		return nil, err
	}
	s.mux.HandleFunc("/", s.unrouted)
	return s, nil
}

// newServer returns a server of all routes under /v1.
func newServer(c Config) *server {
	mux := http.NewServeMux()
	s := &server{Config: c, mux: mux, api: newAPI(mux), scopes: map[string]scope{}, load: newLoad(c.RequestsAtOnce, c.RequestBytes)}
	s.api.OpenAPI().Components.Responses = s.describeRefusals()
	s.routes()
	s.describePayloads()
	return s
}

// addDocuments serves the document and its page as they are now, made once:
// huma would make the document at the first request, unguarded against a second one.
func (s *server) addDocuments() error {
	document, err := s.document(s.Service.EventTypes())
	if err != nil {
		return err
	}
	page, err := newDocsPage(document)
	if err != nil {
		return err
	}
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		makeLast(w, r)
		(&reply{Status: http.StatusOK, ContentType: "application/openapi+json", Body: document}).write(w)
	})
	s.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		makeLast(w, r)
		page.ServeHTTP(w, r)
	})
	return nil
}

// openFor is how long a client may take to read what it gets without a key, or without room.
const openFor = 5 * time.Second

// makeLast makes the answer the last of its connection, and one that is not waited
// for long. Who does not need a key for an answer must not get many for one
// connection, or keep one by not reading.
func makeLast(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor > 1 {
		return // would end what others have on the connection
	}
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(openFor)) // where there is a connection
}

// lingerFor is how long what nobody read of a body may still take to come, so
// that the connection can be used again.
const lingerFor = time.Second

// ServeHTTP answers one request. Nothing here is for a cache: answers may carry secrets.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// It may have had a Content-Length too, and something between may have gone by that: what follows is then no
		// request (RFC 9112, section 6.3). net/http does not tell.
		w.Header().Set("Connection", "close")
	}
	if isClean(r.URL.Path) {
		s.mux.ServeHTTP(w, r)
	} else {
		s.unrouted(w, r)
	}
	if r.Body != nil && r.Body != http.NoBody {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerFor)) // where there is a connection
	}
}
