package curl

import (
	"os/exec"
	"strings"
	"testing"
)

// shells are those of this machine. Every POSIX shell reads the same words.
func shells(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, name := range []string{"sh", "bash", "dash", "ksh", "zsh"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		t.Skip("no shell on this machine")
	}
	return found
}

// awkward are texts that mean something to a shell, to printf, to curl or to a terminal.
func awkward() []string {
	var every strings.Builder
	for b := 1; b < 256; b++ {
		every.WriteByte(byte(b))
	}
	return []string{
		"", "plain", "it's", "''", `'\''`, "$HOME ${HOME} $(id) `id`", `back\slash \\ \n \101 \c`, "%s %d %% %", "!x !! a!b", "-n", "--", "@file",
		"a b\tc", "# no comment", "~", "* ? [a-z] {a,b}", "a;b&c|d>e<f", "new\nline", "\nfirst", `"double"`, "é ü 漢字 😀",
		"\x1b]0;owned\x07", "\u009b31m \u202e \u2028", "\r", "broken \xff utf-8 \xc3", `$(printf '\033')` + "\x07", every.String() + ".",
	}
}

func TestShellWordIsOneWord(t *testing.T) {
	t.Parallel()
	for _, shell := range shells(t) {
		for _, text := range awkward() {
			script := "set -- " + shellWord(text) + "\n" + `printf '%s/%s' "$#" "$1"`
			if out, err := exec.Command(shell, "-c", script).CombinedOutput(); err != nil || string(out) != "1/"+text {
				t.Errorf("%s reads %s as %q, %v, want %q", shell, shellWord(text), out, err, text)
			}
		}
	}
}

// What is shown on a terminal does nothing to it, and a NUL can be written, too.
func TestShellFormatWritesBytes(t *testing.T) {
	t.Parallel()
	texts := append(awkward(), "\x00", "a\x00b\n", "ends with newlines\n\n")
	for _, shell := range shells(t) {
		for _, text := range texts {
			out, err := exec.Command(shell, "-c", "printf "+shellFormat(text)).CombinedOutput()
			if err != nil || string(out) != text {
				t.Errorf("%s: printf %s writes %q, %v, want %q", shell, shellFormat(text), out, err, text)
			}
		}
	}
	for _, text := range texts {
		for _, shown := range []string{shellWord(text), shellFormat(text)} {
			if strings.ContainsFunc(strings.ReplaceAll(shown, "\n", ""), harmful) || strings.Contains(text, "\x1b") && !strings.Contains(shown, `\033`) {
				t.Errorf("harmful: %q", shown)
			}
		}
		if strings.Contains(shellFormat(text), "!") { // between double quotes it is the history of an interactive shell
			t.Errorf("an exclamation mark is left in %q", shellFormat(text))
		}
	}
}
