package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func newKeyCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, list and revoke keys of the API",
		Long: `Keys of the API: an admin's, which sees everything, or a brand's, which sees that brand
and nothing else. Only an admin's key can do what is here; the first one is
auth.adminKey of the configuration.`,
		Example: `  outhook key create --brand acme --description 'settings page'
  outhook key revoke key_1`,
	}
	cmd.AddCommand(newKeyCreateCommand(env), newKeyListCommand(env), newKeyRevokeCommand(env))
	return cmd
}

// keyCreateFlags are the key that is wanted.
type keyCreateFlags struct {
	api                apiFlags
	form               outputForm
	brand, description string
	admin              bool
}

func newKeyCreateCommand(env []string) *cobra.Command {
	f := keyCreateFlags{api: apiFlags{env: env}, form: formTable}
	cmd := &cobra.Command{
		Use:   "create (--brand B | --admin)",
		Short: "Make a key, and print it this once",
		Long: `Makes a key of one brand, or an admin's, and prints it alone on stdout: it is kept
nowhere and cannot be shown again. What else there is to say is on stderr. With
-o json stdout has the API's document.`,
		Example: `  outhook key create --brand acme --description 'settings page'
  export OUTHOOK_KEY="$(outhook key create --admin)"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.brand, "brand", "", "the only tenant that the key sees")
	flags.BoolVar(&f.admin, "admin", false, "a key that sees every brand, and can make and revoke keys")
	flags.StringVar(&f.description, "description", "", "what it is for, in your own words")
	f.api.register(cmd)
	outputFlag(cmd, &f.form)
	return cmd
}

func (f *keyCreateFlags) run(cmd *cobra.Command) error {
	if err := f.check(cmd.Flags().Changed("brand")); err != nil {
		return err
	}
	client, err := f.api.client()
	if err != nil {
		return err
	}
	made, err := client.CreateKey(cmd.Context(), httpapi.KeyRequest{Brand: f.brand, Description: f.description})
	if err != nil {
		return f.api.refusal(err, "keys", givenAs{"brand": "--brand", "description": "--description"})
	}
	s := newDisplay(cmd, f.api.env, f.form)
	if s.form == formJSON {
		err = writeJSON(s.out, made)
	} else {
		_, err = fmt.Fprintln(s.out, oneLine(made.Key))
	}
	if err == nil {
		s.note("%s, %s: the key is shown this once and cannot be shown again", made.ID, keyKind(made))
	}
	return err
}

// check takes an empty brand for a mistake: a variable without a value must not make an admin's key.
func (f *keyCreateFlags) check(brandGiven bool) error {
	switch {
	case brandGiven == f.admin:
		return usage("exactly one of --brand and --admin must be given")
	case f.admin:
		return nil
	}
	return usageOf(webhook.CheckID("--brand", f.brand))
}

// keyKind says what a key sees.
func keyKind(k httpapi.Key) string {
	if k.Brand == "" {
		return "an admin's"
	}
	return "of brand " + k.Brand
}

// keyListFlags say how much of the list is wanted.
type keyListFlags struct {
	api  apiFlags
	form outputForm
	page pageFlags
}

func newKeyListCommand(env []string) *cobra.Command {
	f := keyListFlags{api: apiFlags{env: env}, form: formTable}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List keys, the oldest first",
		Long: `Lists the keys that were made and not revoked, the oldest first, without what would
let anybody in. auth.adminKey of the configuration is none of them.`,
		Example: `  outhook key list
  outhook key list --limit 0 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.api.register(cmd)
	f.page.register(cmd)
	outputFlag(cmd, &f.form)
	return cmd
}

func (f *keyListFlags) run(cmd *cobra.Command) error {
	client, err := f.api.client()
	if err != nil {
		return err
	}
	if err := f.page.check(); err != nil {
		return err
	}
	list, err := collect(cmd.Context(), f.page, func(ctx context.Context, p httpapi.Page) (httpapi.List[httpapi.Key], error) {
		return client.Keys(ctx, p)
	})
	if err != nil {
		return f.api.refusal(err, "keys", listNames())
	}
	return showList(newDisplay(cmd, f.api.env, f.form), list, keyTable)
}

func keyTable(keys []httpapi.Key) *table {
	t := newTable("ID", "KIND", "BRAND", "CREATED", "DESCRIPTION")
	for _, k := range keys {
		kind := "brand"
		if k.Brand == "" {
			kind = "admin"
		}
		t.add(plain(k.ID), plain(kind), plain(k.Brand), plain(moment(k.CreatedAt)), plain(k.Description))
	}
	return t
}

func newKeyRevokeCommand(env []string) *cobra.Command {
	f := apiFlags{env: env}
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "Make a key open nothing any more",
		Long:    "Revokes a key, by its id as key list shows it: in force everywhere within 5 s.",
		Example: "  outhook key revoke key_1",
		Args:    oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			if err := client.RevokeKey(cmd.Context(), args[0]); err != nil {
				return f.refusal(err, "key "+args[0], givenAs{"id": "ID"})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "revoked %s: in force everywhere within 5 s\n", args[0])
			return err
		},
	}
	f.register(cmd)
	return cmd
}
