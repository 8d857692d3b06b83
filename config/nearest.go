package config

import "strings"

// nearest is the candidate with the fewest edits away, the first of several; case does not count.
func nearest(word string, candidates []string) string {
	if len(word) > 4*longestShown {
		word = word[:4*longestShown]
	}
	best, fewest := "", -1
	for _, c := range candidates {
		if n := edits(strings.ToLower(word), strings.ToLower(c)); fewest < 0 || n < fewest {
			best, fewest = c, n
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes, one row at a time.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
