package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"go.smobi.com/outhook/cmd/outhook/bench"
	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// benchFlags say what bench measures.
type benchFlags struct {
	env  []string
	all  bool
	cfg  bench.Config
	form outputForm
	json bool
}

func newBenchCommand(env []string) *cobra.Command {
	f := benchFlags{env: env, form: formTable}
	cmd := &cobra.Command{
		Use:   "bench [SCENARIO...]",
		Short: "Measure raw HTTP, a plain Asynq program and outhook side by side",
		Long: `Measures on this machine, in one run, what outhook costs beside (a) POSTing the same
signed body straight to the receiver and (b) a plain Asynq program whose handler
signs and POSTs: outhook (c) through the Go API of a host that embeds it, (d) through
the batch route and (e) through the single route. Every process is one of its own:
receiver, publisher, outhook serve --role api and --role worker with the default
configuration, and a redis-server (AOF everysec) on a free port, in a temporary
folder. All of it listens on loopback, and is ended and removed at the end.

Measurements take turns and are repeated; medians are shown, and ratios of them.
Compare figures of one run only. Nothing is asserted: the exit code is 1 only when
something could not run, or when events were lost or came twice.

Scenarios (* are measured unless others are named):
` + scenarioText(),
		Example: `  outhook bench
  outhook bench throughput --repeat 3 --events 50000
  outhook bench --all --for 40m -o json > bench.json
  outhook bench throughput --repeat 1 --profile /tmp/profiles`,
		ValidArgs: scenarioNames(),
		RunE:      func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.register(cmd)
	cmd.AddCommand(newBenchChildCommand(env))
	return cmd
}

func scenarioText() string {
	var text strings.Builder
	for _, s := range bench.Scenarios() {
		mark := " "
		if s.Quick {
			mark = "*"
		}
		fmt.Fprintf(&text, "%s %-12s %s\n", mark, s.Name, s.Text)
	}
	return strings.TrimRight(text.String(), "\n")
}

// allFor is what every scenario takes, five times.
const allFor = 40 * time.Minute

func scenarioNames() []string {
	var names []string
	for _, s := range bench.Scenarios() {
		names = append(names, s.Name)
	}
	return names
}

func (f *benchFlags) register(cmd *cobra.Command) {
	c := bench.Config{}.WithDefaults()
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "measure every scenario")
	flags.IntVar(&f.cfg.Repeat, "repeat", c.Repeat, "how often each measurement is made")
	flags.IntVar(&f.cfg.Events, "events", c.Events, "how many events a run of throughput publishes, raw HTTP four times as many")
	flags.DurationVar(&f.cfg.Steady, "steady", c.Steady, "how long a steady load lasts, such as that of latency")
	flags.DurationVar(&f.cfg.For, "for", c.For, "how long all of it may take: repetitions that would end later are left out; 40m with --all")
	flags.DurationVar(&f.cfg.Limit, "limit", c.Limit, "how long one run may take before it is cut")
	flags.StringVar(&f.cfg.ProfileDir, "profile", "", "`folder` for CPU profiles of what is measured, and what Redis did for a delivery")
	flags.BoolVar(&f.json, "json", false, "the same as -o json")
	outputFlag(cmd, &f.form)
}

func (f *benchFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	f.cfg.Program, f.cfg.Scenarios = program, args
	if f.json {
		f.form = formJSON
	}
	if f.all {
		if len(args) > 0 {
			return usage("--all: leaves nothing to name: unexpected argument %q", args[0])
		}
		f.cfg.Scenarios = scenarioNames()
		if !cmd.Flags().Changed("for") {
			f.cfg.For = allFor
		}
	}
	if f.cfg.ProfileDir != "" {
		if err := os.MkdirAll(f.cfg.ProfileDir, 0o750); err != nil {
			return usage("--profile: %w", err)
		}
	}
	redis.SetLogger(redisLog{slog.New(slog.DiscardHandler)}) // what matters is an error as well
	bar := newRunBar(cmd.ErrOrStderr())
	f.cfg.Progress = bar.show
	report, err := bench.Run(cmd.Context(), f.cfg)
	bar.finish()
	if broken, ok := errors.AsType[*webhook.FieldError](err); ok {
		return usageError{broken}
	}
	if err != nil && !errors.Is(err, bench.ErrWrong) {
		return err
	}
	return errors.Join(err, f.print(cmd.OutOrStdout(), report))
}

// check refuses what bench would take for its default.
func (f *benchFlags) check() error {
	switch {
	case f.cfg.Repeat < 1:
		return usage("--repeat: must be at least 1")
	case f.cfg.Events < 1:
		return usage("--events: must be at least 1")
	case f.cfg.Steady <= 0:
		return usage("--steady: must be more than 0")
	case f.cfg.For <= 0:
		return usage("--for: must be more than 0")
	case f.cfg.Limit <= 0:
		return usage("--limit: must be more than 0")
	}
	return nil
}

func (f *benchFlags) print(out io.Writer, report bench.Report) error {
	if f.form == formJSON {
		return writeJSON(out, report)
	}
	return report.WriteTable(out)
}

// runBar shows which measurement is being made, on a terminal only.
type runBar struct{ bar *progressbar.ProgressBar }

func newRunBar(out io.Writer) *runBar {
	if !isTerminal(out) {
		return &runBar{}
	}
	return &runBar{progressbar.NewOptions(1, progressbar.OptionSetWriter(out), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(20), progressbar.OptionShowCount(), progressbar.OptionSetElapsedTime(true))}
}

// show puts the bar at done of total.
func (b *runBar) show(done, total int, what string) {
	if b.bar != nil {
		b.bar.ChangeMax(total)
		b.bar.Describe(what)
		_ = b.bar.Set(done)
	}
}

func (b *runBar) finish() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}

// newBenchChildCommand returns what bench starts: nobody else has a use for it.
func newBenchChildCommand(env []string) *cobra.Command {
	return &cobra.Command{
		Use:     "child ROLE",
		Short:   "Be a process of bench",
		Long:    "Plays receiver, publisher, plain or host: does what lines of JSON on stdin ask for, and ends with them.",
		Example: "  outhook bench child receiver",
		Hidden:  true,
		Args:    oneArg("ROLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			child := bench.Child{In: cmd.InOrStdin(), Out: cmd.OutOrStdout(), Dispatcher: func() (*dispatcher.Dispatcher, func() error, error) {
				return embeddedDispatcher(cmd, env)
			}}
			return child.Run(cmd.Context(), args[0])
		},
	}
}

// embeddedDispatcher is outhook as a host has it in its own process.
func embeddedDispatcher(cmd *cobra.Command, env []string) (*dispatcher.Dispatcher, func() error, error) {
	c, err := loadConfig(cmd, "", env)
	if err != nil {
		return nil, nil, err
	}
	set, err := settingsOf(c)
	if err != nil {
		return nil, nil, err
	}
	log := newLogger(cmd.ErrOrStderr(), c.Log)
	redis.SetLogger(redisLog{log})
	rdb := redis.NewUniversalClient(&set.redis)
	set.dispatcher.Redis, set.dispatcher.Logger = rdb, log
	d, err := dispatcher.New(set.dispatcher)
	return d, rdb.Close, err
}
