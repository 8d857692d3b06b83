package httpapi

import (
	"slices"
	"strings"
)

// deepestField and mostFields bound the tables; schemas may be recursive.
const (
	deepestField = 6
	mostFields   = 500
)

// parametersOf returns the parameters of an operation as rows; those of the path come first.
func parametersOf(op *node) []docsRow {
	var rows []docsRow
	for _, p := range op.at("parameters").each() {
		schema := p.at("schema")
		example := p.at("example").text()
		if examples := schema.at("examples").texts(); example == "" && len(examples) > 0 {
			example = examples[0]
		}
		rows = append(rows, docsRow{
			Name: p.at("name").text(), Type: typeOf(schema, schema), Need: need(p.at("required").isTrue()),
			Text: textOf(p, schema), Example: example, Pattern: patternOf(schema),
		})
	}
	return rows
}

// fieldsOf returns the fields that a schema describes, inner ones with their
// whole path. References in it are of root.
func fieldsOf(root, schema *node) []docsRow {
	f := fieldList{root: root}
	f.add("", schema)
	return f.rows
}

type fieldList struct {
	root *node
	rows []docsRow
	// trail are the schemas that are being added, one inside of another.
	trail []*node
}

// add adds the fields of a schema whose own place is prefix.
func (f *fieldList) add(prefix string, schema *node) {
	schema = resolved(f.root, schema)
	if len(f.trail) > deepestField || len(f.rows) > mostFields || slices.Contains(f.trail, schema) {
		return
	}
	f.trail = append(f.trail, schema)
	defer func() { f.trail = f.trail[:len(f.trail)-1] }()
	for _, keyword := range []string{"allOf", "oneOf", "anyOf"} {
		for _, part := range schema.at(keyword).each() {
			f.add(prefix, part)
		}
	}
	if items := schema.at("items"); items != nil {
		f.add(prefix+"[]", items)
	}
	f.addProperties(prefix, schema)
}

func (f *fieldList) addProperties(prefix string, schema *node) {
	required := schema.at("required").texts()
	properties := slices.Clone(schema.at("properties").all())
	slices.SortStableFunc(properties, func(a, b member) int {
		return rank(required, a.name) - rank(required, b.name)
	})
	for _, p := range properties {
		name := strings.TrimPrefix(prefix+"."+p.name, ".")
		inner := resolved(f.root, p.node)
		f.rows = append(f.rows, docsRow{
			Name: name, Type: typeOf(f.root, inner), Need: need(slices.Contains(required, p.name)),
			Text: textOf(p.node, inner), Pattern: patternOf(inner),
		})
		f.add(name, inner)
	}
}

// rank puts the fields that are always there before those that may be absent.
func rank(required []string, name string) int {
	if slices.Contains(required, name) {
		return 0
	}
	return 1
}

// resolved follows references; one that leads in a circle or nowhere leads to nothing.
func resolved(root, schema *node) *node {
	for range deepestField {
		ref := schema.at("$ref")
		if ref == nil {
			return schema
		}
		schema = root.pointed(ref.text())
	}
	return nil
}

// typeOf says in words what kind of value a schema describes.
func typeOf(root, schema *node) string { return innerTypeOf(root, schema, 0) }

func innerTypeOf(root, schema *node, depth int) string {
	kinds := schema.at("type").texts()
	for i, kind := range kinds {
		switch {
		case kind == "array" && depth <= deepestField:
			kinds[i] = "array of " + innerTypeOf(root, resolved(root, schema.at("items")), depth+1)
		case kind == "object" && schema.at("additionalProperties", "type").text() == "string":
			kinds[i] = "object of strings"
		case kind == "string" && schema.at("format").text() == "date-time":
			kinds[i] = "time"
		}
	}
	if kinds == nil || depth > deepestField {
		return "any"
	}
	return strings.Join(kinds, " or ")
}

// rulesOf says what else a schema asks of a value.
func rulesOf(schema *node) string {
	var rules []string
	add := func(words, keyword string) {
		if value := schema.at(keyword); value != nil {
			rules = append(rules, words+value.text())
		}
	}
	if values := schema.at("enum").texts(); len(values) > 0 {
		rules = append(rules, "One of "+strings.Join(values, ", "))
	}
	add("Always ", "const")
	add("At least ", "minimum")
	add("At most ", "maximum")
	add("Default: ", "default")
	if examples := schema.at("examples").texts(); len(examples) > 0 {
		rules = append(rules, "Such as "+strings.Join(examples, ", "))
	}
	return strings.Join(rules, ". ")
}

// sentence ends a text that something follows.
func sentence(text string, follows bool) string {
	if text == "" || !follows {
		return text
	}
	return strings.TrimSuffix(text, ".") + "."
}

func patternOf(schema *node) string {
	return strings.TrimSuffix(strings.TrimPrefix(schema.at("pattern").text(), "^"), "$")
}

func need(required bool) string {
	if required {
		return "required"
	}
	return "may be absent"
}

// textOf describes what has a schema: its own description before the schema's.
func textOf(described, schema *node) string {
	said := described.at("description").text()
	if said == "" {
		said = schema.at("description").text()
	}
	rules := rulesOf(schema)
	text := sentence(said, rules != "")
	if said != "" && rules != "" {
		text += " "
	}
	return sentence(text+rules, patternOf(schema) != "")
}
