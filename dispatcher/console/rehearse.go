package console

import (
	"context"
	"slices"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Rehearsal is a receiver of our own whose behaviour is switched from the page of its brand, to see what happens then. Safe
// for concurrent use.
type Rehearsal interface {
	// Brand is the one whose endpoints lead to it.
	Brand() string
	// Behaviours are all that it can do; Behaviour is one of them, and what it does now.
	Behaviours() []string
	Behaviour() string
	// Behave changes that, to one of Behaviours.
	Behave(how string)
	// Publish publishes some events for it.
	Publish(ctx context.Context) error
}

func (h *Handler) rehearsalRoutes() {
	if h.Rehearsal != nil {
		h.on("POST /console/brands/{brand}/rehearse", forBrand, (*visit).rehearse)
	}
}

// rehearsal is that of the brand; nil where it has none.
func (v *visit) rehearsal() Rehearsal {
	if r := v.h.Rehearsal; r != nil && r.Brand() == v.brand {
		return r
	}
	return nil
}

// rehearse switches the receiver, or publishes for it.
func (v *visit) rehearse() error {
	r := v.rehearsal()
	if r == nil {
		return webhook.ErrNotFound
	}
	if err := v.post(); err != nil {
		return err
	}
	how := v.sent.Get("how")
	switch {
	case how == "":
		if err := r.Publish(v.r.Context()); err != nil {
			return err
		}
		return v.see(v.base() + "/?done=published")
	case !slices.Contains(r.Behaviours(), how):
		return webhook.Invalid("how", "must be one of the buttons")
	}
	r.Behave(how)
	return v.see(v.base() + "/")
}
