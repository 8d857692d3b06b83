package monitor

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// formBytes bounds what is posted to sign in: no longer than a header with a key may be.
const formBytes = 16 << 10

//go:embed login.html
var loginTemplate string

//go:embed login.css
var loginStyle string

var loginPage = template.Must(template.New("login").Parse(loginTemplate))

// loginView is what the page shows: the form, or who is signed in.
type loginView struct {
	Style template.CSS
	Root  string
	// Next is the page that was asked for.
	Next string
	// Problem says why the key was not taken.
	Problem string
	// Foreign: a link of another site led here, with which no cookie comes (SameSite=Strict).
	Foreign bool
	Session *visit
}

// loginPolicy lets the page be itself, without scripts, and post to us.
var loginPolicy = "default-src 'none'; style-src 'sha256-" + hashOf(loginStyle) + "'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func hashOf(text string) string {
	hash := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(hash[:])
}

func (h *Handler) show(w http.ResponseWriter, status int, view loginView) {
	view.Style, view.Root = template.CSS(loginStyle), h.root // ours, whose hash the policy allows
	var page bytes.Buffer
	if err := loginPage.Execute(&page, view); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", loginPolicy)
	w.Header().Set("Referrer-Policy", "same-origin") // with no-referrer the form's own Origin would be "null"
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// askForKey answers a browser that asks for a page and is not signed in.
func (h *Handler) askForKey(w http.ResponseWriter, r *http.Request, err error) {
	status, problem := refusal(w, err, bearerChallenge)
	if status == http.StatusUnauthorized {
		problem = "" // nothing was wrong yet
	}
	h.show(w, status, loginView{Next: r.URL.RequestURI(), Problem: problem, Foreign: r.Header.Get("Sec-Fetch-Site") == "cross-site"})
}

// login shows who is signed in, or the form, and takes the form.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		is, err := h.signedIn(r)
		if err != nil {
			h.askForKey(w, r, err)
			return
		}
		h.show(w, http.StatusOK, loginView{Session: &is})
	case http.MethodPost:
		h.signIn(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "this path has no such method", http.StatusMethodNotAllowed)
	}
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	if err := r.ParseForm(); err != nil {
		status, text := http.StatusBadRequest, "this is no form"
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status, text = http.StatusRequestEntityTooLarge, "this is too long to be a key"
		}
		http.Error(w, text, status)
		return
	}
	id, err := "", webhook.ErrUnauthorized
	if key := strings.TrimSpace(r.PostForm.Get("key")); key != "" { // pasted with the end of its line
		id, err = h.cfg.AdminKey(r, key)
	}
	if err == nil { // which may go by what it remembers: no session begins that would not go on
		err = h.cfg.StillAdmin(r.Context(), id)
	}
	next := h.pageOf(r.PostForm.Get("next"))
	if err != nil {
		status, problem := refusal(w, err, bearerChallenge)
		if status == http.StatusUnauthorized {
			problem = "This is not an admin key, or it was revoked."
		}
		h.show(w, status, loginView{Next: next, Problem: problem})
		return
	}
	h.sessions.begin(w, r, id)
	see(w, next)
}

// logout forgets the session in the browser. There is nothing to forget here.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.login(w, r)
		return
	}
	h.sessions.end(w, r)
	see(w, h.root+"/login")
}

func see(w http.ResponseWriter, page string) {
	w.Header().Set("Location", page)
	w.WriteHeader(http.StatusSeeOther)
}

// pageOf returns a page of ours to go to, the first one for whatever is none. It is a path always, whatever else is in the text.
func (h *Handler) pageOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") {
		return h.root + "/"
	}
	below, ours := strings.CutPrefix(u.Path, h.root+"/")
	if !ours || below == "login" || below == "logout" || strings.HasPrefix(below, "api/") {
		return h.root + "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}
