package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
)

// screen is what a command writes while it runs.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// running is a command that goes on until it is stopped.
type running struct {
	out, errOut screen
	cancel      context.CancelFunc
	ended       chan int
	once        sync.Once
	code        int
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, ended: make(chan int, 1)}
	go func() { r.ended <- run(ctx, args, nil, strings.NewReader(""), &r.out, &r.errOut) }()
	t.Cleanup(func() {
		r.stop()
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// stop interrupts the command and returns its exit code.
func (r *running) stop() int {
	r.once.Do(func() {
		r.cancel()
		r.code = <-r.ended
	})
	return r.code
}

// await waits until what was written matches, and returns the submatches.
func (s *screen) await(t *testing.T, pattern string) []string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	var found []string
	defer func() {
		if found == nil {
			t.Logf("waited for %s in:\n%s", pattern, s)
		}
	}()
	dispatchertest.Eventually(t, func() bool {
		found = expression.FindStringSubmatch(s.String())
		return found != nil
	})
	return found
}

func TestPrintable(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":          {"Zoë 😀 <b>", "Zoë 😀 <b>"},
		"colours":        {"a\x1b[31mb", "a[31mb"},
		"title":          {"\x1b]0;x\x07y", "]0;xy"},
		"line ends":      {"a\r\nb\u2028c\u2029d\u0085e", "abcde"},
		"eight-bit csi":  {"a\u009b31mb", "a31mb"},
		"delete":         {"a\x7fb", "ab"},
		"direction":      {"a\u202eb\u2066c\u200fd", "abcd"},
		"joined emoji":   {"👩\u200d💻", "👩\u200d💻"},
		"no text":        {"a\xff\xfe", "a\uFFFD"},
		"cut":            {strings.Repeat("x", 30), strings.Repeat("x", 20) + "…"},
		"cut before é":   {strings.Repeat("x", 19) + "éé", strings.Repeat("x", 19) + "…"},
		"as long as may": {strings.Repeat("x", 20), strings.Repeat("x", 20)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := printable(c.in, 20); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestReadable(t *testing.T) {
	deep := strings.Repeat("[", maxPretty/2) + strings.Repeat("]", maxPretty/2)
	for name, c := range map[string]struct {
		body  string
		lines int
		first string
		last  string
	}{
		"object":      {`{"a":1e2,"a":"<"}`, 4, "{", "}"},
		"empty":       {"", 1, "", ""},
		"no json":     {"a=1\nb=2\n", 2, "a=1", "b=2"},
		"many lines":  {strings.Repeat("x\n", 1000), maxShownLines + 1, "x", "… 2000 bytes in all"},
		"one line":    {strings.Repeat("x", 1<<20), 2, strings.Repeat("x", maxShownBytes), "… 1048576 bytes in all"},
		"deep":        {deep, 2, deep[:maxShownBytes], fmt.Sprintf("… %d bytes in all", len(deep))},
		"coloured":    {"{\"a\":\"\x1b[31m\"}", 1, `{"a":"[31m"}`, `{"a":"[31m"}`},
		"c1 in json":  {"{\"a\":\"\u009b\"}", 3, "{", "}"},
		"not unicode": {"\xff", 1, "\uFFFD", "\uFFFD"},
	} {
		t.Run(name, func(t *testing.T) {
			got := readable([]byte(c.body))
			if len(got) != c.lines || got[0] != c.first || got[len(got)-1] != c.last {
				t.Errorf("%d lines, %.50q to %.50q", len(got), got[0], got[len(got)-1])
			}
			if strings.ContainsFunc(strings.Join(got, ""), harmful) {
				t.Error("harmful characters")
			}
		})
	}
}

func TestTally(t *testing.T) {
	counts := newTally(2)
	var got []int
	for _, id := range []string{"a", "a", "b", "a", "c", "a", "b"} { // c pushes out a, a pushes out b, b pushes out c
		got = append(got, counts.next(id))
	}
	if want := "[1 2 1 3 1 1 1]"; fmt.Sprint(got) != want || len(counts.counts) != 2 || len(counts.order) != 2 {
		t.Errorf("counted %v, want %s; holds %d and %d", got, want, len(counts.counts), len(counts.order))
	}
}
