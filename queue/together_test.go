package queue

import (
	"fmt"
	"slices"
	"testing"
)

// What Asynq does not enqueue by the script that is known, or not in the known way, is sent as it is and in its place.
func TestUnknownScriptsAreLeftAlone(t *testing.T) {
	enqueueOf := func(pending, task string) scriptCall {
		return scriptCall{digest: enqueueSHA, keys: []string{task, pending}, args: []any{"message of " + task, task, 1}}
	}
	another := scriptCall{digest: "another", keys: []string{"c", "q1"}, args: []any{"message", "c", 1}}
	longer := scriptCall{digest: enqueueSHA, keys: []string{"d", "q1", "x"}, args: []any{"message", "d", 1}}
	got := together([]scriptCall{enqueueOf("q1", "a"), enqueueOf("q2", "b"), another, longer, enqueueOf("q1", "e")})

	want := []string{"[q1 a e] [message of a a 1 message of e e 1]", "[q2 b] [message of b b 1]", "[c q1] [message c 1]", "[d q1 x] [message d 1]"}
	var all []string
	for _, c := range got {
		all = append(all, fmt.Sprint(c.keys, " ", c.args))
	}
	if !slices.Equal(all, want) {
		t.Errorf("%q, want %q", all, want)
	}
	if got[0].digest != enqueueScript.Hash() || got[0].text != enqueueText || got[2].digest != "another" || got[3].digest != enqueueSHA {
		t.Errorf("digests %s, %s, %s", got[0].digest, got[2].digest, got[3].digest)
	}
}
