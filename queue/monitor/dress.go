package monitor

import (
	_ "embed"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

//go:embed pages.css
var pagesStyle string

var (
	inlineScript  = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	foreignStyles = regexp.MustCompile(`<link rel="stylesheet" href="https://[^>]*>`)
)

// dressed serves asynqmon's pages, which all are one document that its script fills, with room for our ids (they have no
// dash, before which asynqmon would cut them), a way to sign out, and without the fonts that it asks Google for: that tells
// Google of it, and holds the page up where there is no way to the Internet. The policy sees to it that no page loads
// anything from others; asynqmon's components write styles into the page.
func dressed(pages http.Handler, root string) http.Handler {
	document := documentOf(pages, root)
	ours := strings.NewReplacer("</head>", "<style>"+pagesStyle+"</style></head>",
		"</body>", `<a class="outhook-out" href="`+root+`/logout">Sign out</a></body>`).Replace(foreignStyles.ReplaceAllString(document, ""))
	policy := policyOf(document)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		if !wantsPage(r) {
			pages.ServeHTTP(w, r)
			return
		}
		answer := newBuffer(h)
		pages.ServeHTTP(answer, r)
		body := answer.body.String()
		if body == document {
			body = ours
			h.Set("Content-Type", "text/html; charset=utf-8")
		}
		w.WriteHeader(answer.status)
		_, _ = w.Write([]byte(body))
	})
}

func documentOf(pages http.Handler, root string) string {
	answer := newBuffer(http.Header{})
	pages.ServeHTTP(answer, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: root + "/"}})
	return answer.body.String()
}

func policyOf(document string) string {
	scripts := []string{"'self'"}
	for _, found := range inlineScript.FindAllStringSubmatch(document, -1) {
		scripts = append(scripts, "'sha256-"+hashOf(found[1])+"'")
	}
	return "default-src 'self'; script-src " + strings.Join(scripts, " ") + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
