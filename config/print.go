package config

import (
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print writes every key with its value as YAML. Secrets are written as Redacted, which Load refuses; without them
// Load reads the same Config back. Errors are those of w.
func (c Config) Print(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	var section *yaml.Node
	last := ""
	for _, k := range table() {
		name, field, _ := strings.Cut(k.path, delimiter)
		if name != last {
			section, last = &yaml.Node{Kind: yaml.MappingNode}, name
			root.Content = append(root.Content, stringNode(name), section)
		}
		section.Content = append(section.Content, stringNode(field), k.write(c))
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return enc.Close()
}
