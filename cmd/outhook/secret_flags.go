package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"go.smobi.com/outhook/signer"
)

// maxSecretFile bounds a file of secrets, in bytes.
const maxSecretFile = 64 << 10

// secretFlags are how sign, verify and listen are given keys. A file is there
// because every user of a machine can read the command lines on it.
type secretFlags struct {
	texts []string
	file  string
}

func (f *secretFlags) register(fs *pflag.FlagSet, kinds string) {
	fs.StringArrayVar(&f.texts, "secret", nil, kinds+"; may be given several times")
	fs.StringVar(&f.file, "secret-file", "", "`file` with one secret a line, which keeps them out of the list of processes")
}

// secretText is the text of a key and where it was given: all that an error may say of it.
type secretText struct{ where, text string }

// signing returns the keys to sign with. Errors never quote a key.
func (f secretFlags) signing() ([]signer.Key, error) {
	return readKeys(f, func(text string) (signer.Key, error) {
		if strings.HasPrefix(text, "whsk_") {
			return signer.ParsePrivateKey(text)
		}
		return signer.ParseSecret(text)
	})
}

// verifying returns the keys to verify with, none when none was given.
func (f secretFlags) verifying() ([]signer.Verifier, error) {
	return readKeys(f, func(text string) (signer.Verifier, error) {
		if strings.HasPrefix(text, "whpk_") {
			return signer.ParsePublicKey(text)
		}
		return signer.ParseSecret(text)
	})
}

func readKeys[K any](f secretFlags, parse func(string) (K, error)) ([]K, error) {
	given, err := f.given()
	if err != nil {
		return nil, err
	}
	var keys []K
	for _, one := range given {
		key, err := parse(one.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.where, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (f secretFlags) given() ([]secretText, error) {
	var given []secretText
	for _, text := range f.texts {
		given = append(given, secretText{"--secret", text})
	}
	if f.file == "" {
		return given, nil
	}
	content, err := readSecretFile(f.file)
	if err != nil {
		return nil, fmt.Errorf("--secret-file: %w", err)
	}
	before := len(given)
	for i, line := range bytes.Split(content, []byte("\n")) {
		if text := strings.TrimSpace(string(line)); text != "" {
			given = append(given, secretText{fmt.Sprintf("--secret-file: line %d", i+1), text})
		}
	}
	if len(given) == before {
		return nil, fmt.Errorf("--secret-file: %s holds no secret", f.file)
	}
	return given, nil
}

func readSecretFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err == nil && len(content) > maxSecretFile {
		err = fmt.Errorf("%s is over %d bytes", name, maxSecretFile)
	}
	return content, err
}
