package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// endpointCreate is what create is asked to do.
type endpointCreate struct {
	brandFlags
	settingFlags
	id        string
	signature string
	secret    newSecretFlag
}

func newEndpointCreateCommand(env []string) *cobra.Command {
	f := endpointCreate{brandFlags: newBrandFlags(env)}
	cmd := &cobra.Command{
		Use:   "create --brand B --url URL (--purpose P | --event-type T,…)",
		Short: "Create an endpoint",
		Long: `Creates an endpoint and prints it with its secret, which receivers verify with and which
is shown this once only. With --signature ed25519 the private key stays with the
server, and the public key is printed, now and whenever the endpoint is shown.

With --id it is safe to repeat: the same settings again answer the endpoint that is
there, without the secret.`,
		Example: `  outhook endpoint create --brand acme --id status --url https://example.com/webhooks --purpose status
  outhook endpoint create --brand acme --url https://example.com/in --event-type 'interaction.*,message.failed' --header 'X-Team: core'
  outhook secret new | outhook endpoint create --brand acme --id inbound --url https://example.com/in --purpose inbound --secret-file -`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.brandFlags.register(cmd)
	f.settingFlags.register(cmd)
	cmd.Flags().StringVar(&f.id, "id", "", "id that makes it safe to create again; made when left out")
	cmd.Flags().StringVar(&f.signature, "signature", "", "what signs: hmac, a secret shared with the receiver, or ed25519, a key pair (default hmac)")
	fixedValues(cmd, "signature", webhook.SignatureHMAC, webhook.SignatureEd25519)
	f.secret.register(cmd)
	return cmd
}

func (f *endpointCreate) run(cmd *cobra.Command) error {
	request, err := f.asked(cmd)
	if err != nil {
		return err
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	e, created, err := client.CreateEndpoint(cmd.Context(), f.brand, request)
	if err != nil {
		return f.refused(err, request.ID)
	}
	s := f.screen(cmd)
	if err := s.show(e, func() *table { return endpointCard(e) }); err != nil {
		return err
	}
	switch {
	case !created:
		s.note("endpoint %s was there already, with these settings: its secret is not shown again", e.ID)
	case e.Secret != "":
		s.note("the secret is shown this once: give it to the receiver, and keep it nowhere else")
	}
	return nil
}

// asked makes the id here, so that whoever got no answer can ask again.
func (f *endpointCreate) asked(cmd *cobra.Command) (httpapi.EndpointRequest, error) {
	given := cmd.Flags().Changed
	switch {
	case f.url == "":
		return httpapi.EndpointRequest{}, usage("--url: is required")
	case !given("purpose") && len(f.eventTypes) == 0:
		return httpapi.EndpointRequest{}, usage("--purpose or --event-type: is required")
	case given("id") && f.id == "":
		return httpapi.EndpointRequest{}, usage("--id: must not be empty: leave it out to have one made")
	}
	if err := cmp.Or(f.check(cmd), checkChoice(cmd, "signature", webhook.SignatureHMAC, webhook.SignatureEd25519)); err != nil {
		return httpapi.EndpointRequest{}, err
	}
	if !given("id") {
		f.id = webhook.NewID(webhook.EndpointPrefix)
	}
	if err := webhook.CheckID("--id", f.id); err != nil {
		return httpapi.EndpointRequest{}, usageError{err}
	}
	secret, err := f.secret.read(cmd)
	if err != nil {
		return httpapi.EndpointRequest{}, err
	}
	return f.request(f.id, secret, f.signature)
}

func (f *endpointCreate) refused(err error, id string) error {
	names := endpointFields()
	names["id"] = "--id"
	refusal := f.api.refusal(err, "brand "+f.brand, names)
	if errors.Is(err, webhook.ErrUnavailable) {
		return fmt.Errorf("%w; to create it again, add --id %s", refusal, id)
	}
	return refusal
}
