package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Sources says where a configuration comes from. The zero value gives the defaults.
type Sources struct {
	// File is the path of a YAML file. Empty is the one that OUTHOOK_CONFIG in Env names, or none.
	File string
	// Env is the environment as os.Environ returns it; only what begins with OUTHOOK_ is read.
	Env []string
	// Flags were set up by RegisterFlags and parsed; those that were given count. nil is none.
	Flags *pflag.FlagSet
}

// setting is one value of one layer. Its fields are exported because koanf copies what it holds by reflection.
type setting struct {
	Node   *yaml.Node
	Source string // file, variable or flag
	Lines  bool   // whether the source has lines
}

func (s setting) where() string {
	if s.Lines {
		return fmt.Sprintf("%s:%d", s.Source, s.Node.Line)
	}
	return s.Source
}

const delimiter = "."

// Load reads all sources. Its error is Problems with everything that is wrong, and the Config is then the zero value.
func Load(src Sources) (Config, error) {
	l := loader{keys: table()}
	merged, err := l.merge(src)
	if err != nil {
		return Config{}, fmt.Errorf("merge configuration: %w", err)
	}
	c := Default()
	where := map[string]string{}
	for _, k := range l.keys {
		where[k.path] = "default"
		if s, ok := merged.Get(k.path).(setting); ok {
			where[k.path] = s.where()
			l.read(k, &c, s)
		}
	}
	l.compare(c, where)
	if len(l.found) > 0 {
		return Config{}, l.found
	}
	return c, nil
}

// Problem says that a value which Load took from these sources cannot be used, as may show later: a file that a key names is not
// there. The rule begins with "must". It answers false for a path that is no key.
func (src Sources) Problem(c Config, path, rule string) (Problem, bool) {
	l := loader{keys: table()}
	k, ok := l.byPath(path)
	merged, err := l.merge(src)
	if !ok || err != nil {
		return Problem{}, false
	}
	p := Problem{Key: path, Where: "default", Value: quoted(k.text(c)), Rule: rule}
	if s, ok := merged.Get(path).(setting); ok {
		p.Where = s.where()
	}
	return p, true
}

type loader struct {
	keys  []key
	found Problems
}

// merge lays the layers over each other; values that are refused are left out.
func (l *loader) merge(src Sources) (*koanf.Koanf, error) {
	sorted := slices.Clone(src.Env)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(variable(a), variable(b)) })
	merged := koanf.New(delimiter)
	file := confmap.Provider(l.file(cmp.Or(src.File, lookup(src.Env, envConfig))), delimiter)
	if err := merged.Load(file, nil); err != nil {
		return nil, err
	}
	variables := env.Provider(delimiter, env.Opt{
		Prefix:        envPrefix,
		EnvironFunc:   func() []string { return sorted },
		TransformFunc: l.variable,
	})
	if err := merged.Load(variables, nil); err != nil {
		return nil, err
	}
	return merged, merged.Load(confmap.Provider(l.flags(src.Flags), delimiter), nil)
}

// check tries a value and reports what is wrong with it.
func (l *loader) check(k key, s setting) bool {
	if !utf8.ValidString(s.Node.Value) { // YAML's parser sees to it in files
		l.found = append(l.found, Problem{Key: k.path, Where: s.where(), Rule: "must be UTF-8"})
		return false
	}
	var scratch Config
	before := len(l.found)
	l.read(k, &scratch, s)
	return len(l.found) == before
}

func (l *loader) read(k key, c *Config, s setting) {
	k.read(c, input{setting: s, key: k.path, typed: s.Lines, secret: k.secret, found: &l.found})
}

func (l *loader) byPath(path string) (key, bool) {
	return l.find(func(k key) bool { return k.path == path })
}

func (l *loader) find(is func(key) bool) (key, bool) {
	if i := slices.IndexFunc(l.keys, is); i >= 0 {
		return l.keys[i], true
	}
	return key{}, false
}

// names are one property of all keys, for suggestions.
func (l *loader) names(of func(key) string) []string {
	names := make([]string, len(l.keys))
	for i, k := range l.keys {
		names[i] = of(k)
	}
	return names
}

// sections are what stands left of the dots.
func (l *loader) sections() []string {
	return slices.Compact(l.names(func(k key) string {
		section, _, _ := strings.Cut(k.path, delimiter)
		return section
	}))
}
