package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"go.smobi.com/outhook/config"
)

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]string{"OUTHOOK_CONFIG": "reserved", "OUTHOOK_SERVER": "reserved", "OUTHOOK_KEY": "reserved", "--config": "reserved", "--role": "reserved"}
	for _, k := range config.Keys() {
		for _, name := range []string{k.Path, k.Env, k.Flag} {
			if other, taken := seen[name]; taken {
				t.Errorf("%s of %s is taken by %s", name, k.Path, other)
			}
			seen[name] = k.Path
		}
		if k.Usage == "" || k.Rule == "" || k.Type == "" {
			t.Errorf("%s lacks words: %+v", k.Path, k)
		}
	}
}

func TestNamesAreDerivedFromThePath(t *testing.T) {
	for path, want := range map[string][2]string{
		"auth.adminKey":            {"OUTHOOK_AUTH_ADMIN_KEY", "--auth-admin-key"},
		"egress.requireHTTPS":      {"OUTHOOK_EGRESS_REQUIRE_HTTPS", "--egress-require-https"},
		"admin.listen":             {"OUTHOOK_ADMIN_LISTEN", "--admin-listen"},
		"redis.durableTimeout":     {"OUTHOOK_REDIS_DURABLE_TIMEOUT", "--redis-durable-timeout"},
		"limits.endpointsPerBrand": {"OUTHOOK_LIMITS_ENDPOINTS_PER_BRAND", "--limits-endpoints-per-brand"},
	} {
		if k := keyOf(t, path); k.Env != want[0] || k.Flag != want[1] {
			t.Errorf("%s: %s and %s, want %v", path, k.Env, k.Flag, want)
		}
	}
}

// Every field of Config has exactly one key, and its prose names the default that the table has.
func TestFieldsKeysAndProseAgree(t *testing.T) {
	prose := docs(t)
	keys := map[string]config.Key{}
	for _, k := range config.Keys() {
		keys[strings.ToLower(k.Path)] = k
	}
	sections := reflect.TypeFor[config.Config]()
	for i := range sections.NumField() {
		section := sections.Field(i)
		for j := range section.Type.NumField() {
			path := strings.ToLower(section.Name + "." + section.Type.Field(j).Name)
			k, ok := keys[path]
			if !ok {
				t.Errorf("%s has no key", path)
				continue
			}
			delete(keys, path)
			def := k.Default
			if def == "" {
				def = "none"
			}
			if doc := prose[path]; !strings.HasSuffix(doc, "Defaults to "+def+".") {
				t.Errorf("%s: prose %q does not end with its default %q", path, doc, def)
			}
		}
	}
	for path := range keys {
		t.Errorf("%s has no field", path)
	}
}

// docs are the comments of all struct fields of config.go by type and field, in lower case.
func docs(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					words := strings.Fields(f.Doc.Text())
					found[strings.ToLower(spec.Name.Name+"."+name.Name)] = strings.Join(words, " ")
				}
			}
		}
		return false
	})
	return found
}

func TestFlagsShowTheirDefaults(t *testing.T) {
	fs := flags(t)
	for _, k := range config.Keys() {
		f := fs.Lookup(strings.TrimPrefix(k.Flag, "--"))
		if f == nil || f.DefValue != k.Default || f.Usage != k.Usage || f.Value.Type() != k.Type {
			t.Errorf("flag of %s: %+v", k.Path, f)
		}
	}
	if help := fs.FlagUsages(); !strings.Contains(help, "--delivery-timeout duration") || !strings.Contains(help, "(default 15s)") {
		t.Errorf("help lacks the default:\n%s", help)
	}
}
