package config

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const anchorRule = "anchors and aliases are not allowed; quote a value that begins with & or *"

// parseYAML reads one document without anchors; the node is nil when there is none. The problem has a line.
func parseYAML(data []byte) (root *yaml.Node, line int, problem string) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, 1, ""
	} else if err != nil {
		line, problem = syntax(err, data)
		return nil, line, problem
	}
	if line := anchored(&doc); line > 0 {
		return nil, line, anchorRule
	}
	if err := dec.Decode(&second); err == nil {
		return nil, max(second.Line, 1), "must be one document, and a second begins here"
	} else if !errors.Is(err, io.EOF) {
		line, problem = syntax(err, data)
		return nil, line, problem
	}
	return doc.Content[0], 1, ""
}

var (
	lineForm      = regexp.MustCompile(`^line ([0-9]+): `)
	unclosed      = regexp.MustCompile(`^did not find expected (node content|key|'-' indicator|',' or '[\]}]'|<document start>)$`)
	quotesNothing = regexp.MustCompile(`^(did not find|could not find|found|mapping (keys|values)|block sequence|control characters|invalid|incomplete|exceeded) `)
)

// syntax turns a parser's error into line and text. Only texts that are known to quote nothing of the file are
// passed on: a password that begins with * is an unknown anchor to the parser, which names it.
func syntax(err error, data []byte) (int, string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := lineForm.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	if name, ok := strings.CutPrefix(text, "unknown anchor '"); ok {
		name = strings.TrimSuffix(name, "' referenced")
		before, _, _ := strings.Cut(string(data), "*"+name)
		return strings.Count(before, "\n") + 1, anchorRule
	}
	switch {
	case unclosed.MatchString(text):
		return line + 1, "is not YAML: " + text + ", in what begins here" // the parser counts these lines from 0
	case quotesNothing.MatchString(text):
		return max(line, 1), "is not YAML: " + text
	}
	return line, "is not YAML"
}

// anchored is the line of the first anchor or alias, or 0.
func anchored(n *yaml.Node) int {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return n.Line
	}
	for _, child := range n.Content {
		if line := anchored(child); line > 0 {
			return line
		}
	}
	return 0
}

// pairs are the keys and values of a mapping in order.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(k, v *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}
