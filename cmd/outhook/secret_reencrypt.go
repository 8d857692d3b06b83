package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// reencryptFlags are what secret reencrypt is asked to do.
type reencryptFlags struct {
	env  []string
	file string
	form outputForm
}

func newSecretReencryptCommand(env []string) *cobra.Command {
	f := reencryptFlags{env: env, form: formTable}
	cmd := &cobra.Command{
		Use:   "reencrypt",
		Short: "Encrypt everything stored with the newest key",
		Long: `Encrypts the signing secrets, old ones included, and the header values of all endpoints
of all brands with the first of secrets.keys. It works on Redis itself, with the
configuration of serve: the same file, environment and flags, of which it needs
secrets.keys and redis.url. Nothing else of an endpoint changes, and daemons may run.

Interrupted anywhere, it goes on when it is run again: what the newest key encrypted
is left as it is. An endpoint that cannot be opened is named on stderr with the id of
its key, and stays as it is; the others go on, and the exit code is 1. When it is 0,
secrets.keys needs no other key than the first.

To change keys: add the new one at the end of secrets.keys of every daemon and restart
them; move it to the front of every one's and restart them; run this; remove the old
one and restart them.`,
		Example: `  outhook secret reencrypt --config /etc/outhook/outhook.yaml
  OUTHOOK_SECRETS_KEYS="$NEW_KEY,$OLD_KEY" outhook secret reencrypt --redis-url redis://127.0.0.1:6379/0 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	configFlags(cmd, &f.file)
	outputFlag(cmd, &f.form)
	return cmd
}

func (f *reencryptFlags) run(cmd *cobra.Command) error {
	c, err := loadConfig(cmd, f.file, f.env)
	if err != nil {
		return err
	}
	road, end, err := openRoad(c)
	if err != nil {
		return located(sourcesOf(cmd, f.file, f.env), c, err)
	}
	defer end()
	p := newReencryptProgress(cmd.ErrOrStderr())
	did, err := road.ReencryptSecrets(cmd.Context(), p.show)
	p.finish()
	if _, wrong := errors.AsType[*webhook.KeyError](err); wrong {
		return usageError{err}
	}
	for _, failed := range did.Failed {
		report(cmd.ErrOrStderr(), topic(cmd), unmovedError(failed))
	}
	if printed := printReencryption(cmd.OutOrStdout(), did, f.form); printed != nil {
		return errors.Join(err, printed)
	}
	switch {
	case err != nil:
		return p.explain(cmd.Context(), err)
	case len(did.Failed) > 0:
		return fmt.Errorf("endpoints that are not encrypted with the newest key: %d", len(did.Failed))
	}
	return nil
}

// openRoad returns a dispatcher that is not run, and what ends it. Every error is one of usage.
func openRoad(c config.Config) (*dispatcher.Dispatcher, func(), error) {
	if len(c.Secrets.Keys) == 0 {
		return nil, nil, usage("secrets.keys: is required: the new key first, then those that encrypted what is stored")
	}
	s, err := settingsOf(c)
	if err != nil {
		return nil, nil, usageError{err}
	}
	quiet := slog.New(slog.DiscardHandler)
	redis.SetLogger(redisLog{quiet})
	rdb := redis.NewUniversalClient(&s.redis)
	s.dispatcher.Redis, s.dispatcher.Logger = rdb, quiet
	road, err := dispatcher.New(s.dispatcher)
	if err != nil {
		return nil, nil, errors.Join(usageError{err}, rdb.Close())
	}
	return road, func() { _ = rdb.Close() }, nil
}

// unmovedError names the endpoint and, unless the reason does so itself, the key.
func unmovedError(u webhook.Unmoved) error {
	where := fmt.Sprintf("brand %s, endpoint %s", u.Endpoint.Brand, u.Endpoint.ID)
	if u.KeyID != "" {
		where += fmt.Sprintf(", key %s", u.KeyID)
	}
	return fmt.Errorf("%s: %w", where, u.Err)
}

// reencryptSummary is what became of the endpoints.
type reencryptSummary struct {
	Endpoints     int `json:"endpoints"`
	Moved         int `json:"moved"`
	AlreadyNewest int `json:"alreadyNewest"`
	Failed        int `json:"failed"`
}

func printReencryption(out io.Writer, r webhook.Reencryption, form outputForm) error {
	sum := reencryptSummary{r.Endpoints(), r.Moved, r.AlreadyNewest, len(r.Failed)}
	if form == formJSON {
		return writeJSON(out, sum)
	}
	_, err := fmt.Fprintf(out, "endpoints: %d, encrypted with the newest key now: %d, before: %d, failed: %d\n",
		sum.Endpoints, sum.Moved, sum.AlreadyNewest, sum.Failed)
	return err
}

// reencryptProgress keeps how far it came, and shows it on a terminal.
type reencryptProgress struct {
	out         io.Writer
	bar         *progressbar.ProgressBar // nil is none
	done, total int
}

func newReencryptProgress(out io.Writer) *reencryptProgress { return &reencryptProgress{out: out} }

func (p *reencryptProgress) show(done, total int) {
	p.done, p.total = done, total
	if p.bar == nil && isTerminal(p.out) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription("encrypting, endpoints"), progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))
	}
	if p.bar != nil {
		_ = p.bar.Set(done)
	}
}

// finish makes room for a line.
func (p *reencryptProgress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// explain says how far it came, and what to do about it.
func (p *reencryptProgress) explain(ctx context.Context, err error) error {
	far := fmt.Sprintf("after %d of %d endpoints", p.done, p.total)
	if p.total == 0 {
		far = "before the first endpoint"
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted %s: run it again to go on", far)
	}
	return fmt.Errorf("ended %s, run it again to go on: %w", far, err)
}
