package console

import (
	"net/http"
	"net/url"
	"time"

	"go.smobi.com/outhook/dispatcher/session"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// MaxLink is how long a link may be good.
const MaxLink = 7 * 24 * time.Hour

// NewLink returns what opens the console for one brand and nothing else, for ttl from now, whoever has it and however
// often: a path and query below the server's URL, "/console/enter?link=…". Nothing of it is kept, and it cannot be taken
// back but by another secret. secret is the [Config.Secret] of that server; ttl is 1 s to MaxLink. Errors are
// [webhook.FieldError]s of "brand" and "ttl".
func NewLink(secret []byte, brand string, ttl time.Duration) (string, error) {
	if err := webhook.CheckID("brand", brand); err != nil {
		return "", err
	}
	if ttl < time.Second || ttl > MaxLink {
		return "", webhook.Invalid("ttl", "must be 1s to %s", MaxLink)
	}
	return "/console/enter?link=" + url.QueryEscape(linksOf(secret).Sign(brand, time.Now().Add(ttl))), nil
}

func linksOf(secret []byte) session.Signer { return session.New(secret, "console link") }

// enter begins the session of a link, and goes on by a page of our own: a redirect would be the other site's still, with
// which the browser sends no cookie of ours.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer") // the link is in the address
	brand, until, ok := h.links.Read(r.FormValue("link"))
	if !ok {
		h.fail(w, r, http.StatusForbidden, "This link is over, or not whole. Ask for a new one where you got it.")
		return
	}
	v := &visit{h: h, w: w, r: r, root: rootOf(r)}
	http.SetCookie(w, h.linkCookie(r, v.root, brand, until))
	_ = v.show("enter", view{Title: "Opening the console", Refresh: v.root + "/brands/" + brand + "/"})
}

// linkCookie is for the brand's pages alone. In the frame of another site it needs to be sent there, and is that site's alone.
func (h *Handler) linkCookie(r *http.Request, root, brand string, until time.Time) *http.Cookie {
	c := &http.Cookie{
		Name: cookieName, Value: h.sessions.Sign(byLink+".."+brand, until), Path: root + "/brands/" + brand + "/",
		MaxAge: max(1, int(time.Until(until).Seconds())), HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r),
	}
	if framed(h.FrameAncestors) {
		c.SameSite, c.Secure, c.Partitioned = http.SameSiteNoneMode, true, true
	}
	return c
}
