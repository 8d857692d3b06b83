package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const maxFile = 1 << 20

// file is the layer of the YAML file, empty where it cannot be read as a whole.
func (l *loader) file(path string) map[string]any {
	layer := map[string]any{}
	if path == "" {
		return layer
	}
	data, problem := readFile(path)
	if problem != "" {
		l.found = append(l.found, Problem{Where: path, Rule: problem})
		return layer
	}
	root, line, problem := parseYAML(data)
	if problem != "" {
		l.found = append(l.found, Problem{Where: fmt.Sprintf("%s:%d", path, line), Rule: problem})
		return layer
	}
	if root != nil && root.ShortTag() != nullTag {
		l.root(fileNode{path, root}, layer)
	}
	return layer
}

func readFile(path string) ([]byte, string) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "cannot be read: " + cause(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, "cannot be read: " + cause(err)
	case len(data) > maxFile:
		return nil, "must be at most " + sizeText(maxFile)
	}
	return data, ""
}

// cause leaves out the path, which the problem names already.
func cause(err error) string {
	if wrapped, ok := errors.AsType[*fs.PathError](err); ok {
		return wrapped.Err.Error()
	}
	return err.Error()
}

// fileNode is a place in a file.
type fileNode struct {
	path string
	node *yaml.Node
}

func (l *loader) note(f fileNode, key, rule string) {
	l.found = append(l.found, Problem{Key: key, Where: fmt.Sprintf("%s:%d", f.path, f.node.Line), Rule: rule})
}

func (l *loader) root(f fileNode, layer map[string]any) {
	if f.node.Kind != yaml.MappingNode {
		l.note(f, "", "must be a mapping of sections such as redis and http, not "+describe(f.node))
		return
	}
	sections := l.sections()
	lines := map[string]int{}
	for k, v := range pairs(f.node) {
		at := fileNode{f.path, k}
		switch first := lines[k.Value]; {
		case k.Kind != yaml.ScalarNode:
			l.note(at, "", "the name of a section must be a word")
		case first > 0:
			l.note(at, keyName(k.Value), fmt.Sprintf("is there twice, first in line %d", first))
		case slices.Contains(sections, k.Value):
			l.section(fileNode{f.path, v}, k.Value, layer)
		default:
			l.note(at, keyName(k.Value), l.unknownSection(k.Value, sections))
		}
		lines[k.Value] = k.Line
	}
}

func (l *loader) unknownSection(name string, sections []string) string {
	if _, known := l.byPath(name); known {
		section, field, _ := strings.Cut(name, delimiter)
		return fmt.Sprintf("must be written as %s in the section %s", field, section)
	}
	return "unknown key; the nearest is " + nearest(name, append(sections, l.names(func(k key) string { return k.path })...))
}

// section reads the keys of one section; one that is left empty sets nothing.
func (l *loader) section(f fileNode, name string, layer map[string]any) {
	if f.node.Kind == yaml.ScalarNode && f.node.ShortTag() == nullTag {
		return
	}
	if f.node.Kind != yaml.MappingNode {
		l.note(f, name, "must be a mapping, not "+describe(f.node))
		return
	}
	lines := map[string]int{}
	for k, v := range pairs(f.node) {
		at, path := fileNode{f.path, k}, name+delimiter+k.Value
		known, ok := l.byPath(path)
		switch first := lines[k.Value]; {
		case k.Kind != yaml.ScalarNode:
			l.note(at, name, "a key must be a word")
		case first > 0:
			l.note(at, name+delimiter+keyName(k.Value), fmt.Sprintf("is there twice, first in line %d", first))
		case !ok:
			l.note(at, name+delimiter+keyName(k.Value), "unknown key; the nearest is "+nearest(path, l.names(func(k key) string { return k.path })))
		default:
			if s := (setting{Node: v, Source: f.path, Lines: true}); l.check(known, s) {
				layer[path] = s
			}
		}
		lines[k.Value] = k.Line
	}
}
