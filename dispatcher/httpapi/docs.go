package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed docs.html
var docsTemplate string

//go:embed docs.css
var docsStyle string

// newDocsPage returns a handler of the page for people that says what the
// document says to machines. It has no script, loads nothing, and links relatively.
func newDocsPage(document []byte) (http.Handler, error) {
	parsed, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse docs page: %w", err)
	}
	view := viewOf(nodeOf(document))
	view.Style = template.CSS(docsStyle) // ours, whose hash the policy below allows
	var page bytes.Buffer
	if err := parsed.Execute(&page, view); err != nil {
		return nil, fmt.Errorf("make docs page: %w", err)
	}
	hash := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		(&reply{Status: http.StatusOK, ContentType: "text/html; charset=utf-8", Body: page.Bytes()}).write(w)
	}), nil
}
