package main

import (
	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// endpointUpdate is what update is asked to do.
type endpointUpdate struct {
	brandFlags
	settingFlags
	noMetadata, noHeaders []string
}

func newEndpointUpdateCommand(env []string) *cobra.Command {
	f := endpointUpdate{brandFlags: newBrandFlags(env)}
	cmd := &cobra.Command{
		Use:   "update ID --brand B",
		Short: "Change an endpoint",
		Long: `Changes what is given and leaves the rest as it is. It is in force within a second, and
for the next attempt of every delivery that waits already.

--purpose takes the place of event types and the other way round. --metadata and
--header add or replace single entries; --remove-metadata and --remove-header take
them away. 0 as --timeout or --max-in-flight goes back to the server's default. For
another secret, see rotate-secret.`,
		Example: `  outhook endpoint update status --brand acme --url https://example.com/new
  outhook endpoint update status --brand acme --event-type message.failed --timeout 5s
  outhook endpoint update status --brand acme --metadata team=core --remove-header X-Old`,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			patch, err := f.patch(cmd)
			if err != nil {
				return err
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			e, err := client.UpdateEndpoint(cmd.Context(), f.brand, args[0], patch)
			return f.showEndpoint(cmd, args[0], e, err)
		},
	}
	f.brandFlags.register(cmd)
	f.settingFlags.register(cmd)
	cmd.Flags().StringArrayVar(&f.noMetadata, "remove-metadata", nil, "`NAME` of metadata to take away; may be given several times")
	cmd.Flags().StringArrayVar(&f.noHeaders, "remove-header", nil, "`NAME` of a header to take away; may be given several times")
	return cmd
}

// patch holds what was given and nothing else.
func (f *endpointUpdate) patch(cmd *cobra.Command) (httpapi.EndpointPatch, error) {
	if err := f.check(cmd); err != nil {
		return nil, err
	}
	patch := httpapi.EndpointPatch{}
	for flag, set := range f.changes(patch) {
		if cmd.Flags().Changed(flag) {
			set()
		}
	}
	f.patchRate(cmd, patch)
	if err := patchPairs(patch, "metadata", "--metadata", "=", f.metadata, f.noMetadata); err != nil {
		return nil, err
	}
	if err := patchPairs(patch, "headers", "--header", ":", f.headers, f.noHeaders); err != nil {
		return nil, err
	}
	if len(patch) == 0 {
		return nil, usage("nothing to change: a setting must be given")
	}
	return patch, nil
}

// changes are what each flag does to a patch.
func (f *endpointUpdate) changes(patch httpapi.EndpointPatch) map[string]func() {
	return map[string]func(){
		"url":           func() { patch["url"] = f.url },
		"purpose":       func() { patch["purpose"], patch["eventTypes"] = f.purpose, nil },
		"event-type":    func() { patch["eventTypes"], patch["purpose"] = f.eventTypes, nil },
		"description":   func() { patch["description"] = orNull(f.description) },
		"max-in-flight": func() { patch["maxInFlight"] = orNull(f.maxInFlight) },
		"timeout":       func() { patch["timeoutMs"] = orNull(f.timeout.Milliseconds()) },
		"disabled":      func() { patch["disabled"] = f.disabled },
	}
}

// patchRate adds a change of the rate limit: no limit takes its burst along.
func (f *endpointUpdate) patchRate(cmd *cobra.Command, patch httpapi.EndpointPatch) {
	change := map[string]any{}
	if cmd.Flags().Changed("rate-limit") {
		if f.rateLimit == 0 {
			patch["rateLimit"] = nil
			return
		}
		change["perSecond"] = f.rateLimit
	}
	if cmd.Flags().Changed("rate-burst") {
		change["burst"] = orNull(f.rateBurst)
	}
	if len(change) > 0 {
		patch["rateLimit"] = change
	}
}

// orNull takes a field away that is given as its zero value.
func orNull[T comparable](value T) any {
	var zero T
	if value == zero {
		return nil
	}
	return value
}

// patchPairs adds a change of a map, unless nothing changes.
func patchPairs(patch httpapi.EndpointPatch, field, flag, separator string, texts, remove []string) error {
	if len(texts)+len(remove) == 0 {
		return nil
	}
	set, err := pairs(flag, separator, texts)
	if err != nil {
		return err
	}
	change := map[string]any{}
	for name, value := range set {
		change[name] = value
	}
	for _, name := range remove {
		if _, given := set[name]; given {
			return usage("%s: %s is given and taken away", flag, name)
		}
		change[name] = nil
	}
	patch[field] = change
	return nil
}
