package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	typeRule  = "must be a mapping with name, description and perhaps schema"
	nameRule  = "must be words of letters, digits, _ and - joined by dots, such as order.paid, at most 128 characters"
	deepest   = 64
	deepRule  = "must not nest deeper than 64 levels"
	jsonRule  = "must be something that JSON can say"
	fieldRule = "is required"
)

// eventType reads one entry of catalog.types.
func eventType() kind[EventType] {
	read := func(in input) EventType {
		var t EventType
		if in.Node.Kind != yaml.MappingNode {
			in.refuse(typeRule)
			return t
		}
		fields := in.fields([]string{"name", "description", "schema"})
		for _, required := range []string{"name", "description"} {
			if _, ok := fields[required]; !ok {
				in.inside("."+required, in.Node).note(fieldRule)
			}
		}
		if f, ok := fields["name"]; ok {
			t.Name = typeName().read(f)
		}
		if f, ok := fields["description"]; ok {
			t.Description = sentence().read(f)
		}
		if f, ok := fields["schema"]; ok {
			t.Schema = readSchema(f)
		}
		return t
	}
	return kind[EventType]{name: "type", rule: typeRule, read: read, write: writeType}
}

var typeForm = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$`)

func typeName() kind[string] {
	return simple("string", nameRule, []string{strTag},
		func(text string) (string, bool) { return text, len(text) <= 128 && typeForm.MatchString(text) },
		func(v string) string { return v })
}

func sentence() kind[string] {
	return simple("string", "must be a sentence", []string{strTag},
		func(text string) (string, bool) { return text, strings.TrimSpace(text) != "" },
		func(v string) string { return v })
}

// fields are the values of a mapping by name; unknown and repeated names are refused.
func (in input) fields(known []string) map[string]input {
	fields := map[string]input{}
	for k, v := range pairs(in.Node) {
		field := in.inside("."+keyName(k.Value), v)
		at := in.inside("."+keyName(k.Value), k)
		switch _, again := fields[k.Value]; {
		case again:
			at.note("is there twice")
		case !slices.Contains(known, k.Value):
			at.note("unknown key; the nearest is " + nearest(k.Value, known))
		default:
			fields[k.Value] = field
		}
	}
	return fields
}

// note is refuse without the value.
func (in input) note(rule string) {
	*in.found = append(*in.found, Problem{Key: in.key, Where: in.where(), Rule: rule})
}

func readSchema(in input) json.RawMessage {
	if in.Node.Kind != yaml.MappingNode {
		in.refuse("must be a JSON Schema, as a mapping")
		return nil
	}
	before := len(*in.found)
	value := in.json(deepest)
	if len(*in.found) > before {
		return nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		in.refuse(jsonRule)
		return nil
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// json is a node as encoding/json has it, numbers as they are written.
func (in input) json(depth int) any {
	if depth == 0 {
		in.refuse(deepRule)
		return nil
	}
	switch in.Node.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for k, v := range pairs(in.Node) {
			field := in.inside("."+keyName(k.Value), v)
			if _, again := object[k.Value]; again || k.Kind != yaml.ScalarNode {
				in.inside("."+keyName(k.Value), k).note("must be a word that is there once")
			}
			object[k.Value] = field.json(depth - 1)
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, n := range in.Node.Content {
			list = append(list, in.inside("[]", n).json(depth-1))
		}
		return list
	}
	return in.jsonScalar()
}

var numberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (in input) jsonScalar() any {
	text := in.Node.Value
	switch in.Node.ShortTag() {
	case nullTag:
		return nil
	case boolTag:
		if text == "true" || text == "false" {
			return text == "true"
		}
	case intTag, floatTag:
		if numberForm.MatchString(text) {
			return json.Number(text)
		}
	case strTag, "!!timestamp": // JSON has no dates: 2026-01-31 is text
		return text
	}
	in.refuse(jsonRule)
	return nil
}

func writeType(t EventType) *yaml.Node {
	n := mapping("name", stringNode(t.Name), "description", stringNode(t.Description))
	if t.Schema == nil {
		return n
	}
	var schema any
	dec := json.NewDecoder(bytes.NewReader(t.Schema))
	dec.UseNumber()
	if dec.Decode(&schema) == nil {
		n.Content = append(n.Content, stringNode("schema"), jsonNode(schema))
	}
	return n
}

func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(pairs); i += 2 {
		n.Content = append(n.Content, stringNode(pairs[i].(string)), pairs[i+1].(*yaml.Node))
	}
	return n
}

// jsonNode is the way back from json, keys sorted.
func jsonNode(value any) *yaml.Node {
	switch v := value.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, stringNode(key), jsonNode(v[key]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, entry := range v {
			n.Content = append(n.Content, jsonNode(entry))
		}
		return n
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
	case string:
		return stringNode(v)
	case bool:
		return scalarNode(boolTag, map[bool]string{true: "true", false: "false"}[v])
	}
	return scalarNode(nullTag, "null")
}
