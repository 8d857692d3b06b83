package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

const defaultServer = "http://127.0.0.1:8080"

// apiFlags are those of every command that is a client of the API.
type apiFlags struct {
	env         []string
	server, key string
}

func (f *apiFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.server, "server", "", "URL of the API; defaults to OUTHOOK_SERVER, then "+defaultServer)
	cmd.Flags().StringVar(&f.key, "key", "", "API key; rather the variable OUTHOOK_KEY, as every user of a machine can read the flags of its processes")
}

func (f *apiFlags) client() (*httpapi.Client, error) {
	key := cmp.Or(f.key, variable(f.env, "OUTHOOK_KEY"))
	if key == "" {
		return nil, usage("--key or OUTHOOK_KEY: is required")
	}
	client, err := httpapi.NewClient(f.address(), key, nil)
	if err != nil {
		return nil, usageError{err}
	}
	return client, nil
}

func (f *apiFlags) address() string {
	return cmp.Or(f.server, variable(f.env, "OUTHOOK_SERVER"), defaultServer)
}

// explain says of a server that gave no answer which one that was.
func (f *apiFlags) explain(err error) error {
	if unreached, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s gave no answer: %w", f.address(), unreached.Err)
	}
	return err
}

// ruleOf names the fields that the API refuses as a user gave them, without their place in the request.
func ruleOf(err error, place string) error {
	problem, ok := errors.AsType[*httpapi.Problem](err)
	if !ok || len(problem.Errors) == 0 {
		return err
	}
	rules := make([]string, len(problem.Errors))
	for i, e := range problem.Errors {
		rules[i] = strings.TrimPrefix(e.Location, place) + ": " + e.Message
	}
	return errors.New(strings.Join(rules, "; "))
}

// variable is the last value of a variable, as it is for a process.
func variable(env []string, name string) string {
	value := ""
	for _, assignment := range env {
		if n, v, ok := strings.Cut(assignment, "="); ok && n == name {
			value = v
		}
	}
	return value
}
