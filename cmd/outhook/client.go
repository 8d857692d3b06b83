package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const defaultServer = "http://127.0.0.1:8080"

// apiFlags are those of every command that is a client of the API.
type apiFlags struct {
	env         []string
	server, key string
	flags       *pflag.FlagSet
}

func (f *apiFlags) register(cmd *cobra.Command) {
	f.flags = cmd.Flags()
	cmd.Flags().StringVar(&f.server, "server", "", "URL of the API; defaults to OUTHOOK_SERVER, then "+defaultServer)
	cmd.Flags().StringVar(&f.key, "key", "", "API key; rather the variable OUTHOOK_KEY, as every user of a machine can read the flags of its processes")
}

func (f *apiFlags) client() (*httpapi.Client, error) {
	// An empty flag is a variable that was not set: nobody means another server, or another key, by it.
	for name, value := range map[string]string{"key": f.key, "server": f.server} {
		if value == "" && f.flags != nil && f.flags.Changed(name) {
			return nil, usage("--%s: must not be empty: leave it out", name)
		}
	}
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

// brandFlags are those of every command about what one brand has.
type brandFlags struct {
	api   apiFlags
	brand string
	form  outputForm
}

func newBrandFlags(env []string) brandFlags {
	return brandFlags{api: apiFlags{env: env}, form: formTable}
}

func (f *brandFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.brand, "brand", "", "the tenant that it is about; required")
	f.api.register(cmd)
	outputFlag(cmd, &f.form)
}

// client checks the brand first.
func (f *brandFlags) client() (*httpapi.Client, error) {
	if f.brand == "" {
		return nil, usage("--brand: is required")
	}
	if err := webhook.CheckID("--brand", f.brand); err != nil {
		return nil, usageError{err}
	}
	return f.api.client()
}

func (f *brandFlags) screen(cmd *cobra.Command) display { return newDisplay(cmd, f.api.env, f.form) }

// explain says of a server that gave no answer which one that was.
func (f *apiFlags) explain(err error) error {
	if unreached, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s gave no answer: %w", f.address(), unreached.Err)
	}
	return err
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
