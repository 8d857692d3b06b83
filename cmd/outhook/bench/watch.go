package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sliceSeconds is how long one CPU profile of a serving process is. "go tool pprof" adds up those of one process.
const sliceSeconds = 1

// watch takes profiles during a run. Nil takes none.
type watch struct {
	s     *stand
	what  string
	name  string // of files
	stop  context.CancelFunc
	all   sync.WaitGroup
	mu    sync.Mutex
	fault error
}

// watch begins, if profiles are wanted.
func (s *stand) watch(ctx context.Context, what string) (*watch, error) {
	if s.b.cfg.ProfileDir == "" {
		return nil, nil
	}
	s.b.watched++
	w := &watch{s: s, what: what, name: filepath.Join(s.b.cfg.ProfileDir, fmt.Sprintf("%02d-%s", s.b.watched, slug(what)))}
	if s.redis != nil {
		for _, one := range s.redis.each() {
			if err := one.rdb.ConfigResetStat(ctx).Err(); err != nil {
				return nil, err
			}
		}
	}
	if s.api == nil && s.worker != nil {
		return w, s.worker.ask(ctx, "profile", w.name+"-"+s.worker.name+".pprof", nil)
	}
	ctx, w.stop = context.WithCancel(ctx)
	for i, admin := range s.admin {
		w.all.Go(func() { w.slices(ctx, admin, roleOf(i)) })
	}
	return w, nil
}

// roleOf names the process of the i-th listener in files.
func roleOf(i int) string {
	switch i {
	case 0:
		return "api"
	case 1:
		return "worker"
	}
	return fmt.Sprint("worker", i)
}

func slug(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}

// slices takes profiles of a serving process, one after the other.
func (w *watch) slices(ctx context.Context, admin, role string) {
	for i := 1; ctx.Err() == nil; i++ {
		query := "/debug/pprof/profile?seconds=" + strconv.Itoa(sliceSeconds)
		w.fetch(context.WithoutCancel(ctx), admin+query, fmt.Sprintf("%s-%s-%02d.pprof", w.name, role, i))
	}
	w.fetch(context.WithoutCancel(ctx), admin+"/debug/pprof/allocs", fmt.Sprintf("%s-%s-allocs.pprof", w.name, role))
}

func (w *watch) fetch(ctx context.Context, url, path string) {
	if err := fetch(ctx, url, w.s.key, path); err != nil {
		w.mu.Lock()
		w.fault = errors.Join(w.fault, err)
		w.mu.Unlock()
	}
}

func fetch(ctx context.Context, url, key, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	client := &http.Client{Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: answered %s", response.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}

// end ends the profiles and writes what Redis did for so many deliveries.
func (w *watch) end(ctx context.Context, deliveries int) error {
	if w == nil {
		return nil
	}
	err := w.commands(ctx, deliveries)
	if w.stop == nil {
		if w.s.worker == nil {
			return err
		}
		return errors.Join(err, w.s.worker.ask(ctx, "profile", "", nil))
	}
	w.stop()
	w.all.Wait()
	return errors.Join(err, w.fault)
}

// command is one line of Redis's commandstats.
type command struct {
	name        string
	calls, usec float64
}

func (w *watch) commands(ctx context.Context, deliveries int) error {
	if w.s.redis == nil {
		return nil
	}
	var stats []map[string]string
	for _, one := range w.s.redis.each() {
		stats = append(stats, one.info(ctx, "commandstats"))
	}
	all := commandsOf(stats...)
	rows := [][]string{{"command", "calls/delivery", "us/call", "us/delivery"}}
	var calls, usec float64
	n := float64(max(1, deliveries))
	for _, c := range all {
		calls, usec = calls+c.calls, usec+c.usec
		rows = append(rows, []string{c.name, decimal(c.calls/n, 3), decimal(c.usec/max(1, c.calls), 2), decimal(c.usec/n, 2)})
	}
	rows = append(rows, []string{"all", decimal(calls/n, 3), decimal(usec/max(1, calls), 2), decimal(usec/n, 2)})
	var text strings.Builder
	fmt.Fprintf(&text, "%s: Redis, %d deliveries; what a script calls counts twice\n", w.what, deliveries)
	align(&text, rows)
	w.s.b.report.Redis = append(w.s.b.report.Redis, text.String())
	return os.WriteFile(w.name+"-redis.txt", []byte(text.String()), 0o600)
}

// add takes a value of commandstats in.
func (c *command) add(value string) {
	for part := range strings.SplitSeq(value, ",") {
		field, text, _ := strings.Cut(part, "=")
		number, _ := strconv.ParseFloat(text, 64)
		switch field {
		case "calls":
			c.calls += number
		case "usec":
			c.usec += number
		}
	}
}

func decimal(value float64, places int) string { return strconv.FormatFloat(value, 'f', places, 64) }

// commandsOf reads commandstats of servers, and adds them up, the costliest first.
func commandsOf(stats ...map[string]string) []command {
	byName := map[string]command{}
	for _, info := range stats {
		for key, value := range info {
			name, ok := strings.CutPrefix(key, "cmdstat_")
			if !ok {
				continue
			}
			c := byName[name]
			c.name = name
			c.add(value)
			byName[name] = c
		}
	}
	all := slices.Collect(maps.Values(byName))
	slices.SortFunc(all, func(a, b command) int { return int(b.usec - a.usec) })
	return all
}
