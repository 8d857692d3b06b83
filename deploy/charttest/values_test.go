package charttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// fromTheSecret are keys that the chart takes from the Secret and from nowhere else.
var fromTheSecret = []string{"redis.url", "auth.adminKey", "secrets.keys"}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var found map[string]any
	if err := yaml.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// schemaKeys are the keys of the configuration that the values may set, as section.key.
func schemaKeys(t *testing.T, schema string) (found []string) {
	t.Helper()
	config := at(parse(t, schema), "properties", "config")
	for section := range at(config, "properties") {
		for key := range at(config, "properties", section, "properties") {
			found = append(found, section+"."+key)
		}
	}
	slices.Sort(found)
	return found
}

// at walks down; what is not there is empty.
func at(is map[string]any, path ...string) map[string]any {
	for _, name := range path {
		is, _ = is[name].(map[string]any)
	}
	return is
}

// keyProblems: the values may set what the program reads, but for its secrets, and nothing else.
func keyProblems(t *testing.T, schema string) (problems []string) {
	t.Helper()
	defaults, err := prints(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	known := schemaKeys(t, schema)
	for section, keys := range defaults {
		for key := range keys {
			path := section + "." + key
			if secret := slices.Contains(fromTheSecret, path); secret == slices.Contains(known, path) {
				problems = append(problems, fmt.Sprintf("%s is a key of the program; the schema has it: %t", path, secret))
			}
		}
	}
	for _, path := range known {
		section, key, _ := strings.Cut(path, ".")
		if _, ok := defaults[section][key]; !ok {
			problems = append(problems, path+" is no key of the program")
		}
	}
	slices.Sort(problems)
	return problems
}

func TestSchemaHasTheProgramsKeys(t *testing.T) {
	for _, problem := range keyProblems(t, read(t, "../chart/values.schema.json")) {
		t.Error(problem)
	}
}

func TestSchemaMistakes(t *testing.T) {
	for _, m := range []struct{ old, new, says string }{
		{`"maxAge": true`, `"maxage": true`, "retry.maxAge"},
		{`"maxAge": true`, `"maxage": true`, "retry.maxage is no key"},
		{`"caBundle": true,`, `"caBundle": true, "url": true,`, "redis.url"},
	} {
		schema := read(t, "../chart/values.schema.json")
		wrong := strings.ReplaceAll(schema, m.old, m.new)
		problems := keyProblems(t, wrong)
		if wrong == schema || !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.says) }) {
			t.Errorf("%s for %s: %q, want something about %q", m.new, m.old, problems, m.says)
		}
	}
}

// What values.yaml says of the configuration is the program's default, but for the operators' listener, which has to be reached.
func TestValuesHaveTheProgramsDefaults(t *testing.T) {
	defaults, err := prints(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	config := at(parse(t, read(t, "../chart/values.yaml")), "config")
	for _, section := range slices.Sorted(maps.Keys(config)) {
		for key, value := range at(config, section) {
			want := defaults.text(section, key)
			if section == "admin" {
				want = want[strings.LastIndex(want, ":"):]
			}
			if fmt.Sprint(value) != want {
				t.Errorf("%s.%s is %v, and %s in the program", section, key, value, want)
			}
		}
	}
}

// Every value that the schema allows stands in values.yaml, and what it is about is said there.
func TestValuesAreAllDescribed(t *testing.T) {
	text := read(t, "../chart/values.yaml")
	for _, path := range missing(parse(t, read(t, "../chart/values.schema.json")), parse(t, text), "") {
		t.Errorf("%s is not in values.yaml", path)
	}
	var document yamlv3.Node
	if err := yamlv3.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	for top := document.Content[0].Content; len(top) > 0; top = top[2:] {
		if top[0].HeadComment == "" {
			t.Errorf("%s has no comment", top[0].Value)
		}
	}
}

// missing are properties of a schema that values lack. The README lists the configuration's; global is Helm's.
func missing(schema, values map[string]any, in string) (found []string) {
	for name, is := range at(schema, "properties") {
		path := in + "." + name
		if in == ".config" || path == ".global" {
			continue
		}
		value, there := values[name]
		if !there {
			found = append(found, path)
		}
		below, _ := is.(map[string]any)
		inner, _ := value.(map[string]any)
		found = append(found, missing(below, inner, path)...)
	}
	return found
}

func TestChartIsOfTheImage(t *testing.T) {
	version := parse(t, read(t, "../chart/Chart.yaml"))["appVersion"]
	if want := fmt.Sprintf("ARG VERSION=%v\n", version); !strings.Contains(read(t, "../Dockerfile"), want) {
		t.Errorf("the chart's appVersion is %v, which is not what the Dockerfile builds", version)
	}
}
