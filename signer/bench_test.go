package signer_test

import (
	"bytes"
	"testing"

	"go.smobi.com/outhook/signer"
)

const benchID = "evt_0190f0c0a1b27c3d8e4f5a6b7c8d9e0f"

var benchBody = bytes.Repeat([]byte("x"), 350) // the size of a status event

// Figures: bench.txt.
func BenchmarkSign(b *testing.B) {
	secret, former, private := signer.NewSecret(), signer.NewSecret(), signer.NewPrivateKey()
	for _, bench := range []struct {
		name string
		keys []signer.Key
	}{
		{"secret", []signer.Key{secret}},
		{"two_secrets", []signer.Key{secret, former}},
		{"ed25519", []signer.Key{private}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(benchBody)))
			for b.Loop() {
				if _, err := signer.Sign(benchID, at, benchBody, bench.keys...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A secret read from its text for one use: what keeping it saves.
func BenchmarkParseAndSign(b *testing.B) {
	text := signer.NewSecret().Reveal()
	b.ReportAllocs()
	b.SetBytes(int64(len(benchBody)))
	for b.Loop() {
		secret, err := signer.ParseSecret(text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := signer.Sign(benchID, at, benchBody, secret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	secret, former, private := signer.NewSecret(), signer.NewSecret(), signer.NewPrivateKey()
	for _, bench := range []struct {
		name   string
		signed []signer.Key
		held   signer.Verifier
	}{
		{"secret", []signer.Key{secret}, secret},
		{"second_of_two", []signer.Key{secret, former}, former},
		{"ed25519", []signer.Key{private}, private.Public()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h := sign(b, benchID, at, benchBody, bench.signed...)
			b.ReportAllocs()
			b.SetBytes(int64(len(benchBody)))
			for b.Loop() {
				if err := signer.Verify(h, benchBody, at, 0, bench.held); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
