package signer

import (
	_ "embed"
	"regexp"
)

//go:embed RECEIVING.md
var receiving string

// Receivers returns the servers of RECEIVING.md, in which each language verifies webhooks as it does best: the source by
// the language, "go", "python" and "javascript".
func Receivers() map[string]string {
	found := map[string]string{}
	for _, block := range regexp.MustCompile("(?ms)^```(go|python|javascript)\n(.*?)^```$").FindAllStringSubmatch(receiving, -1) {
		found[block[1]] = block[2]
	}
	return found
}
