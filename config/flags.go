package config

import (
	"github.com/spf13/pflag"
)

// RegisterFlags adds a flag for every key, named by its path with dashes, with its help and default. Values are not
// checked when flags are parsed but by Load, together with all others.
func RegisterFlags(fs *pflag.FlagSet) {
	defaults := Default()
	for _, k := range table() {
		v := &flagValue{kind: k.kind, secret: k.secret}
		flag := &pflag.Flag{Name: k.flag(), Usage: k.usage, Value: v, DefValue: k.text(defaults)}
		if k.kind == "bool" {
			flag.NoOptDefVal = "true"
		}
		fs.AddFlag(flag)
	}
}

// flagValue keeps the text for Load. A list may be given several times.
type flagValue struct {
	kind   string
	text   string
	given  bool
	secret bool
}

func (v *flagValue) Set(text string) error {
	if v.given && v.kind == "list" {
		text = v.text + "," + text
	}
	v.text, v.given = text, true
	return nil
}

func (v *flagValue) Type() string { return v.kind }

func (v *flagValue) String() string {
	if v.secret && v.given {
		return Redacted
	}
	return v.text
}

// flags is the layer of the flags that were given.
func (l *loader) flags(fs *pflag.FlagSet) map[string]any {
	layer := map[string]any{}
	if fs == nil {
		return layer
	}
	for _, k := range l.keys {
		flag := fs.Lookup(k.flag())
		if flag == nil || !flag.Changed {
			continue
		}
		v, ours := flag.Value.(*flagValue)
		if !ours {
			continue
		}
		s := setting{Node: scalarNode(strTag, v.text), Source: "--" + k.flag()}
		if l.check(k, s) {
			layer[k.path] = s
		}
	}
	return layer
}
