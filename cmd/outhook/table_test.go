package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// drawn is a table as it is written.
func drawn(t *testing.T, what *table, p palette) string {
	t.Helper()
	var out bytes.Buffer
	if err := what.write(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// withoutColours takes the escape codes of colours out.
func withoutColours(text string) string {
	return regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(text, "")
}

func TestTableAlignsWhatIsSeen(t *testing.T) {
	list := newTable("ID", "STATE", "NOTE")
	list.add(plain("a"), state("delivered"), plain("last"))
	list.add(plain("日本"), state("dead"), plain(""))
	list.add(plain("e\u0301\U0001F600"), state("odd"), words{"x ", red})
	list.add(plain("one cell that is long makes no column wide"))
	want := `ID    STATE      NOTE
a     delivered  last
日本  dead       -
é😀   odd        x
one cell that is long makes no column wide
`
	got := drawn(t, list, false)
	if diff := cmp.Diff(strings.ReplaceAll(want, "é", "e\u0301"), got); diff != "" {
		t.Errorf("plain (-want +got):\n%s", diff)
	}
	coloured := drawn(t, list, true)
	if !strings.Contains(coloured, "a     \x1b[32mdelivered\x1b[0m  last\n") || !strings.Contains(coloured, "\x1b[31mdead\x1b[0m       -\n") {
		t.Errorf("colours are missing:\n%q", coloured)
	}
	if diff := cmp.Diff(got, withoutColours(coloured)); diff != "" {
		t.Errorf("coloured differs by more than colours (-plain +coloured):\n%s", diff)
	}
}

func TestTableMakesTextHarmless(t *testing.T) {
	card := newCard()
	card.line("evil\x1b[2J", words{"a\x1b]0;title\x07b\r\nc\u202ed\u2028e\xff\tf", green})
	card.line("nothing", plain(""))
	want := "evil [2J:  a ]0;title b  c d e\uFFFD f\n"
	if got := drawn(t, card, false); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := withoutColours(drawn(t, card, true)); got != want {
		t.Errorf("in colours %q, want %q", got, want)
	}
}

func TestColourOnlyWhereItIsWanted(t *testing.T) {
	for name, tc := range map[string]struct {
		terminal bool
		env      []string
		want     palette
	}{
		"terminal":        {true, []string{"TERM=xterm"}, true},
		"no TERM":         {true, nil, true},
		"pipe":            {false, []string{"TERM=xterm"}, false},
		"NO_COLOR":        {true, []string{"NO_COLOR=1"}, false},
		"NO_COLOR=0":      {true, []string{"NO_COLOR=0"}, false},
		"empty NO_COLOR":  {true, []string{"NO_COLOR="}, true},
		"dumb":            {true, []string{"TERM=dumb"}, false},
		"the last counts": {true, []string{"NO_COLOR=1", "NO_COLOR="}, true},
	} {
		if got := choosePalette(tc.terminal, tc.env); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
	if paletteFor(&bytes.Buffer{}, nil) {
		t.Error("colours in a buffer")
	}
}

func TestColourOfStates(t *testing.T) {
	for want, states := range map[string][]string{
		"\x1b[32m":  {"delivered", "ok", "enabled"},
		"\x1b[33m":  {"retrying", "waiting", "running", "skipped"},
		"\x1b[31m":  {"dead", "failed", "disabled"},
		"cancelled": {"cancelled"},
	} {
		for _, s := range states {
			if got := palette(true).paint(s, stateColour(s)); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %q", s, got)
			}
			if got := palette(false).paint(s, stateColour(s)); got != s {
				t.Errorf("%s without colours: %q", s, got)
			}
		}
	}
}
