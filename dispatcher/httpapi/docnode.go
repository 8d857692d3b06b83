package httpapi

import (
	"bytes"
	"encoding/json"
	"strings"
)

// node is a value of the OpenAPI document, whose members keep their order, which
// they would lose by being decoded. Everything can be asked of nil, which is
// what is not there.
type node struct {
	raw     json.RawMessage
	members []member
	items   []*node
}

type member struct {
	name string
	*node
}

// nodeOf reads valid JSON.
func nodeOf(raw []byte) *node {
	n := &node{raw: raw}
	_ = eachMember(raw, func(name string, value []byte) error { // no object has none
		n.members = append(n.members, member{name, nodeOf(value)})
		return nil
	})
	all, _ := elements(raw, len(raw)) // no array has none
	for _, item := range all {
		n.items = append(n.items, nodeOf(item))
	}
	return n
}

// at returns what a path of names leads to.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		n = n.member(name)
	}
	return n
}

func (n *node) member(name string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if m.name == name {
			return m.node
		}
	}
	return nil
}

// all returns the members of an object; each those of an array.
func (n *node) all() []member {
	if n == nil {
		return nil
	}
	return n.members
}

func (n *node) each() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// pointed returns what a local reference, such as "#/components/schemas/Key",
// leads to (RFC 6901).
func (n *node) pointed(reference string) *node {
	if reference == "#" {
		return n
	}
	path, ok := strings.CutPrefix(reference, "#/")
	if !ok {
		return nil
	}
	for part := range strings.SplitSeq(path, "/") {
		n = n.at(strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
	}
	return n
}

// text returns a string as it is meant, and every other value as it is written.
func (n *node) text() string {
	switch {
	case n == nil:
		return ""
	case starts(n.raw, 0, '"'):
		return unquote(n.raw)
	}
	return string(n.raw)
}

// texts returns the texts of an array, or that of a single value.
func (n *node) texts() []string {
	if n == nil {
		return nil
	}
	if !starts(n.raw, 0, '[') {
		return []string{n.text()}
	}
	var found []string
	for _, item := range n.items {
		found = append(found, item.text())
	}
	return found
}

func (n *node) isTrue() bool { return n.text() == "true" }

// indented returns JSON as people read it.
func (n *node) indented() string {
	var b bytes.Buffer
	if n == nil || json.Indent(&b, n.raw, "", "  ") != nil {
		return ""
	}
	return b.String()
}
