package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/monitor"
)

// readyWithin bounds the question whether Redis answers.
const readyWithin = time.Second

var errStopping = errors.New("shutting down")

// adminHandler serves the operators: health and metrics to everybody, all else to whoever has the admin key. What does not exist is
// behind the key as well.
func adminHandler(ready func(context.Context) error, ask adminCheck, pages, metrics http.Handler) http.Handler {
	guarded := http.NewServeMux()
	guarded.HandleFunc("/debug/pprof/", pprof.Index)
	guarded.HandleFunc("/debug/pprof/cmdline", http.NotFound) // may hold secrets
	guarded.HandleFunc("/debug/pprof/profile", pprof.Profile)
	guarded.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	guarded.HandleFunc("/debug/pprof/trace", pprof.Trace)

	mux := http.NewServeMux()
	mux.Handle("/", requireAdmin(guarded, ask))
	mux.Handle("/asynqmon/", pages) // which let a browser sign in with the key
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerHealth(w, http.StatusOK, "ok") })
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		if err := ready(ctx); err != nil {
			answerHealth(w, http.StatusServiceUnavailable, unready(err))
			return
		}
		answerHealth(w, http.StatusOK, "ok")
	})
	return mux
}

// unready is the reason as everybody may see it: no address, nothing of Redis's own text.
func unready(err error) string {
	if errors.Is(err, webhook.ErrUnavailable) {
		return "redis does not answer"
	}
	if unfit, ok := errors.AsType[*webhook.ServerError](err); ok {
		return unfit.Why
	}
	return err.Error()
}

func answerHealth(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, oneLine(text)+"\n")
}

// newAuthenticator returns one for both listeners. The bootstrap key, which has a hash, opens them whatever others try.
func newAuthenticator(road *dispatcher.Dispatcher, bootstrap [sha256.Size]byte) *httpapi.Authenticator {
	keys := httpapi.NewAuthenticator(road.Authenticate)
	if bootstrap != [sha256.Size]byte{} {
		keys.Expect(bootstrap)
	}
	return keys
}

// adminCheck tells whether the key that came with a request is an admin's, and its id, which that of the configuration lacks.
// Errors: those of [httpapi.Authenticator.Key].
type adminCheck func(r *http.Request, key string) (id string, err error)

func adminsBy(keys *httpapi.Authenticator) adminCheck {
	return func(r *http.Request, key string) (string, error) {
		who, err := keys.Key(r, key)
		if err == nil && who.Brand != "" {
			err = webhook.ErrUnauthorized
		}
		return who.Key, err
	}
}

// stillAdmin tells whether a key that adminCheck took is one that it takes. It asks Redis each time: a key that was revoked
// ends what was begun with it at once.
func stillAdmin(road *dispatcher.Dispatcher) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		if id == "" {
			return nil // that of the configuration: sessions are signed for it, and end when it changes
		}
		k, err := road.Key(ctx, id)
		if errors.Is(err, webhook.ErrNotFound) || err == nil && k.Brand != "" {
			return webhook.ErrUnauthorized
		}
		return err
	}
}

// newPages returns asynqmon's pages; cfg lacks its Redis and what it asks.
func newPages(cfg monitor.Config, rdb redis.UniversalClient, road *dispatcher.Dispatcher, ask adminCheck) (*monitor.Handler, error) {
	cfg.Redis, cfg.AdminKey, cfg.StillAdmin = rdb, ask, stillAdmin(road)
	cfg.Admitted, cfg.TypesOf, cfg.Health = admitted, road.TypesOf, road.Health
	return monitor.New(cfg)
}

// requireAdmin lets nobody in without an admin's key.
func requireAdmin(next http.Handler, ask adminCheck) http.Handler {
	known := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted(r)
		next.ServeHTTP(w, r)
	})
	return monitor.RequireKey(known, func(r *http.Request, key string) error {
		_, err := ask(r, key)
		return err
	})
}
