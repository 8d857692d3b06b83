package console

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// loginView is the form.
type loginView struct {
	// Next is the page that was asked for.
	Next string
	// Foreign: a link of another site led here, with which no cookie comes (SameSite=Strict).
	Foreign bool
	// Framed: it is in a frame, where people come by links.
	Framed bool
}

// turnAway answers who is not known, or of whom that could not be found out.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Refresh", "true") // a part of a page is no place for the form
	}
	v := &visit{h: h, w: w, r: r, root: rootOf(r)}
	switch {
	case errors.Is(err, webhook.ErrBusy), errors.Is(err, webhook.ErrUnavailable):
		v.refuse(err)
	case h.Key == nil:
		h.fail(w, r, http.StatusUnauthorized, "You are not signed in, or may not see this.")
	default:
		next := ""
		if r.Method == http.MethodGet {
			next = r.RequestURI
		}
		foreign := r.Header.Get("Sec-Fetch-Site") == "cross-site"
		_ = v.show("login", view{Title: "Sign in", Status: http.StatusUnauthorized, Body: loginView{Next: v.pageOf(next), Foreign: foreign, Framed: r.Header.Get("Sec-Fetch-Dest") == "iframe"}})
	}
}

func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request) {
	v := &visit{h: h, w: w, r: r, root: rootOf(r)}
	if _, err := h.visitorOf(r); err == nil {
		_ = v.see("/")
		return
	}
	_ = v.show("login", view{Title: "Sign in", Body: loginView{Next: v.root + "/"}})
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	v := &visit{h: h, w: w, r: r, root: rootOf(r)}
	if err := r.ParseForm(); err != nil {
		v.refuse(badForm(err))
		return
	}
	who, err := webhook.Identity{}, webhook.ErrUnauthorized
	if key := strings.TrimSpace(r.PostForm.Get("key")); key != "" { // pasted with the end of its line
		who, err = h.Key(r, key)
	}
	next := v.pageOf(r.PostForm.Get("next"))
	switch {
	case errors.Is(err, webhook.ErrUnauthorized):
		_ = v.show("login", view{
			Title: "Sign in", Status: http.StatusUnauthorized, Problem: "This is not an API key, or it was revoked.", Body: loginView{Next: next},
		})
	case err != nil:
		v.refuse(err)
	default:
		h.begin(w, r, who)
		w.Header().Set("Location", next)
		w.WriteHeader(http.StatusSeeOther)
	}
}

// badForm tells a body that is too large from one that is no form.
func badForm(err error) error {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return err
	}
	return webhook.Invalid("form", "must be one")
}

// signOut forgets the session in the browser. There is nothing to forget here.
func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	h.setCookie(w, r, "", -1)
	_ = (&visit{h: h, w: w, r: r, root: rootOf(r)}).see("/login")
}

// pageOf returns a page of ours to go to, the first one for whatever is none.
func (v *visit) pageOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() || u.Host != "" || path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") {
		return v.root + "/"
	}
	below, ours := strings.CutPrefix(u.Path, v.root+"/")
	if !ours || below == "login" || below == "logout" {
		return v.root + "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

// start leads to where somebody begins: a brand to its pages, an operator to the brands.
func (v *visit) start() error {
	if v.who.Brand != "" {
		return v.see("/brands/" + v.who.Brand + "/")
	}
	return v.operator()
}
