package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

var (
	//go:embed pages/*.html
	pageFiles embed.FS
	//go:embed static/*.css static/*.js
	staticFiles embed.FS
)

// view is what a page shows; the first fields are the page's to say.
type view struct {
	Title string
	// Tab is the part of the brand's pages that this one is of.
	Tab string
	// Status of the answer; 0 is 200.
	Status int
	// Notice says what was done, Problem what could not be.
	Notice, Problem string
	Body            any
	// Refresh is a page to go to at once.
	Refresh string

	// Root is the path of the console, Base that of the brand's pages, and Here that of this page with its query.
	Root, Base, Here, Brand string
	Operator, CanSignOut    bool
	Asynqmon                string
}

// pages are the templates by name, each with the frame around it.
type pages map[string]*template.Template

func parsePages(static files) pages {
	words := words()
	words["asset"] = static.name
	frame := template.Must(template.New("frame.html").Funcs(words).ParseFS(pageFiles, "pages/frame.html", "pages/parts.html"))
	found := pages{}
	names, _ := fs.Glob(pageFiles, "pages/*.html") // the pattern is good
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		if page != "frame" && page != "parts" {
			found[page] = template.Must(template.Must(frame.Clone()).ParseFS(pageFiles, name))
		}
	}
	return found
}

// show answers a page.
func (v *visit) show(page string, is view) error {
	is.Root, is.Brand, is.Here = v.root, v.brand, v.root+strings.TrimPrefix(v.r.URL.RequestURI(), "/console")
	is.Base = v.root + v.base()
	is.Operator = v.known && v.who.Brand == ""
	is.CanSignOut, is.Asynqmon = !v.who.until.IsZero() && !v.who.link, v.h.Asynqmon
	if is.Status == 0 {
		is.Status = http.StatusOK
	}
	var text bytes.Buffer
	if err := v.h.pages[page].Execute(&text, is); err != nil {
		v.h.Logger.ErrorContext(v.r.Context(), "console page failed", "page", page, "error", err)
		http.Error(v.w, "the page could not be made", http.StatusInternalServerError)
		return nil
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(is.Status)
	_, _ = v.w.Write(text.Bytes())
	return nil
}

// files are those that pages load, by the name that has a hash of their content in it, so that browsers keep them.
type files struct {
	content map[string][]byte
	// names are those with the hash by those without.
	names map[string]string
}

func readFiles() files {
	found := files{map[string][]byte{}, map[string]string{}}
	entries, _ := staticFiles.ReadDir("static") // is embedded
	for _, entry := range entries {
		content, _ := staticFiles.ReadFile("static/" + entry.Name())
		hash := sha256.Sum256(content)
		ext := path.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(hash[:6]) + ext
		found.content[name], found.names[entry.Name()] = content, name
	}
	return found
}

func (f files) name(plain string) string { return f.names[plain] }

func (f files) serve(w http.ResponseWriter, r *http.Request) {
	content, ok := f.content[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, r.PathValue("name"), time.Time{}, bytes.NewReader(content))
}
