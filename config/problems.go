package config

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong with a configuration. No field holds a secret.
type Problem struct {
	// Key is the path, such as retry.jitter or secrets.keys[1]; empty when the problem is not about one key.
	Key string
	// Where is file:line, the variable, the flag, or `default`.
	Where string
	// Value is what was found, quoted or described; empty when it does not matter or might be a misplaced secret.
	Value string
	// Rule says what is allowed.
	Rule string
}

// String is one line: where, key, value, rule.
func (p Problem) String() string {
	switch {
	case p.Key == "":
		return p.Where + ": " + p.Rule
	case p.Value == "":
		return p.Where + ": " + p.Key + ": " + p.Rule
	}
	return p.Where + ": " + p.Key + " is " + p.Value + ": " + p.Rule
}

// Problems are all that is wrong: file first, then variables, flags, and values that do not fit together.
type Problems []Problem

// Error is one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// about reports whether a problem names the key or something inside it.
func (ps Problems) about(path string) bool {
	for _, p := range ps {
		if p.Key == path || strings.HasPrefix(p.Key, path+"[") {
			return true
		}
	}
	return false
}

const longestShown = 64

// quoted shows untrusted text on one line, cut where it is long.
func quoted(text string) string {
	if runes := []rune(text); len(runes) > longestShown {
		return strconv.Quote(string(runes[:longestShown])) + "…"
	}
	return strconv.Quote(text)
}

var ordinaryWord = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,31}$`)

// keyName shows a key from a file, of all but ordinary words the beginning: `{adminKey:value}` is a single key to
// YAML, and a key of 32 characters or more may be a secret in the wrong place.
func keyName(text string) string {
	if ordinaryWord.MatchString(text) {
		return text
	}
	return quoted(string([]rune(text)[:min(8, len([]rune(text)))])) + "…"
}

// describe names what kind of YAML a node is.
func describe(n *yaml.Node) string {
	switch n.ShortTag() {
	case strTag:
		return "a string"
	case intTag, floatTag:
		return "a number"
	case boolTag:
		return "true or false"
	case nullTag:
		return "empty"
	case "!!seq":
		return "a list"
	case "!!map":
		return "a mapping"
	}
	return "of another type"
}

// shown is a node's value as a problem quotes it.
func shown(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == nullTag {
		return describe(n)
	}
	return quoted(n.Value)
}
