package catalog

import (
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"go.smobi.com/outhook/dispatcher/webhook"
)

var wildcardPattern = regexp.MustCompile(`^([a-z0-9_]+\.)+\*$`)

// CheckPattern returns nil when an endpoint may ask for the pattern: it is the
// name of a type, or "prefix.*" that matches at least one type. Otherwise a
// [webhook.FieldError] of "eventTypes" that names the nearest pattern. What
// matches operational types only is refused too: see [Catalog.Matches].
func (c *Catalog) CheckPattern(pattern string) error {
	if slices.Contains(c.patterns, pattern) {
		return nil
	}
	operational := slices.IndexFunc(c.types, func(t Type) bool { return webhook.MatchType(pattern, t.Name) })
	switch {
	case operational >= 0:
		return webhook.Invalid("eventTypes", "operational types must be named exactly, such as %q", c.types[operational].Name)
	case !validName(pattern) && !wildcardPattern.MatchString(pattern):
		return webhook.Invalid("eventTypes", "must be an event type, or the first words of some with .* after them; the nearest is %q", nearest(pattern, c.patterns))
	}
	return webhook.Invalid("eventTypes", "matches no event type; the nearest is %q", nearest(pattern, c.patterns))
}

// Matches tells whether the endpoint wants events of this type. It is
// [webhook.Endpoint.Wants] but for one rule, and this is where that is kept: an
// operational type goes only to endpoints that name it exactly, so "endpoint.*"
// never matches "endpoint.disabled".
func (c *Catalog) Matches(endpoint webhook.Endpoint, eventType string) bool {
	if k, ok := c.byName[eventType]; ok && k.Group == GroupOperational {
		return slices.Contains(endpoint.Patterns(), eventType)
	}
	return endpoint.Wants(eventType)
}

// patternsOf returns every pattern that matches a type, each once: all names,
// then all prefixes of those that are not operational.
func patternsOf(types []Type) []string {
	var names, wildcards []string
	for _, t := range types {
		names = append(names, t.Name)
		if t.Group == GroupOperational {
			continue
		}
		for i, c := range t.Name {
			if c != '.' {
				continue
			}
			if w := t.Name[:i] + ".*"; !slices.Contains(wildcards, w) {
				wildcards = append(wildcards, w)
			}
		}
	}
	return slices.Concat(names, wildcards)
}

// nearest returns the candidate with the fewest edits from text, the first of
// several; only as much of text as a name may have is looked at.
func nearest(text string, candidates []string) string {
	text = strings.ToLower(text[:min(len(text), MaxNameBytes)])
	return slices.MinFunc(candidates, func(a, b string) int {
		return levenshtein.ComputeDistance(text, a) - levenshtein.ComputeDistance(text, b)
	})
}
