package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/httpapi"
)

func newOpenAPICommand(env []string) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI document",
		Long: `Prints the OpenAPI 3.1 document of the API, the same that a server has at
/openapi.json, without one. Its webhooks section says what receivers get: the
built-in event types and catalog.types of the configuration.`,
		Example: `  outhook openapi > openapi.json
  outhook openapi --config /etc/outhook/outhook.yaml | jq '.webhooks | keys'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(config.Sources{File: file, Env: env})
			if err != nil {
				return usageError{err}
			}
			known, err := catalog.New(catalogConfig(c.Catalog))
			if err != nil {
				return usageError{err}
			}
			document, err := httpapi.Document(known.Types())
			if err != nil {
				return err
			}
			return writeExactly(cmd.OutOrStdout(), append(bytes.TrimSuffix(document, []byte("\n")), '\n'))
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "YAML `file`; defaults to the one that OUTHOOK_CONFIG names")
	return cmd
}
