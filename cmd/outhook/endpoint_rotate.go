package main

import (
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// endpointRotate is what rotate-secret is asked to do.
type endpointRotate struct {
	brandFlags
	overlap time.Duration
	secret  newSecretFlag
}

func newEndpointRotateCommand(env []string) *cobra.Command {
	f := endpointRotate{brandFlags: newBrandFlags(env)}
	cmd := &cobra.Command{
		Use:   "rotate-secret ID --brand B",
		Short: "Give an endpoint a new secret",
		Long: `Gives an endpoint a new secret and prints it, or the new public key, this once. Until
--overlap is over the old secrets sign beside it, so that a receiver that knows either
verifies every delivery: change the receiver within that time.

--overlap 0 ENDS EVERY OLD SECRET NOW, those of earlier rotations too: a receiver that
does not know the new secret refuses everything from then on. It is for secrets that
have leaked.`,
		Example: `  outhook endpoint rotate-secret status --brand acme
  outhook endpoint rotate-secret status --brand acme --overlap 72h --secret-file secret.txt
  outhook endpoint rotate-secret status --brand acme --overlap 0   # the old one has leaked`,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.register(cmd)
	cmd.Flags().DurationVar(&f.overlap, "overlap", webhook.DefaultOverlap, "how long the current secret signs on, at most 168h; 0 ENDS EVERY OLD SECRET NOW")
	f.secret.register(cmd)
	return cmd
}

func (f *endpointRotate) run(cmd *cobra.Command, id string) error {
	request, err := f.asked(cmd)
	if err != nil {
		return err
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	e, err := client.RotateSecret(cmd.Context(), f.brand, id, request)
	if err != nil {
		return f.api.refusal(err, endpointThing(f.brand, id), endpointFields())
	}
	s := f.screen(cmd)
	if err := s.show(e, func() *table { return rotationCard(e) }); err != nil {
		return err
	}
	if e.Secret != "" {
		s.note("the secret is shown this once: give it to the receiver, and keep it nowhere else")
	}
	if len(e.OldSecrets) == 0 {
		s.note("no old secret signs any more: receivers that do not know the new one refuse what is sent")
	}
	return nil
}

func (f *endpointRotate) asked(cmd *cobra.Command) (httpapi.RotateRequest, error) {
	if f.overlap < 0 || f.overlap > webhook.MaxOverlap {
		return httpapi.RotateRequest{}, usage("--overlap: must be 0 to 168h")
	}
	if err := wholeMilliseconds("--overlap", f.overlap); err != nil {
		return httpapi.RotateRequest{}, err
	}
	secret, err := f.secret.read(cmd)
	return httpapi.RotateRequest{OverlapMs: new(f.overlap.Milliseconds()), Secret: secret}, err
}

func rotationCard(e httpapi.Endpoint) *table {
	t := newCard()
	t.line("id", plain(e.ID))
	addSecrets(t, e)
	return t
}
