package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
)

// canaryReceivers behave each in its own way, by the name of the brand whose endpoint they are.
func canaryReceivers(t *testing.T, hold <-chan struct{}, arrived chan<- string) map[string]string {
	t.Helper()
	hangs := func(brand string) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			arrived <- brand + " " + r.Header.Get("webhook-id")
			<-hold
		}
	}
	plain := map[string]http.HandlerFunc{
		"hangs": hangs("hangs"),
		"tires": hangs("tires"),
		"fine":  func(http.ResponseWriter, *http.Request) {},
		"fails": func(w http.ResponseWriter, _ *http.Request) {
			answerHostile(w, "HTTP/1.1 500 "+hostile, "X-Evil: \u009b31m\u202e", hostile)
		},
		"gone": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-From", r.URL.String())
			http.Redirect(w, r, "http://"+r.Host+"/else?"+r.URL.RawQuery, http.StatusFound)
		},
		"repeats": func(w http.ResponseWriter, r *http.Request) {
			text := wholeRequest(r)
			answerHostile(w, "HTTP/1.1 503 "+r.Header.Get("x-canary"), "X-Repeated: "+r.Header.Get("x-canary"), text+hostile)
		},
		// No answer at all, and more than the answer: errors and warnings of net/http would quote them.
		"mumbles": func(w http.ResponseWriter, r *http.Request) { answerRaw(w, wholeRequest(r)) },
		"talks": func(w http.ResponseWriter, r *http.Request) {
			answerRaw(w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"+wholeRequest(r))
		},
		"breaks": func(w http.ResponseWriter, r *http.Request) {
			answerRaw(w, "HTTP/1.1 500 Oh\r\n"+r.Header.Get("x-canary")+"\r\n\r\n"+wholeRequest(r))
		},
	}
	urls := map[string]string{"refuses": "http://localhost:" + closedPort(t)}
	for name, handler := range plain {
		server := httptest.NewServer(handler)
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
		urls[name] = server.URL
	}
	urls["fine"] = strings.Replace(urls["fine"], "127.0.0.1", "localhost", 1)
	secure := httptest.NewUnstartedServer(plain["fine"])
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	urls["distrusted"] = secure.URL
	return urls
}

func wholeRequest(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	return fmt.Sprintln(r.Header, string(body))
}

// answerHostile gives a status line and a header as no server of net/http would.
func answerHostile(w http.ResponseWriter, status, header, body string) {
	clean := strings.NewReplacer("\r", "", "\n", "")
	answerRaw(w, fmt.Sprintf("%s\r\n%s\r\nContent-Length: %d\r\n\r\n%s", clean.Replace(status), clean.Replace(header), len(body), body))
}

func answerRaw(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, text)
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// waitForArrivals waits until the brand's receiver, one that hangs, has the webhooks of these ids, in any order.
func waitForArrivals(t *testing.T, arrived <-chan string, brand string, ids ...string) {
	t.Helper()
	missing := map[string]bool{}
	for _, id := range ids {
		missing[brand+" "+id] = true
	}
	dispatchertest.Eventually(t, func() bool {
		select {
		case got := <-arrived:
			delete(missing, got)
		default:
		}
		return len(missing) == 0
	})
}
