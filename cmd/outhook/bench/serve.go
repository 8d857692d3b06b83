package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// startWithin bounds how long a process may take until it serves.
const startWithin = 20 * time.Second

// server is outhook serve.
type server struct {
	*process
	mu sync.Mutex
	// listens is where its listeners are, by name; open is whether it works queues.
	listens map[string]string
	open    bool
}

// serve starts outhook itself in a role and waits until it listens or, as a worker, takes deliveries.
func (b *bench) serve(ctx context.Context, role string, env []string) (*server, error) {
	cmd := exec.Command(b.cfg.Program, "serve", "--role", role)
	cmd.Env = append(withoutOurs(os.Environ()), env...)
	s := &server{listens: map[string]string{}}
	var err error
	if s.process, err = launch(role, cmd, false, s.read); err != nil {
		return nil, err
	}
	if err := s.await(ctx, role); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// read looks for what its log tells.
func (s *server) read(line string) {
	var said struct{ Msg, Listener, Address string }
	if json.Unmarshal([]byte(line), &said) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch said.Msg {
	case "listening":
		s.listens[said.Listener] = "http://" + said.Address
	case "queues open":
		s.open = true
	}
}

func (s *server) ready(role string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if role == "worker" {
		return s.open
	}
	return s.listens["http"] != ""
}

func (s *server) await(ctx context.Context, role string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for !s.ready(role) {
		select {
		case <-s.exited:
			return s.broken(fmt.Errorf("outhook serve --role %s ended", role))
		case <-ctx.Done():
			return s.broken(errors.Join(fmt.Errorf("outhook serve --role %s does not get ready", role), ctx.Err()))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// url is where a listener is.
func (s *server) url(listener string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listens[listener]
}

// withoutOurs leaves the environment of whoever runs bench out of what is measured.
func withoutOurs(env []string) []string {
	var kept []string
	for _, assignment := range env {
		if !strings.HasPrefix(assignment, "OUTHOOK_") {
			kept = append(kept, assignment)
		}
	}
	return kept
}
