package main

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

func TestConnectionsFitTheFiles(t *testing.T) {
	for _, c := range []struct{ files, within, want int }{
		{noFileLimit, 1100, 4096}, {9292, 1100, 4096}, {9290, 1100, 4095}, {4096, 1100, 1498}, {1024, 72, 476}, {1024, 1100, 64}, {0, 0, 64},
	} {
		if got := connectionsOf(c.files, c.within); got != c.want {
			t.Errorf("of %d files, %d for others: %d, want %d", c.files, c.within, got, c.want)
		}
	}
}

// More clients than there are files for: it says so at start, whoever comes later is served, and whoever was admitted before stays.
func TestServeWithFewFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("sets the limit with a shell")
	}
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -n 400 && exec "$0" "$@"`, os.Args[0]}, serveArgs([]string{"--role=api"})...)...)
	c := startChild(t, redistest.Start(t).Addr(), cmd)
	c.awaitReady(t, 200, "ok\n")
	warned := c.logged("each listener has fewer connections, as this process may not have many files open: raise RLIMIT_NOFILE (ulimit -n)")
	if len(warned) != 1 || warned[0]["files"] != 400.0 || warned[0]["connections"].(float64) > 200 {
		t.Errorf("warned %v", warned)
	}
	dial := func(text string, values ...any) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.api, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_, _ = fmt.Fprintf(conn, text, values...)
		return conn
	}
	const event = `{"type":"message.read","payload":{}}`
	admitted := dial("POST /v1/brands/acme/events HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", testKey, len(event))
	in := bufio.NewReader(admitted)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = in.ReadString('\n')
	for range 500 {
		dial("GET /docs HTTP/1.1\r\n")
	}
	if status, _ := get(t, c.api+"/v1/event-types", testKey); status != http.StatusOK {
		t.Errorf("whoever comes later is answered %d", status)
	}
	_, _ = fmt.Fprint(admitted, event)
	if response, err := http.ReadResponse(in, nil); err != nil || response.StatusCode != http.StatusAccepted {
		t.Errorf("who was admitted before: %+v, %v", response, err)
	}
	if strings.Contains(c.text(), acceptError) {
		t.Error("there was no file for a connection")
	}
}

func TestAcceptErrorsAreSaidOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &serverLog{log: slog.New(slog.NewTextHandler(&out, nil)), name: "api"}
		for range 90 {
			_, _ = l.Write([]byte(acceptError + ": accept4: too many open files; retrying in 1s\n"))
			time.Sleep(time.Second)
		}
		for range 3 {
			_, _ = l.Write([]byte("http: something else\n"))
		}
		if refused, others := strings.Count(out.String(), "too many open files"), strings.Count(out.String(), "else"); refused != 2 || others != 3 {
			t.Errorf("%d and %d lines:\n%s", refused, others, &out)
		}
	})
}
