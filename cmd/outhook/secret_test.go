package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.smobi.com/outhook/signer"
)

func TestSecretNew(t *testing.T) {
	got := command(t, nil, "secret", "new")
	if _, err := signer.ParseSecret(strings.TrimSuffix(got.out, "\n")); got.code != exitDone || err != nil || got.errOut != "" {
		t.Fatalf("code %d, %v, stderr %s", got.code, err, got.errOut)
	}
	if again := command(t, nil, "secret", "new"); again.out == got.out {
		t.Error("the same secret twice")
	}
}

func TestSecretNewEd25519(t *testing.T) {
	got := command(t, nil, "secret", "new", "--ed25519")
	private, public, _ := strings.Cut(strings.TrimSuffix(got.out, "\n"), "\n")
	key, err := signer.ParsePrivateKey(private)
	if got.code != exitDone || err != nil || key.Public().String() != public {
		t.Fatalf("code %d, %v, public key %s", got.code, err, public)
	}
}

func TestSecretUsage(t *testing.T) {
	for _, args := range [][]string{{"secret"}, {"secret", "old"}, {"secret", "new", "x"}, {"secret", "new", "--size", "8"}} {
		got := command(t, nil, args...)
		if got.code != exitUsage || got.out != "" || strings.Count(got.errOut, "\n") != 1 || !strings.HasPrefix(got.errOut, "outhook: ") {
			t.Errorf("%v: code %d, stdout %q, stderr %q", args, got.code, got.out, got.errOut)
		}
	}
}

// A bad secret is wrong usage for every command that takes one, is named by where it was given, and is never printed.
func TestBadSecrets(t *testing.T) {
	random := strings.TrimPrefix(signer.NewSecret().Reveal(), "whsec_")
	private := signer.NewPrivateKey()
	commands := map[string][]string{
		"sign":   {"sign", "--id", "evt_1"},
		"verify": {"verify", "--id", "evt_1", "--timestamp", "1", "--signature", "v1,x"},
		"listen": {"listen", "--addr", ":0"},
	}
	for name, c := range map[string]struct {
		text string
		only string // the command that it is bad for; empty is all
	}{
		"no prefix":      {text: random},
		"short":          {text: "whsec_" + random[:8]},
		"no base64":      {text: "whsec_!" + random},
		"public signs":   {text: private.Public().String(), only: "sign"},
		"private checks": {text: private.Reveal(), only: "verify"},
		"private hears":  {text: private.Reveal(), only: "listen"},
	} {
		for command, args := range commands {
			if c.only == "" || c.only == command {
				t.Run(name+"/"+command, func(t *testing.T) { testBadSecret(t, args, c.text) })
			}
		}
	}
}

func testBadSecret(t *testing.T, args []string, text string) {
	given := command(t, nil, append(args, "--secret", text)...)
	file := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(file, []byte("\n"+text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inFile := command(t, nil, append(args, "--secret-file", file)...)
	for where, got := range map[string]outcome{"--secret: ": given, "--secret-file: line 2: ": inFile} {
		if got.code != exitUsage || !strings.HasPrefix(got.errOut, "outhook: "+args[0]+": "+where) {
			t.Errorf("code %d, stderr %q, want %q", got.code, got.errOut, where)
		}
		if _, body, _ := strings.Cut(text, "_"); strings.Contains(got.out+got.errOut, text) || (body != "" && strings.Contains(got.errOut, body)) {
			t.Error("the secret is printed")
		}
	}
}

func TestSecretFile(t *testing.T) {
	folder := t.TempDir()
	secret := signer.NewSecret().Reveal()
	for name, c := range map[string]struct{ content, want string }{
		"two.txt":   {secret + "\r\n\n  " + signer.NewSecret().Reveal() + "\n", ""},
		"empty.txt": {"\n\n", "holds no secret"},
		"large.txt": {strings.Repeat("\n", maxSecretFile+1), "is over"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(folder, name)
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got := commandWith(t, "{}", nil, "sign", "--id", "evt_1", "--secret-file", file)
			if c.want == "" && (got.code != exitDone || strings.Count(got.out, "v1,") != 2) {
				t.Errorf("code %d, stdout %s, stderr %s", got.code, got.out, got.errOut)
			}
			if c.want != "" && (got.code != exitUsage || !strings.Contains(got.errOut, c.want)) {
				t.Errorf("code %d, stderr %q, want %q", got.code, got.errOut, c.want)
			}
		})
	}
	if got := command(t, nil, "sign", "--id", "evt_1", "--secret-file", filepath.Join(folder, "none")); got.code != exitUsage {
		t.Errorf("a file that is not there: code %d, stderr %q", got.code, got.errOut)
	}
}
