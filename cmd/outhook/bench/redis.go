package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"go.smobi.com/outhook/queue/embedded"
)

// redisReady bounds how long a server may take to answer.
const redisReady = 10 * time.Second

// redisServer is a Redis for one run, or a node of one.
type redisServer struct {
	addr string
	rdb  redis.UniversalClient // of a cluster, to all of it
	proc *process              // nil for the embedded one, and for a cluster
	dir  string
	own  *embedded.Server
	bus  int // port of the nodes of a cluster among each other
	// nodes are those of a cluster, its masters first.
	nodes []*redisServer
}

// redisProgram is where the server is; empty when there is none.
func redisProgram() string {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// startRedis runs a server of its own on a free port, AOF everysec, with more arguments; without a program, the embedded one.
func startRedis(ctx context.Context, program string, more ...string) (*redisServer, error) {
	if program == "" {
		own, err := embedded.Start()
		if err != nil {
			return nil, err
		}
		return &redisServer{addr: own.Addr(), own: own, rdb: connect(own.Addr())}, nil
	}
	var err error
	for range 5 { // another process may take the port before the server does
		var s *redisServer
		if s, err = tryRedis(ctx, program, more); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("start redis: %w", err)
}

func tryRedis(ctx context.Context, program string, more []string) (*redisServer, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "outhook-bench-redis")
	if err != nil {
		return nil, err
	}
	s := &redisServer{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), dir: dir}
	cmd := exec.Command(program, append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "everysec", "--daemonize", "no"}, more...)...)
	if s.proc, err = launch("redis", cmd, false, nil); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.rdb = connect(s.addr)
	if err := s.await(ctx); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// await wants an answer of this very process: another may have taken the port meanwhile.
func (s *redisServer) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisReady)
	defer cancel()
	for {
		if s.answers(ctx) {
			return nil
		}
		select {
		case <-s.proc.exited:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// answers asks on a bare connection first: a client would complain on stderr.
func (s *redisServer) answers(ctx context.Context) bool {
	conn, err := net.DialTimeout("tcp", s.addr, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return s.info(ctx, "server")["process_id"] == strconv.Itoa(s.proc.pid())
}

func (s *redisServer) end() {
	_ = s.rdb.Close()
	switch {
	case s.own != nil:
		s.own.Close()
		return
	case s.proc == nil:
		for _, node := range s.nodes {
			node.end()
		}
		return
	}
	s.proc.end()
	_ = os.RemoveAll(s.dir)
}

func connect(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, PoolSize: 4, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
}

// freePort finds one below those that systems give to connections, which could take it before the server does.
func freePort(ctx context.Context) (int, error) {
	var err error
	var listening net.ListenConfig
	for range 100 {
		port := 15000 + rand.N(15000)
		var l net.Listener
		if l, err = listening.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// info is a section of INFO as a map; empty when the server has none of it.
func (s *redisServer) info(ctx context.Context, section string) map[string]string {
	text, err := s.rdb.Info(ctx, section).Result()
	if err != nil {
		return nil
	}
	values := map[string]string{}
	for line := range strings.SplitSeq(text, "\r\n") {
		if key, value, ok := strings.Cut(line, ":"); ok {
			values[key] = value
		}
	}
	return values
}
