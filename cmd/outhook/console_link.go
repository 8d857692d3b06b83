package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/console"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// consoleLinkFlags are what console link is asked for.
type consoleLinkFlags struct {
	env               []string
	file, brand, site string
	ttl               time.Duration
}

func newConsoleCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "console",
		Short:   "Open the console for a brand",
		Long:    "The console is outhook in the browser, at /console/ of the API's listener.",
		Example: "  outhook console link --brand acme --ttl 1h",
	}
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	cmd.AddCommand(newConsoleLinkCommand(env))
	return cmd
}

func newConsoleLinkCommand(env []string) *cobra.Command {
	f := consoleLinkFlags{env: env}
	cmd := &cobra.Command{
		Use:   "link --brand B",
		Short: "Make a link that opens the console for one brand",
		Long: `Prints a link that opens the console for one brand and nothing else, until it is over:
for whoever has it, however often, also in a frame where console.frameAncestors has
the site around it. It is signed here, with the configuration of serve: the same file,
environment and flags, of which it needs secrets.keys and auth.adminKey. Nothing of it
is kept. It cannot be taken back, but by another auth.adminKey or newest encryption
key, which end all links and sessions.`,
		Example: `  outhook console link --brand acme --config /etc/outhook/outhook.yaml
  outhook console link --brand acme --ttl 15m --site https://hooks.example.com`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.brand, "brand", "", "the tenant that it is about; required")
	fs.DurationVar(&f.ttl, "ttl", time.Hour, "how long it is good, at most 168h")
	fs.StringVar(&f.site, "site", "http://127.0.0.1:8080", "`URL` at which browsers reach the API's listener")
	configFlags(cmd, &f.file)
	return cmd
}

func (f *consoleLinkFlags) run(cmd *cobra.Command) error {
	if f.brand == "" {
		return usage("--brand: is required")
	}
	site, err := url.Parse(f.site)
	if err != nil || site.Scheme != "http" && site.Scheme != "https" || site.Host == "" || site.RawQuery != "" || site.Fragment != "" {
		return usage("--site: must be a URL such as https://hooks.example.com")
	}
	c, err := loadConfig(cmd, f.file, f.env)
	if err != nil {
		return err
	}
	if len(c.Secrets.Keys) == 0 {
		return usage("secrets.keys: is required to sign a link, as serve has it")
	}
	link, err := console.NewLink(sessionSecret(c.Secrets, hashOf(c.Auth.AdminKey.Reveal())), f.brand, f.ttl)
	if field, ok := errors.AsType[*webhook.FieldError](err); ok {
		return usageError{webhook.Invalid("--"+field.Field, "%s", field.Rule)}
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSuffix(f.site, "/")+link)
	return err
}
