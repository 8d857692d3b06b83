// Package redistest starts real Redis servers for tests.
//
// Each test gets servers of its own on free loopback ports, in its own temporary folder, and they end with it. redis-server
// is looked for on PATH, then valkey-server; without either the test is skipped, unless the environment variable
// OUTHOOK_TEST_REQUIRE contains "redis": then it fails, so that CI cannot pass without them. With OUTHOOK_TEST_REDIS_ACL every
// server has the users of that file, and what works for [Server.Client] works with their rights. OUTHOOK_TEST_REDIS has
// [Start] start something else than one server: see [EnvKind].
package redistest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is one Redis process, or what [EnvKind] has in its place. Its methods belong to the test's goroutine.
type Server struct {
	whole  whole // in place of one process; all else is empty then
	binary string
	port   int
	dir    string
	users  string // a file for redis-server to read; empty without
	file   string // the configuration of a sentinel, which must have one; empty otherwise
	opts   []string
	proc   *process
}

// process is one run of the server; exited is closed once it is gone.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// readyWithin bounds how long a server may take to answer PING, loading its file included.
const readyWithin = 15 * time.Second

// Start runs a server with the given raw redis-server arguments ("--appendonly", "yes") until the test ends. Unless they
// say otherwise, nothing is saved to disk. It is of the kind that [EnvKind] names: the arguments are those of each process then.
func Start(t testing.TB, opts ...string) *Server {
	t.Helper()
	switch kindOf(t) {
	case kindCluster:
		return StartCluster(t, opts...).Server()
	case kindSentinel:
		return StartSentinel(t, opts...).Server()
	}
	return startOne(t, opts...)
}

// startOne is Start for one process, whatever the environment says.
func startOne(t testing.TB, opts ...string) *Server {
	t.Helper()
	s, err := start(t, opts)
	if err != nil {
		t.Fatalf("start redis: %v", err)
	}
	return s
}

func start(t testing.TB, opts []string) (*Server, error) {
	t.Helper()
	s := &Server{binary: findServer(t), dir: t.TempDir(), users: users(t), opts: withDefaults(opts)}
	return s, s.begin(t)
}

// begin runs the process at a free port, until the test ends.
func (s *Server) begin(t testing.TB) (err error) {
	t.Helper()
	t.Cleanup(s.Kill)
	for range 5 { // another process may take the port before the server does
		s.port = freePort(t)
		if err = s.run(); err == nil {
			return nil
		}
	}
	return err
}

// Addr is the server's host and port; it stays the same over restarts. Only one process has it, see [OneServer].
func (s *Server) Addr() string {
	s.mustBeOne()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// URL is where the server is, as redis.url of the configuration says it, for the user that the environment asks for.
func (s *Server) URL() string {
	if s.whole != nil {
		return s.whole.URL()
	}
	return URL(s.Addr())
}

// Client connects to the server as [OptionsOf] its URL say, until the test ends.
func (s *Server) Client(t testing.TB) redis.UniversalClient {
	t.Helper()
	return connect(t, OptionsOf(s.URL()))
}

// Kill ends the server with SIGKILL and waits until it is gone. It does nothing to a dead one.
func (s *Server) Kill() {
	s.mustBeOne()
	if s.proc == nil {
		return
	}
	_ = s.proc.cmd.Process.Kill()
	<-s.proc.exited
	s.proc = nil
}

// Restart runs the server again with the same port, folder and arguments, after killing it if it still runs.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.run(); err != nil {
		t.Fatalf("restart redis: %v", err)
	}
}

// Stop freezes the server with SIGSTOP: connections stay open and nothing answers.
func (s *Server) Stop(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Continue lets a frozen server go on.
func (s *Server) Continue(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	s.mustBeOne()
	if s.proc == nil {
		t.Fatalf("send %v: redis does not run", sig)
	}
	if err := s.proc.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("send %v to redis: %v", sig, err)
	}
}

// run starts the process and waits until it answers; on an error nothing is left running.
func (s *Server) run() error {
	var output bytes.Buffer
	args := []string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no"}
	if s.users != "" {
		args = slices.Concat([]string{s.users}, args, s.adminArgs())
	}
	if s.file != "" {
		args = slices.Concat([]string{s.file}, args)
	}
	cmd := exec.Command(s.binary, append(args, s.opts...)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return err
	}
	s.proc = &process{cmd: cmd, exited: make(chan struct{})}
	go func(p *process) {
		_ = p.cmd.Wait()
		close(p.exited)
	}(s.proc)
	if err := s.awaitReady(); err != nil {
		s.Kill()
		return fmt.Errorf("%s: %w: %s", filepath.Base(s.binary), err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}

func (s *Server) awaitReady() error {
	deadline := time.After(readyWithin)
	for {
		select {
		case <-s.proc.exited:
			return fmt.Errorf("it ended by itself")
		case <-deadline:
			return fmt.Errorf("it does not answer within %v", readyWithin)
		case <-time.After(10 * time.Millisecond):
		}
		if s.ready() {
			return nil
		}
	}
}

// ready asks on a bare connection, as a client would keep a pool and retry. Only an answer of this very process counts: when
// another one has taken the port meanwhile, it is that one which answers.
func (s *Server) ready() bool {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte(s.greeting() + "PING\r\nINFO server\r\nQUIT\r\n")); err != nil {
		return false
	}
	answer, _ := io.ReadAll(conn)
	return bytes.Contains(answer, []byte("+PONG\r\n")) &&
		bytes.Contains(answer, fmt.Appendf(nil, "\nprocess_id:%d\r\n", s.proc.cmd.Process.Pid))
}

func withDefaults(opts []string) []string {
	opts = slices.Clone(opts)
	if !slices.Contains(opts, "--save") {
		opts = append(opts, "--save", "")
	}
	if !slices.Contains(opts, "--appendonly") {
		opts = append(opts, "--appendonly", "no")
	}
	return opts
}

func findServer(t testing.TB) string {
	t.Helper()
	names := []string{"redis-server", "valkey-server"}
	if kindOf(t) == kindValkey {
		names = names[1:]
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if kindOf(t) == kindValkey {
		t.Fatal("valkey-server is not on PATH, and " + EnvKind + " asks for it")
	}
	lacking(t, "neither redis-server nor valkey-server is on PATH")
	return ""
}

// lacking ends a test on a machine that cannot run it.
func lacking(t testing.TB, what string) {
	t.Helper()
	if strings.Contains(os.Getenv("OUTHOOK_TEST_REQUIRE"), "redis") {
		t.Fatal(what + ", and OUTHOOK_TEST_REQUIRE asks for redis")
	}
	t.Skip(what)
}

// freePort finds a port below those that systems give to connections. From among them, a client that dials while its server
// is down can be given the server's own port, is then connected to itself, and the server cannot start again.
func freePort(t testing.TB) int {
	t.Helper()
	var err error
	for range 100 {
		port := 15000 + rand.N(15000)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatalf("find a free port: %v", err)
	return 0
}
