package main

import (
	"errors"
	"log/slog"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"go.smobi.com/outhook/config"
)

// role is which half of outhook a process is.
type role string

const (
	roleAll    role = "all"
	roleAPI    role = "api"
	roleWorker role = "worker"
)

// String implements pflag.Value.
func (r *role) String() string { return string(*r) }

// Type implements pflag.Value.
func (r *role) Type() string { return "all|api|worker" }

// Set implements pflag.Value.
func (r *role) Set(text string) error {
	switch given := role(text); given {
	case roleAll, roleAPI, roleWorker:
		*r = given
		return nil
	}
	return errors.New("must be all, api or worker")
}

func (r role) publishes() bool { return r != roleWorker }
func (r role) delivers() bool  { return r != roleAPI }

func newServeCommand(env []string) *cobra.Command {
	is := roleAll
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: `Publishes, answers and delivers until SIGTERM or SIGINT. With --role api a process
publishes and answers only, with --role worker it delivers only; any number of both
share one Redis, which need not be there yet.

Configuration: a YAML file, then variables (retry.maxAge is OUTHOOK_RETRY_MAX_AGE),
then flags (--retry-max-age). secrets.keys is required, and auth.adminKey until an
admin key was created; give them as variables, as every user of a machine can read
the flags of its processes.

After the signal, readiness fails while everything goes on for shutdown.delay. Then
no request and no delivery is begun, and attempts in flight finish and are recorded
within shutdown.grace: exit code 0, or 1 if they did not. A second signal ends the
process at once.`,
		Example: `  outhook serve --config /etc/outhook/outhook.yaml
  outhook serve --role worker --queue-serve live-0,live-1 --delivery-concurrency 256`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, file, env)
			if err != nil {
				return err
			}
			d, err := newDaemon(c, is, newLogger(cmd.ErrOrStderr(), c.Log))
			if err != nil {
				return located(sourcesOf(cmd, file, env), c, err)
			}
			roomyHeap()
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().Var(&is, "role", "what this process does")
	configFlags(cmd, &file)
	return cmd
}

// newDaemon joins the rooms. Every error is one of usage.
func newDaemon(c config.Config, is role, log *slog.Logger) (*daemon, error) {
	if err := c.CheckServe(); err != nil {
		return nil, usageError{err}
	}
	s, err := settingsOf(c)
	if err != nil {
		return nil, usageError{err}
	}
	redis.SetLogger(redisLog{log})
	traces, err := newTracer(s.tracing, is, log)
	if err != nil {
		return nil, usageError{err}
	}
	d := &daemon{set: s, traces: traces, role: is, log: log, rdb: redis.NewUniversalClient(&s.redis)}
	if err := d.join(); err != nil {
		d.end()
		return nil, usageError{err}
	}
	d.warnOfFewFiles()
	log.Info("outhook starts", "version", buildVersion(), "role", is, "redis", c.Redis.URL,
		"shards", c.Queue.Shards, "queues", queuesText(c.Queue))
	return d, nil
}

// queuesText is the value of queue.serve as an operator would write it.
func queuesText(c config.Queue) string {
	if len(c.Serve) == 0 {
		return "all"
	}
	return strings.Join(c.Serve, ",")
}
