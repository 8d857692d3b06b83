package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"net"
	"net/http"
	"strings"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/console"
	"go.smobi.com/outhook/dispatcher/httpapi"
)

// newConsole returns the pages for browsers; cfg lacks its Service, Key and Admitted.
func newConsole(cfg console.Config, road *dispatcher.Dispatcher, keys *httpapi.Authenticator) (*console.Handler, error) {
	cfg.Service, cfg.Key, cfg.Admitted = road, keys.Key, admitted
	return console.New(cfg)
}

// withConsole serves the console beside the API.
func withConsole(pages, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/console" || strings.HasPrefix(r.URL.Path, "/console/") {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// consoleSecret is what signs the sessions of browsers: the same in every process of a configuration, and another one when the
// newest encryption key or auth.adminKey changes, as what was begun with the old admin key is to end. Without encryption keys
// there is none: only serve needs them.
func consoleSecret(c config.Secrets, adminKey [sha256.Size]byte) []byte {
	if len(c.Keys) == 0 {
		return nil
	}
	key, err := hkdf.Key(sha256.New, []byte(c.Keys[0].Key.Reveal()), adminKey[:], "outhook console", sha256.Size)
	if err != nil {
		panic(err) // cannot happen: it is for far longer keys
	}
	return key
}

// asynqmonURL is where an operator finds asynqmon, as far as the configuration tells: empty where it listens everywhere, or
// on a free port.
func asynqmonURL(adminListen string) string {
	host, port, err := net.SplitHostPort(adminListen)
	if err != nil || host == "" || port == "0" {
		return ""
	}
	return "http://" + adminListen + "/asynqmon/"
}
