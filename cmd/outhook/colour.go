package main

import "io"

// colour is what a terminal is told (SGR) before a text. The zero value is none.
type colour string

const (
	green  colour = "32"
	yellow colour = "33"
	red    colour = "31"
	faint  colour = "2"
)

// palette tells whether there are colours.
type palette bool

// paletteFor has colours on a terminal only, and not when whoever sits there wants none (no-color.org).
func paletteFor(out io.Writer, env []string) palette { return choosePalette(isTerminal(out), env) }

func choosePalette(terminal bool, env []string) palette {
	return palette(terminal && variable(env, "NO_COLOR") == "" && variable(env, "TERM") != "dumb")
}

// paint puts a text, which must be clean, between escape codes.
func (p palette) paint(text string, c colour) string {
	if !bool(p) || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// stateColour is the colour of a state, an outcome or a result.
func stateColour(state string) colour {
	switch state {
	case "delivered", "ok", "enabled", "done":
		return green
	case "waiting", "running", "retrying", "skipped", "warn":
		return yellow
	case "dead", "failed", "disabled", "bad":
		return red
	}
	return ""
}
