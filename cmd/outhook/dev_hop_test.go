package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// hop is a bad stretch of line: it sees every byte that goes over it, piece by piece, and may change a piece or break the
// connection by an error.
type hop func(piece []byte) error

// flipOne damages one bit of the first piece with the text in it, once, and counts.
func flipOne(text string, flips *atomic.Int32) hop {
	return func(piece []byte) error {
		if at := bytes.Index(piece, []byte(text)); at >= 0 && flips.CompareAndSwap(0, 1) {
			piece[at] ^= 1
		}
		return nil
	}
}

// breakAt breaks every connection that the text comes over.
func breakAt(text string) hop {
	return func(piece []byte) error {
		if bytes.Contains(piece, []byte(text)) {
			return errors.New("the line broke")
		}
		return nil
	}
}

// listenBehind is net.Listen for a receiver at the end of such a line.
func listenBehind(h hop) listenFunc {
	return func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return badListener{l, h}, err
	}
}

type badListener struct {
	net.Listener
	hop hop
}

func (l badListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return badConn{c, l.hop}, nil
}

type badConn struct {
	net.Conn
	hop hop
}

func (c badConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if broke := c.hop(p[:n]); broke != nil {
		return 0, errors.Join(broke, c.Close())
	}
	return n, err
}

// proxyTo is the address of a proxy to target whose way there is such a line.
func proxyTo(t *testing.T, target string, h hop) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { relay(t, badConn{near, h}, target) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	return l.Addr().String()
}

func relay(t *testing.T, near net.Conn, target string) {
	far, err := net.Dial("tcp", target)
	if err != nil {
		t.Error(err)
		_ = near.Close()
		return
	}
	var ways sync.WaitGroup
	copyTo := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_, _ = near.Close(), far.Close()
	}
	ways.Go(func() { copyTo(far, near) })
	ways.Go(func() { copyTo(near, far) })
	ways.Wait()
}
