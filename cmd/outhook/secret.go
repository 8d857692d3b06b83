package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/signer"
)

func newSecretCommand(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Make signing secrets, or encrypt the stored ones anew",
		Long: `Signing secrets in the form of Standard Webhooks. What new prints is stored nowhere: an
endpoint gets its secret when it is created, and it is kept encrypted.`,
		Example: `  outhook secret new
  outhook secret reencrypt --config /etc/outhook/outhook.yaml`,
	}
	cmd.AddCommand(newSecretNewCommand(), newSecretReencryptCommand(env))
	return cmd
}

func newSecretNewCommand() *cobra.Command {
	var asymmetric bool
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Print a new random secret",
		Long: `Prints a new random secret.

whsec_ is shared by sender and receiver (HMAC-SHA256, 32 random bytes). --ed25519
prints two lines: whsk_, the private key that stays with the sender, and whpk_, the
public key that receivers verify with.`,
		Example: `  outhook secret new > secret.txt
  outhook secret new --ed25519`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !asymmetric {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), signer.NewSecret().Reveal())
				return err
			}
			key := signer.NewPrivateKey()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n", key.Reveal(), key.Public())
			return err
		},
	}
	cmd.Flags().BoolVar(&asymmetric, "ed25519", false, "a private and a public key in place of a shared secret")
	return cmd
}
