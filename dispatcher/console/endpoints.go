package console

import (
	"errors"
	"net/http"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (h *Handler) endpointRoutes() {
	const one = "/console/brands/{brand}/endpoints/{id}"
	h.on("GET /console/brands/{brand}/endpoints/new", forBrand, (*visit).newEndpoint)
	h.on("POST /console/brands/{brand}/endpoints/new", forBrand, (*visit).createEndpoint)
	h.on("POST /console/brands/{brand}/check", forBrand, (*visit).check)
	h.on("GET /console/brands/{brand}/verify", forBrand, (*visit).verify)
	h.on("GET "+one, forBrand, (*visit).endpoint)
	h.on("GET "+one+"/edit", forBrand, (*visit).editEndpoint)
	h.on("POST "+one+"/edit", forBrand, (*visit).updateEndpoint)
	h.on("POST "+one+"/enable", forBrand, func(v *visit) error { return v.able(true) })
	h.on("POST "+one+"/disable", forBrand, func(v *visit) error { return v.able(false) })
	h.on("GET "+one+"/delete", forBrand, (*visit).askToDelete)
	h.on("POST "+one+"/delete", forBrand, (*visit).deleteEndpoint)
	h.on("GET "+one+"/rotate", forBrand, (*visit).askToRotate)
	h.on("POST "+one+"/rotate", forBrand, (*visit).rotate)
	h.on("POST "+one+"/test", forBrand, (*visit).test)
}

// endpointView is one endpoint.
type endpointView struct {
	endpointRow
	Signing signingView
	// Wants are the types that a test may send.
	Wants []string
	// Tested is the attempt of a test that was just made, TestProblem why there is none.
	Tested      *attemptView
	TestProblem string
}

// ref names the endpoint of the path. Errors: [webhook.ErrNotFound] for what cannot be one.
func (v *visit) ref() (webhook.EndpointRef, error) {
	ref := webhook.EndpointRef{Brand: v.brand, ID: v.r.PathValue("id")}
	if webhook.CheckID("id", ref.ID) != nil {
		return ref, webhook.ErrNotFound
	}
	return ref, nil
}

// theEndpoint is that of the path, as it stands.
func (v *visit) theEndpoint() (webhook.Endpoint, error) {
	ref, err := v.ref()
	if err != nil {
		return webhook.Endpoint{}, err
	}
	return v.h.Service.Endpoint(v.r.Context(), ref)
}

func (v *visit) viewOf(e webhook.Endpoint) (endpointView, error) {
	health, err := v.h.Service.Health(v.r.Context(), []webhook.EndpointRef{e.Ref()})
	if err != nil {
		return endpointView{}, err
	}
	is := endpointView{endpointRow: endpointRow{e, health[0], moodOf(e, health[0])}, Signing: signingOf(e)}
	for _, t := range v.h.Service.EventTypes() {
		if e.Wants(t.Name) {
			is.Wants = append(is.Wants, t.Name)
		}
	}
	return is, nil
}

// doings are what pages say was done when they are led to.
var doings = map[string]string{
	"saved": "Saved. It is in force for the next attempt of every delivery.", "enabled": "Enabled: what waited goes on.",
	"disabled": "Disabled: deliveries wait until it is enabled again.", "deleted": "Deleted. What was open for it is cancelled.", "published": "Published: a sample of each event type.",
}

func (v *visit) endpoint() error {
	e, err := v.theEndpoint()
	if err != nil {
		return err
	}
	body, err := v.viewOf(e)
	if err != nil {
		return err
	}
	return v.show("endpoint", view{Title: e.ID, Tab: "overview", Notice: doings[v.r.FormValue("done")], Body: body})
}

func (v *visit) newEndpoint() error {
	return v.showForm(formOf(webhook.Endpoint{ID: webhook.NewID(webhook.EndpointPrefix), Purpose: webhook.PurposeStatus}), false, nil)
}

func (v *visit) editEndpoint() error {
	e, err := v.theEndpoint()
	if err != nil {
		return err
	}
	return v.showForm(formOf(e), true, nil)
}

// showForm shows the form, again where something in it was wrong.
func (v *visit) showForm(f endpointForm, stands bool, wrong error) error {
	f.Stands, f.Catalogue = stands, catalogueOf(v.h.Service.EventTypes())
	is := view{Title: "New endpoint", Tab: "overview", Body: &f}
	if stands {
		is.Title = "Edit " + f.ID
	}
	if wrong != nil {
		field, invalid := errors.AsType[*webhook.FieldError](wrong)
		if !invalid && !errors.Is(wrong, webhook.ErrConflict) && !errors.Is(wrong, webhook.ErrLimit) {
			return wrong
		}
		is.Status, is.Problem = refusal(wrong)
		if invalid {
			f.Wrong = inputOf(field.Field)
			is.Problem = f.labelled(field)
		}
	}
	return v.show("form", is)
}

func (v *visit) createEndpoint() error {
	if err := v.post(); err != nil {
		return err
	}
	f := readForm(v.sent)
	e := webhook.Endpoint{ID: f.ID, Brand: v.brand, Signature: f.Signature}
	if err := f.apply(&e); err != nil {
		return v.showForm(f, false, err)
	}
	stored, created, err := v.h.Service.CreateEndpoint(v.r.Context(), e)
	if err != nil {
		return v.showForm(f, false, err)
	}
	if !created { // the same form again: its secret was shown
		return v.see(v.base() + "/endpoints/" + stored.ID)
	}
	return v.showSecret(stored, http.StatusCreated)
}

func (v *visit) updateEndpoint() error {
	ref, err := v.ref()
	if err != nil {
		return err
	}
	if err := v.post(); err != nil {
		return err
	}
	f := readForm(v.sent)
	f.ID = ref.ID
	if _, err := v.h.Service.UpdateEndpoint(v.r.Context(), ref, f.change); err != nil {
		return v.showForm(f, true, err)
	}
	return v.see(v.base() + "/endpoints/" + ref.ID + "?done=saved")
}

func (v *visit) able(enable bool) error {
	ref, err := v.ref()
	if err != nil {
		return err
	}
	_, err = v.h.Service.UpdateEndpoint(v.r.Context(), ref, func(e *webhook.Endpoint) error {
		switch {
		case enable:
			e.DisabledReason, e.DisabledAt, e.DisabledAnswer = "", time.Time{}, ""
		case e.DisabledReason == "":
			e.DisabledReason = webhook.DisabledManually
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.see(v.base() + "/endpoints/" + ref.ID + "?done=" + map[bool]string{true: "enabled", false: "disabled"}[enable])
}

func (v *visit) askToDelete() error { return v.ask("delete", "Delete ") }

// ask shows a page about the endpoint that is to be sure of something; its title begins so.
func (v *visit) ask(page, title string) error {
	e, err := v.theEndpoint()
	if err != nil {
		return err
	}
	body, err := v.viewOf(e)
	if err != nil {
		return err
	}
	return v.show(page, view{Title: title + e.ID, Tab: "overview", Body: body})
}

func (v *visit) deleteEndpoint() error {
	ref, err := v.ref()
	if err != nil {
		return err
	}
	if err := v.h.Service.DeleteEndpoint(v.r.Context(), ref); err != nil {
		return err
	}
	return v.see(v.base() + "/?done=deleted")
}
