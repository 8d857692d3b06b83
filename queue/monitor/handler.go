package monitor

import (
	"net/http"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/queue"
)

// Handler serves asynqmon's pages and API below its root path.
type Handler struct {
	serve http.Handler
	root  string
}

// New returns a handler. Errors are [webhook.FieldError]s.
func New(cfg Config) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	pages := asynqmon.New(asynqmon.Options{
		RootPath:         cfg.RootPath,
		RedisConnOpt:     borrowed{cfg.Redis},
		ReadOnly:         cfg.ReadOnly,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(queue.Describe),
		ResultFormatter:  asynqmon.ResultFormatterFunc(describeResult),
	})
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	// asynqmon would call a Prometheus server through the default client; outbound calls are egress's alone.
	mux.Handle(cfg.RootPath+"/api/metrics", http.NotFoundHandler())
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return &Handler{serve: secured(RequireKey(guarded, cfg.AdminKey)), root: cfg.RootPath}, nil
}

// ServeHTTP answers 401 without an admin key, and 403 for a state-changing request from another site.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve.ServeHTTP(w, r) }

// RootPath is where the handler is to be mounted, without a slash at its end; the pattern of a ServeMux needs one.
func (h *Handler) RootPath() string { return h.root }

// Close ends the handler's use of Redis. The client stays open, as it is the host's; nothing else is held.
func (h *Handler) Close() error { return nil }

// borrowed lets asynqmon use a client that it does not make. asynqmon's own Close is never called, as it would close it. The
// client is not wrapped, because asynqmon shows Redis's figures for types it knows only.
type borrowed struct{ client redis.UniversalClient }

// MakeRedisClient implements Asynq's RedisConnOpt.
func (b borrowed) MakeRedisClient() any { return b.client }

// describeResult hides results: our tasks have none, and nobody knows what another's holds.
func describeResult(string, []byte) string { return "" }
