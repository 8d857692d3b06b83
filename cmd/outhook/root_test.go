package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestExitCodes(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		env  []string
		want int
		// line is what stderr must hold, in one line; empty for nothing.
		line string
	}{
		"nothing":             {nil, nil, exitDone, ""},
		"help":                {[]string{"--help"}, nil, exitDone, ""},
		"help of a command":   {[]string{"help", "config", "check"}, nil, exitDone, ""},
		"help of nothing":     {[]string{"help", "srve"}, nil, exitUsage, `outhook: help: unknown command "srve"`},
		"version":             {[]string{"version"}, nil, exitDone, ""},
		"completion":          {[]string{"completion", "bash"}, nil, exitDone, ""},
		"unknown command":     {[]string{"srve", "--role", "all"}, nil, exitUsage, `outhook: unknown command "srve" for "outhook": see outhook --help`},
		"unknown flag":        {[]string{"serve", "--rol", "all"}, nil, exitUsage, "outhook: serve: unknown flag: --rol: see outhook serve --help"},
		"flag without value":  {[]string{"serve", "--role"}, nil, exitUsage, "outhook: serve: flag needs an argument: --role: see outhook serve --help"},
		"role":                {[]string{"serve", "--role", "x"}, nil, exitUsage, `outhook: serve: invalid argument "x" for "--role" flag: must be all, api or worker: see outhook serve --help`},
		"output form":         {[]string{"version", "-o", "xml"}, nil, exitUsage, `outhook: version: invalid argument "xml" for "-o, --output" flag: must be table or json: see outhook version --help`},
		"argument too many":   {[]string{"version", "x"}, nil, exitUsage, `outhook: version: unexpected argument "x": see outhook version --help`},
		"group without one":   {[]string{"config"}, nil, exitUsage, "outhook: config: a command is required: check, print"},
		"group with another":  {[]string{"config", "chek"}, nil, exitUsage, `outhook: config: unknown command "chek": must be one of check, print`},
		"control characters":  {[]string{"version", "x\ny"}, nil, exitUsage, `outhook: version: unexpected argument "x\ny": see outhook version --help`},
		"bad variable":        {[]string{"config", "print"}, []string{"OUTHOOK_RETRY_JITTER=2"}, exitUsage, `outhook: config print: OUTHOOK_RETRY_JITTER: retry.jitter is "2": must be a number above 0 and below 1`},
		"check fails":         {[]string{"config", "check"}, []string{"OUTHOOK_RETRY_JITTER=2"}, exitFailed, `outhook: config check: OUTHOOK_RETRY_JITTER: retry.jitter is "2": must be a number above 0 and below 1`},
		"publish to nobody":   {[]string{"publish", "--brand", "acme", "--type", "message.read", "--data", "{}", "--id", "e1", "--server", "http://127.0.0.1:1", "--key", "k"}, nil, exitFailed, "outhook: publish: http://127.0.0.1:1 gave no answer: dial tcp 127.0.0.1:1: connect: connection refused; to publish it again, add --id e1"},
		"publish without key": {[]string{"publish", "--brand", "acme", "--type", "message.read", "--data", "{}"}, nil, exitUsage, "outhook: publish: --key or OUTHOOK_KEY: is required"},
	} {
		t.Run(name, func(t *testing.T) {
			got := command(t, tc.env, tc.args...)
			want := tc.line
			if want != "" {
				want += "\n"
			}
			if got.code != tc.want || got.errOut != want {
				t.Errorf("exit code %d, want %d; stderr:\n%swant:\n%s", got.code, tc.want, got.errOut, want)
			}
			if tc.want != exitDone && got.out != "" {
				t.Errorf("stdout beside an error:\n%s", got.out)
			}
		})
	}
}

func TestConfigurationProblemsAreLines(t *testing.T) {
	got := command(t, nil, "serve", "--retry-jitter=2", "--queue-shards=0")
	want := `outhook: serve: --queue-shards: queue.shards is "0": must be a whole number from 1 to 64
outhook: serve: --retry-jitter: retry.jitter is "2": must be a number above 0 and below 1
`
	got.errOut = strings.Join(sortedLines(got.errOut), "")
	if got.code != exitUsage || got.errOut != want {
		t.Fatalf("exit code %d, stderr:\n%s", got.code, got.errOut)
	}
	got = command(t, nil, "serve")
	if got.code != exitUsage || strings.Count(got.errOut, "\n") != 1 || !strings.Contains(got.errOut, "secrets.keys") {
		t.Fatalf("without keys: exit code %d, stderr:\n%s", got.code, got.errOut)
	}
}

// Every command says what it does, at length, and how; and no help has colours.
func TestEveryCommandHasHelp(t *testing.T) {
	root := newRootCommand(nil)
	began := false
	complete(root, &began)
	escape := regexp.MustCompile("\x1b")
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Long == "" || !strings.HasPrefix(cmd.Example, "  outhook") {
			t.Errorf("%s lacks help: short %q, long %q, example %q", cmd.CommandPath(), cmd.Short, cmd.Long, cmd.Example)
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if got := command(t, nil, args...); got.code != exitDone || got.errOut != "" || escape.MatchString(got.out) {
			t.Errorf("%v: exit code %d, stderr %q, stdout:\n%s", args, got.code, got.errOut, got.out)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}
