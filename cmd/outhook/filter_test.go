package main

import (
	"slices"
	"strings"
	"testing"
)

// A shell is told what a flag takes.
func TestEventAndAttemptCompletion(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"types of a list":    {[]string{"event", "list", "--type", ""}, []string{"message.delivered", "interaction.sms.reply", "endpoint.disabled"}},
		"types of a publish": {[]string{"publish", "--type", "message.r"}, []string{"message.read"}},
		"outcomes":           {[]string{"attempt", "list", "--outcome", ""}, []string{"delivered", "retrying", "dead"}},
		"forms":              {[]string{"dead-letter", "list", "-o", ""}, []string{"table", "json"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := command(t, nil, append([]string{"__complete"}, tc.args...)...)
			lines := strings.Split(got.out, "\n")
			for _, want := range tc.want {
				if !slices.Contains(lines, want) {
					t.Errorf("%q is not offered: %+v", want, got)
				}
			}
			if !slices.Contains(lines, ":4") { // no names of files
				t.Errorf("%+v", got)
			}
		})
	}
}
