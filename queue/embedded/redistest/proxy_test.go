package redistest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

// echo answers each byte with itself, until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// ask sends one byte and waits so long for its echo.
func ask(conn net.Conn, most time.Duration) error {
	_ = conn.SetDeadline(time.Now().Add(most))
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

func connected(t *testing.T, p *redistest.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const patience = 10 * time.Second

func TestProxy(t *testing.T) {
	tests := []struct {
		name  string
		fault func(*redistest.Proxy)
		most  time.Duration
		want  []error // any of them, of a connection that was there; nil is an echo
		after error   // of that connection once all is well again
	}{
		{"nothing", func(*redistest.Proxy) {}, patience, []error{nil}, nil},
		{"delay", func(p *redistest.Proxy) { p.Delay(20 * time.Millisecond) }, patience, []error{nil}, nil},
		{"cut", (*redistest.Proxy).Cut, patience, []error{io.EOF, syscall.EPIPE, syscall.ECONNRESET}, errors.ErrUnsupported},
		{"reset", (*redistest.Proxy).Reset, patience, []error{syscall.ECONNRESET, syscall.EPIPE}, errors.ErrUnsupported},
		{"black hole", (*redistest.Proxy).Blackhole, 50 * time.Millisecond, []error{os.ErrDeadlineExceeded}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := redistest.StartProxy(t, echo(t))
			old := connected(t, p)
			if err := ask(old, patience); err != nil {
				t.Fatal(err)
			}
			tt.fault(p)
			if err := ask(old, tt.most); !isAny(err, tt.want) {
				t.Fatalf("answered %v, want one of %v", err, tt.want)
			}
			p.Resume()
			if err := ask(old, patience); (err == nil) != (tt.after == nil) {
				t.Fatalf("the old connection, after: %v", err)
			}
			if err := ask(connected(t, p), patience); err != nil {
				t.Fatalf("a new connection, after: %v", err)
			}
		})
	}
}

// New connections meet the same fault as old ones.
func TestProxyAndNewConnections(t *testing.T) {
	p := redistest.StartProxy(t, echo(t))
	p.Reset()
	if conn, err := net.Dial("tcp", p.Addr()); err == nil {
		defer conn.Close()
		if err := ask(conn, patience); err == nil {
			t.Fatal("echoed although connections are reset")
		}
	}
	p.Blackhole()
	waiting := connected(t, p)
	if err := ask(waiting, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("in a black hole: %v", err)
	}
	p.Resume()
	if err := ask(waiting, patience); err != nil { // the byte of before comes through as well
		t.Fatalf("out of the black hole: %v", err)
	}
}

func TestProxyDelaysAnswers(t *testing.T) {
	const delay = 30 * time.Millisecond
	p := redistest.StartProxy(t, echo(t))
	p.Delay(delay)
	conn := connected(t, p)
	begun := time.Now()
	if err := ask(conn, patience); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < delay {
		t.Fatalf("answered after %v, want at least %v", took, delay)
	}
}

func isAny(err error, wanted []error) bool {
	for _, want := range wanted {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}
