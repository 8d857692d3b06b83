package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/pprof"
	"time"

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
	guarded.Handle("/asynqmon/", pages)
	guarded.HandleFunc("/debug/pprof/", pprof.Index)
	guarded.HandleFunc("/debug/pprof/cmdline", http.NotFound) // may hold secrets
	guarded.HandleFunc("/debug/pprof/profile", pprof.Profile)
	guarded.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	guarded.HandleFunc("/debug/pprof/trace", pprof.Trace)

	mux := http.NewServeMux()
	mux.Handle("/", requireAdmin(guarded, ask))
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

// adminCheck tells whether the key that came with a request is an admin's. Errors: those of [httpapi.Authenticator.Key].
type adminCheck func(r *http.Request, key string) error

func adminsBy(keys *httpapi.Authenticator) adminCheck {
	return func(r *http.Request, key string) error {
		who, err := keys.Key(r, key)
		if err == nil && who.Brand != "" {
			return webhook.ErrUnauthorized
		}
		return err
	}
}

func (ask adminCheck) isAdmin(r *http.Request, key string) bool { return ask(r, key) == nil }

// requireAdmin answers 401 to whoever has no admin's key, and 429 or 503 when that is not known.
func requireAdmin(next http.Handler, ask adminCheck) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var unknown error
		known := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if unknown != nil {
				answerUnknown(w, unknown)
				return
			}
			admitted(r)
			next.ServeHTTP(w, r)
		})
		monitor.RequireKey(known, func(r *http.Request, key string) bool {
			err := ask(r, key)
			if errors.Is(err, webhook.ErrBusy) || errors.Is(err, webhook.ErrUnavailable) {
				unknown = err
			}
			return err == nil || unknown != nil
		}).ServeHTTP(w, r)
	})
}

// answerUnknown says why nobody looked whose key it is.
func answerUnknown(w http.ResponseWriter, err error) {
	status, text := http.StatusServiceUnavailable, "redis does not answer: the key could not be looked up"
	if errors.Is(err, webhook.ErrBusy) {
		status, text = http.StatusTooManyRequests, "too many wrong keys came from this address: try again in a moment"
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, text, status)
}
