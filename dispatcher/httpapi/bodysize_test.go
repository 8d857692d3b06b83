package httpapi_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// trap fails the test when a body is read.
type trap struct{ t *testing.T }

func (b trap) Read([]byte) (int, error) {
	b.t.Error("the body was read")
	return 0, io.EOF
}

// failing is a body that ends with an error.
type failing struct{ err error }

func (b failing) Read([]byte) (int, error) { return 0, b.err }

func TestBodySizes(t *testing.T) {
	handler, err := httpapi.New(httpapi.Config{
		Service: newFake(), Identify: identify, PayloadBytes: 100, RequestBytes: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	fits := `{"type":"message.read","payload":{}}`
	fits += strings.Repeat(" ", 1000-len(fits))
	for _, c := range []struct {
		name   string
		body   io.Reader
		length int64
		status int
	}{
		{"just fits", strings.NewReader(fits), 1000, 202},
		{"just fits, length unknown", strings.NewReader(fits), -1, 202},
		{"too long by its length", trap{t}, 1001, 413},
		{"too long, length unknown", strings.NewReader(fits + " "), -1, 413},
		{"ends early", failing{io.ErrUnexpectedEOF}, 10, 400},
		{"too slow", failing{os.ErrDeadlineExceeded}, 10, 408},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := publishing(nil)
			r.Body, r.ContentLength = io.NopCloser(c.body), c.length
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("status %d %s, want %d", w.Code, w.Body, c.status)
			}
		})
	}
}

// TestASlowClientIsToldSo: the host's server bounds the time, the API explains.
func TestASlowClientIsToldSo(t *testing.T) {
	handler, err := httpapi.New(httpapi.Config{Service: newFake(), Identify: identify})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout = 100 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const head = "POST " + publishPath + " HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer " + adminKey +
		"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"type\":"
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	checkProblem(t, answer{response.StatusCode, response.Header, string(body)}, http.StatusRequestTimeout, "", "")
}

func TestSettingsAreBoundedMoreTightly(t *testing.T) {
	a := start(t)
	body := `{"description":"` + strings.Repeat("x", 256<<10) + `"}`
	for path, method := range map[string]string{
		endpointPath: "POST", endpointPath + "/ep-1": "PATCH", checkPath: "POST",
		endpointPath + "/ep-1/test": "POST", endpointPath + "/ep-1/secret/rotate": "POST",
	} {
		checkProblem(t, a.send(t, method, path, body), 413, "", "")
	}
}
