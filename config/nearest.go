package config

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearest is the candidate with the fewest edits away, the first of several; case does not count.
func nearest(word string, candidates []string) string {
	if len(word) > 4*longestShown {
		word = word[:4*longestShown]
	}
	best, fewest := "", -1
	for _, c := range candidates {
		if n := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(c)); fewest < 0 || n < fewest {
			best, fewest = c, n
		}
	}
	return best
}
