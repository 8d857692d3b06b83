package bench

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// Config says what to measure and how. Program is required; the zero value of every other field stands for its default.
type Config struct {
	// Program is the file of outhook itself.
	Program string
	// Scenarios are names of [Scenarios]. Defaults to those that are quick.
	Scenarios []string
	// Repeat is how often each measurement is made. Defaults to 5.
	Repeat int
	// Events is how many a throughput run publishes; four times as many on the road that keeps nothing. Defaults to 10,000.
	Events int
	// Steady is how long a steady load lasts, such as that of a latency run. Defaults to 3 s.
	Steady time.Duration
	// For bounds all of it: a repetition that would end later is left out. Defaults to 3 minutes.
	For time.Duration
	// Limit bounds one run: what is not done is cut, and said. Defaults to 30 s.
	Limit time.Duration
	// ProfileDir is where to write CPU profiles and what Redis did; empty is nowhere. It slows down what is measured.
	ProfileDir string
	// Progress is told before each run; nil is nobody.
	Progress func(done, total int, what string)

	// manners are those of the receiver: a run that goes wrong, for tests. inFlight is how many hold a worker's memory, largest
	// the most of anything that growth goes up to.
	manners           manners
	inFlight, largest int
	// creating bounds how long endpoints may take to be created.
	creating time.Duration
}

// WithDefaults returns a copy with the zero fields set.
func (c Config) WithDefaults() Config {
	c.Repeat = orInt(c.Repeat, 5)
	c.Events = orInt(c.Events, 10_000)
	c.Steady = orDuration(c.Steady, 3*time.Second)
	c.For = orDuration(c.For, 3*time.Minute)
	c.Limit = orDuration(c.Limit, 30*time.Second)
	c.inFlight = orInt(c.inFlight, mostOfAll)
	c.largest = orInt(c.largest, math.MaxInt)
	c.creating = orDuration(c.creating, max(c.Limit, startWithin))
	if c.Progress == nil {
		c.Progress = func(int, int, string) {}
	}
	if len(c.Scenarios) == 0 {
		c.Scenarios = quick()
	}
	return c
}

func orInt(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func orDuration(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Validate returns a [webhook.FieldError] for the first field whose value is impossible.
func (c Config) Validate() error {
	switch {
	case c.Program == "":
		return webhook.Invalid("program", "is required")
	case c.Repeat < 1:
		return webhook.Invalid("repeat", "must be at least 1")
	case c.Events < 1:
		return webhook.Invalid("events", "must be at least 1")
	case c.Steady <= 0:
		return webhook.Invalid("steady", "must be more than 0")
	case c.For <= 0:
		return webhook.Invalid("for", "must be more than 0")
	case c.Limit <= 0:
		return webhook.Invalid("limit", "must be more than 0")
	}
	for _, name := range c.Scenarios {
		if !known(name) {
			return webhook.Invalid("scenario", "%q is unknown: must be one of %s", name, nameList())
		}
	}
	return nil
}

// ErrWrong is returned beside a report of which Wrong is not empty.
var ErrWrong = errors.New("events were lost or came twice")

// bench is one call of Run.
type bench struct {
	cfg          Config
	redisProgram string
	dir          string // of its own, removed at the end
	config       string // a file for outhook
	configMany   string // another, with as many kinds of events as a brand may have endpoints
	secret       string // an encryption key for outhook
	body         []byte
	report       Report
	deadline     time.Time
	watched      int // runs of which there are profiles
	leftOut      int // runs for which there was no time
}

// Run measures. Errors: a [webhook.FieldError] for the configuration, [ErrWrong] beside a report that says what, or what
// could not be run.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	return runGroups(ctx, cfg, (*bench).groups)
}

func runGroups(ctx context.Context, cfg Config, groups func(*bench) []*group) (Report, error) {
	began := time.Now()
	b := &bench{cfg: cfg, redisProgram: redisProgram(), deadline: began.Add(cfg.For)}
	b.report = Report{Machine: machine(ctx, b.redisProgram), Repeat: cfg.Repeat, Wrong: []string{}, Notes: []string{}}
	if err := b.prepare(); err != nil {
		return Report{}, err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if err := b.measure(ctx, groups(b)); err != nil {
		return Report{}, err
	}
	b.report.Seconds = time.Since(began).Seconds()
	if len(b.report.Wrong) > 0 {
		return b.report, ErrWrong
	}
	return b.report, nil
}

// prepare makes what the processes of outhook need: a folder, keys, and a configuration that is the default one, but for more
// event types, each with the schema of a real one, and more endpoints a brand.
func (b *bench) prepare() error {
	types, err := catalog.New(catalog.Config{})
	if err != nil {
		return err
	}
	real, _ := types.Lookup(kindName(0))
	b.body = bodyOf(real.Example)
	key := make([]byte, 32)
	rand.Read(key)
	b.secret = "bench:" + base64.StdEncoding.EncodeToString(key)
	if b.dir, err = os.MkdirTemp("", "outhook-bench"); err != nil {
		return err
	}
	b.config, b.configMany = filepath.Join(b.dir, "outhook.yaml"), filepath.Join(b.dir, "many.yaml")
	return errors.Join(writeConfig(b.config, moreTypes(real, maxKinds)), writeConfig(b.configMany, moreTypes(real, maxFanout)))
}

func writeConfig(path string, types []any) error {
	text, err := json.Marshal(map[string]any{ // JSON is YAML
		"catalog": map[string]any{"types": types}, "limits": map[string]any{"endpointsPerBrand": maxFanout},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func moreTypes(like webhook.EventType, kinds int) []any {
	var more []any
	for i := 1; i < kinds; i++ {
		more = append(more, map[string]any{"name": kindName(i), "description": "Of bench.", "schema": like.Schema})
	}
	return more
}

// configOf is the file for a layout.
func (b *bench) configOf(l layout) string {
	if l.Kinds > maxKinds {
		return b.configMany
	}
	return b.config
}

// maxKinds and maxFanout bound the layouts; of those that have a great many endpoints, maxFanout bounds the kinds.
const (
	maxKinds  = 10
	maxFanout = 100
)

// kindName is the n-th event type: the first is a real one, the others are the same under another name.
func kindName(n int) string {
	if n == 0 {
		return catalog.TypeMessageDelivered
	}
	return fmt.Sprint("bench.", n)
}

// wrong says once what makes figures worthless.
func (b *bench) wrong(format string, args ...any) {
	b.report.Wrong = append(b.report.Wrong, fmt.Sprintf(format, args...))
}

func (b *bench) note(format string, args ...any) {
	b.report.Notes = append(b.report.Notes, fmt.Sprintf(format, args...))
}
