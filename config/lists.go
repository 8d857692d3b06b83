package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// input is one value on its way into Config.
type input struct {
	setting
	key    string // path, with index and field inside lists
	typed  bool   // from a file: YAML's types count. Variables and flags are text
	secret bool
	found  *Problems
}

func (in input) refuse(rule string) {
	value := shown(in.Node)
	if in.secret {
		value = Redacted
	}
	*in.found = append(*in.found, Problem{Key: in.key, Where: in.where(), Value: value, Rule: rule})
}

func (in input) inside(suffix string, n *yaml.Node) input {
	in.key += suffix
	in.Node = n
	return in
}

const listRule = "must be a list"

// items are the entries of a list; in a variable or flag they are comma-separated, or a YAML list in brackets.
func (in input) items() ([]input, bool) {
	node := in.Node
	if !in.typed && node.Kind == yaml.ScalarNode {
		node = listFromText(node.Value)
	}
	if node == nil || node.Kind != yaml.SequenceNode {
		rule := listRule
		if !in.typed {
			rule += ", comma-separated; [] is the empty one"
		}
		in.refuse(rule)
		return nil, false
	}
	items := make([]input, len(node.Content))
	for i, n := range node.Content {
		items[i] = in.inside("["+strconv.Itoa(i)+"]", n)
	}
	return items, true
}

// listFromText is nil where the text is no list. The empty text is none: a variable left empty by accident must not
// come to mean "any port".
func listFromText(text string) *yaml.Node {
	if strings.HasPrefix(text, "[") {
		n, _, problem := parseYAML([]byte(text))
		if problem != "" {
			return nil
		}
		return n
	}
	if text == "" {
		return nil
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for word := range strings.SplitSeq(text, ",") {
		list.Content = append(list.Content, scalarNode(strTag, strings.TrimSpace(word)))
	}
	return list
}

// listOf reads entries that differ in their id. The empty list is nil.
func listOf[T any](entry kind[T], id func(T) string) kind[[]T] {
	read := func(in input) []T {
		items, _ := in.items()
		var values []T
		seen := map[string]bool{}
		for _, item := range items {
			before := len(*in.found)
			v := entry.read(item)
			if len(*in.found) > before {
				continue
			}
			if seen[id(v)] {
				item.refuse(fmt.Sprintf("must not be there twice: %s", quoted(id(v))))
				continue
			}
			seen[id(v)] = true
			values = append(values, v)
		}
		return values
	}
	write := func(values []T) *yaml.Node {
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, v := range values {
			n := entry.write(v)
			if n.Kind != yaml.ScalarNode {
				list.Style = 0
			}
			list.Content = append(list.Content, n)
		}
		return list
	}
	return kind[[]T]{name: "list", rule: "a list, each of which " + entry.rule, read: read, write: write}
}

const everyQueue = "all"

// queueNames is a list whose nil is written `all`.
func queueNames() kind[[]string] {
	entry := queueName()
	names := listOf(entry, func(v string) string { return v })
	read := func(in input) []string {
		if in.Node.Kind == yaml.ScalarNode && in.Node.Value == everyQueue {
			return nil
		}
		if items, ok := in.items(); ok && len(items) == 0 {
			in.refuse(entry.rule + "; leave it out for all")
		} else if !ok {
			return nil
		}
		return names.read(in)
	}
	write := func(values []string) *yaml.Node {
		if len(values) == 0 {
			return stringNode(everyQueue)
		}
		return names.write(values)
	}
	return kind[[]string]{name: "list", rule: entry.rule, read: read, write: write}
}
