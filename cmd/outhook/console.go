package main

import (
	"net"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/console"
	"go.smobi.com/outhook/dispatcher/httpapi"
)

// newConsole returns the pages for browsers; cfg lacks its Service, Key and Admitted.
func newConsole(cfg console.Config, road *dispatcher.Dispatcher, keys *httpapi.Authenticator) (*console.Handler, error) {
	cfg.Service, cfg.Key, cfg.Admitted = road, keys.Key, admitted
	return console.New(cfg)
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
