package config

import (
	"regexp"
	"slices"
)

// NoFrames is the frame ancestor that stands for no frame at all, and only for itself.
const NoFrames = "none"

var frameForm = regexp.MustCompile(`^https?://(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

// frameAncestors is a list of sites as a browser's policy names them (CSP Level 3, section 6.4.2), without its quotes.
func frameAncestors() kind[[]string] {
	rule := "must be none, self, or a site such as https://app.example.com or https://*.example.com"
	one := simple("text", rule, []string{strTag}, func(text string) (string, bool) {
		return text, text == NoFrames || text == "self" || frameForm.MatchString(text)
	}, func(v string) string { return v })
	sites := listOf(one, func(v string) string { return v })
	read := func(in input) []string {
		values := sites.read(in)
		switch {
		case len(values) > 1 && slices.Contains(values, NoFrames):
			in.refuse("must be none alone, or sites")
		case len(values) == 0:
			return []string{NoFrames}
		}
		return values
	}
	return kind[[]string]{name: sites.name, rule: sites.rule, read: read, write: sites.write}
}
