package main

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axeHash is that of the program in testdata, unpacked; testdata/README.md says where it is from.
const axeHash = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

// axe is axe-core, which looks for what keeps people from using a page.
func (s *consoleStage) axe() string {
	s.Helper()
	file, err := os.Open("testdata/axe-core-4.14.1.min.js.gz")
	s.must(err)
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	s.must(err)
	program, err := io.ReadAll(unpacked)
	s.must(err)
	if hash := sha256.Sum256(program); hex.EncodeToString(hash[:]) != axeHash {
		s.Fatalf("axe-core has hash %x", hash)
	}
	return string(program)
}

// serious are the findings of axe-core that somebody cannot get around, a line each.
const serious = `axe.run(document, RULES).then(found => found.violations.filter(v => v.impact === "serious" || v.impact === "critical")
	.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join("; ")).join("\n"))`

// look has axe-core look at a page, light and dark, wide and narrow, sees that it is no wider than the window, and keeps
// pictures where browser.picture does.
func (s *consoleStage) look(name string) {
	s.Helper()
	_, err := inPage(s.browser, chromedp.Evaluate[string](s.axeSource+`; ""`))
	s.must(err)
	for _, scheme := range []string{"light", "dark"} {
		feature := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme}
		_, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}})
		s.must(err)
		rules := "{}"
		if scheme == "dark" { // the rest is the same
			rules = `{runOnly: ["color-contrast"]}`
		}
		found, err := inPage(s.browser, chromedp.Evaluate[string](strings.Replace(serious, "RULES", rules, 1), chromedp.EvalAwaitPromise))
		s.must(err)
		if found != "" {
			s.Errorf("%s, %s:\n%s", name, scheme, found)
		}
		for size, width := range map[string]int64{"wide": 1280, "narrow": 390} {
			s.do(chromedp.EmulateViewport(width, 860))
			s.picture(name + "-" + scheme + "-" + size)
			if over := s.text(`"" + (document.documentElement.scrollWidth - innerWidth)`); over > "0" && !strings.HasPrefix(over, "-") {
				s.Errorf("%s, %s: %s pixels too wide", name, size, over)
			}
		}
	}
	s.do(chromedp.EmulateViewport(1400, 1000))
}
