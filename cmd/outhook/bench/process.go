package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// process is one that bench has started and that it will end.
type process struct {
	name    string
	cmd     *exec.Cmd
	exited  chan struct{}
	said    tail
	orders  io.WriteCloser // nil for those that take none
	answers *bufio.Scanner
}

// launch starts a program. What it writes to stderr goes to each, line by line.
func launch(name string, cmd *exec.Cmd, obeys bool, each func(line string)) (*process, error) {
	p := &process{name: name, cmd: cmd, exited: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	if err == nil && obeys {
		err = p.connect()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.exited)
		p.listen(stderr, each)
		_ = cmd.Wait()
	}()
	return p, nil
}

func (p *process) connect() error {
	orders, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	answers, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.orders, p.answers = orders, bufio.NewScanner(answers)
	p.answers.Buffer(nil, maxOrder)
	return nil
}

// listen reads until the process closes its stderr.
func (p *process) listen(stderr io.Reader, each func(string)) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		p.said.add(lines.Text())
		if each != nil {
			each(lines.Text())
		}
	}
	_, _ = io.Copy(io.Discard, stderr) // a line too long to keep
}

// ask gives an order and waits for its answer, which goes into result. The process is killed when ctx ends first.
func (p *process) ask(ctx context.Context, do string, args, result any) error {
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	err := p.exchange(do, args, result)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, do, err)
	}
	return nil
}

func (p *process) exchange(do string, args, result any) error {
	text, err := json.Marshal(args)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(p.orders).Encode(order{Do: do, Args: text}); err != nil {
		return p.broken(err)
	}
	if !p.answers.Scan() {
		return p.broken(errors.Join(io.ErrUnexpectedEOF, p.answers.Err()))
	}
	var a answer
	if err := json.Unmarshal(p.answers.Bytes(), &a); err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(a.Value, result)
}

// broken is an error of the connection with what the process said last.
func (p *process) broken(err error) error {
	return fmt.Errorf("%w; it said: %s", err, p.said.text())
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// end kills a process, as nothing it has is of use any more, and waits until it is gone.
func (p *process) end() {
	p.kill()
	if p.orders != nil {
		_ = p.orders.Close()
	}
	<-p.exited
}

// tailLines is how much of what a process said is kept to explain its end.
const tailLines = 20

// tail keeps the last lines. Its zero value is ready. Safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return "nothing"
	}
	return strings.Join(t.lines, " | ")
}
