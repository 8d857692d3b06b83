package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/signer"
)

// newSecretFlag is how a command is given the secret that an endpoint is to have: never on the command line, which every
// user of a machine can read.
type newSecretFlag struct{ file string }

const secretFileFlag = "secret-file"

func (f *newSecretFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, secretFileFlag, "", "`file` with the secret, whsec_… or whsk_…, or - for stdin; without it one is made")
	files := cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	_ = cmd.RegisterFlagCompletionFunc(secretFileFlag, files) // see fixedValues
}

// read returns the secret, empty when none was given. Errors never quote it.
func (f *newSecretFlag) read(cmd *cobra.Command) (string, error) {
	if !cmd.Flags().Changed(secretFileFlag) {
		return "", nil
	}
	if f.file == "" {
		return "", usage("--secret-file: must not be empty: leave it out to have a secret made")
	}
	content, err := f.content(cmd.InOrStdin())
	if err != nil {
		return "", usage("--secret-file: %w", err)
	}
	text := strings.TrimSpace(string(content))
	if err := checkSecretText(text); err != nil {
		return "", usage("--secret-file: %w", err)
	}
	return text, nil
}

func (f *newSecretFlag) content(stdin io.Reader) ([]byte, error) {
	if f.file != "-" {
		return readSecretFile(f.file)
	}
	content, err := io.ReadAll(io.LimitReader(stdin, maxSecretFile+1))
	if err == nil && len(content) > maxSecretFile {
		err = fmt.Errorf("stdin is over %d bytes", maxSecretFile)
	}
	return content, err
}

func checkSecretText(text string) error {
	switch {
	case text == "":
		return errors.New("holds no secret")
	case len(strings.Fields(text)) > 1:
		return errors.New("must hold one secret and nothing else")
	case strings.HasPrefix(text, "whsk_"):
		_, err := signer.ParsePrivateKey(text)
		return err
	}
	_, err := signer.ParseSecret(text)
	return err
}
