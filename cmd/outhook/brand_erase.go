package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// brandErase is what erase is asked to do.
type brandErase struct {
	startFlags
	api  apiFlags
	form outputForm
	yes  bool
}

func newBrandEraseCommand(env []string) *cobra.Command {
	f := brandErase{api: apiFlags{env: env}, form: formTable}
	cmd := &cobra.Command{
		Use:   "erase BRAND",
		Short: "Delete everything of a brand",
		Long: `Deletes everything of a brand: events, attempts, dead letters, endpoints and keys. What is
open is cancelled. IT CANNOT BE UNDONE. On a terminal it asks for the brand's name;
where nobody can be asked, --yes is required. It needs an admin's key.

` + jobHelp + ` deleted counts events.`,
		Example: `  outhook brand erase acme
  outhook brand erase acme --yes --detach`,
		Args: oneArg("BRAND"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	f.registerDetach(cmd)
	f.api.register(cmd)
	outputFlag(cmd, &f.form)
	return cmd
}

func (f *brandErase) run(cmd *cobra.Command, brand string) error {
	if err := webhook.CheckID("BRAND", brand); err != nil {
		return usageError{err}
	}
	client, err := f.api.client()
	if err != nil {
		return err
	}
	if !f.yes {
		if err := askFor(cmd, brand); err != nil {
			return err
		}
	}
	return f.startFlags.run(cmd.Context(), starting{
		api: &f.api, screen: newDisplay(cmd, f.api.env, f.form), client: client, brand: brand, thing: "erasing brand " + brand,
		begin: func(ctx context.Context) (httpapi.Job, error) { return client.EraseBrand(ctx, brand) },
	})
}

// askFor has whoever sits at the terminal type the brand's name.
func askFor(cmd *cobra.Command, brand string) error {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !isTerminal(in) {
		return usage("--yes: is required where nobody can be asked")
	}
	return confirm(cmd.Context(), in, cmd.ErrOrStderr(), brand)
}

// confirm is nil when the name is typed. Nothing ends a read of a terminal, so that the one that is left when ctx ends lasts as
// long as the process.
func confirm(ctx context.Context, in io.Reader, out io.Writer, brand string) error {
	if _, err := fmt.Fprintf(out, "This deletes everything of brand %s, and cannot be undone. Type its name to go on: ", brand); err != nil {
		return err
	}
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // what was typed before an error counts
		typed <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(out)
		return ctx.Err()
	case line := <-typed:
		if line != brand {
			return errors.New("nothing was erased: that is not the brand's name")
		}
		return nil
	}
}
