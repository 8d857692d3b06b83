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

// adminHandler serves the operators: health to everybody, all else to whoever has the admin key. What does not exist is
// behind the key as well.
func adminHandler(ready func(context.Context) error, isAdmin func(*http.Request, string) bool, pages http.Handler) http.Handler {
	guarded := http.NewServeMux()
	guarded.Handle("/asynqmon/", pages)
	guarded.HandleFunc("/debug/pprof/", pprof.Index)
	guarded.HandleFunc("/debug/pprof/cmdline", http.NotFound) // may hold secrets
	guarded.HandleFunc("/debug/pprof/profile", pprof.Profile)
	guarded.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	guarded.HandleFunc("/debug/pprof/trace", pprof.Trace)

	mux := http.NewServeMux()
	mux.Handle("/", monitor.RequireKey(guarded, isAdmin))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerHealth(w, http.StatusOK, "ok") })
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

// adminsBy tells whether the key that came with a request is an admin's.
func adminsBy(keys *httpapi.Authenticator) func(r *http.Request, key string) bool {
	return func(r *http.Request, key string) bool {
		who, err := keys.Key(r, key)
		return err == nil && who.Brand == ""
	}
}
