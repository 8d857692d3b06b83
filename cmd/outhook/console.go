package main

import (
	"crypto/sha256"
	"net"

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

// consoleSecret is what signs the sessions of browsers: the same in every process of a configuration, and another one when the
// newest encryption key or auth.adminKey changes, as what was begun with the old admin key is to end. Without encryption keys
// there is none: only serve needs them.
func consoleSecret(c config.Secrets, adminKey [sha256.Size]byte) []byte {
	if len(c.Keys) == 0 {
		return nil
	}
	return console.Secret([]byte(c.Keys[0].Key.Reveal()), adminKey)
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
