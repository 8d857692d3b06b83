package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (h *Handler) deadLetterRoutes() {
	h.on("GET /console/brands/{brand}/dead-letters", forBrand, (*visit).deadLetters)
	h.on("POST /console/brands/{brand}/dead-letters", forBrand, (*visit).doWithDeadLetters)
}

// deadRow is one dead letter.
type deadRow struct {
	webhook.DeadLetter
	Last *attemptView
	// Why it was given up, in words.
	Why string
}

func deathText(reason webhook.DeathReason) string {
	texts := map[webhook.DeathReason]string{
		webhook.DeathMaxAge: "too old to be attempted again", webhook.DeathMaxAttempts: "all attempts made", webhook.DeathGone: "410 Gone",
		webhook.DeathBlocked: "address not allowed", webhook.DeathPanic: "our own failure", webhook.DeathBodyMissing: "payload no longer kept",
	}
	return cmp.Or(texts[reason], string(reason))
}

func (v *visit) deadLetters() error {
	f, err := readFilter(v.r.URL.Query())
	if err != nil {
		return err
	}
	return v.showDeadLetters(f, "")
}

func (v *visit) showDeadLetters(f filter, problem string) error {
	after := v.r.URL.Query().Get("cursor")
	found, err := v.h.Service.DeadLetters(v.r.Context(), webhook.DeadLetterQuery{
		Brand: v.brand, EndpointID: f.Endpoint, Span: f.span, Slice: webhook.Slice{Limit: rowsOnPage, After: after},
	})
	if err != nil {
		return err
	}
	body := listView[deadRow]{First: after == "", Filter: f}
	for _, d := range found.Items {
		row := deadRow{DeadLetter: d, Why: deathText(d.Delivery.DeathReason)}
		if d.LastAttempt != nil {
			row.Last = attemptViewOf(*d.LastAttempt)
		}
		body.Items = append(body.Items, row)
	}
	if found.Next != "" {
		body.Next = f.query(found.Next)
	}
	if body.Endpoints, err = v.endpointIDs(); err != nil {
		return err
	}
	is := view{Title: "Dead letters", Tab: "dead", Problem: problem, Body: body}
	if problem != "" {
		is.Status = http.StatusUnprocessableEntity
	}
	return v.show("deadletters", is)
}

// deletionView is what is to be deleted, once that is confirmed.
type deletionView struct {
	// Selected counts the dead letters that were picked; 0 is all that fit the filter.
	Selected int
	Filter   filter
	// Form is all that was sent, to be sent again.
	Form url.Values
}

// doWithDeadLetters resends or deletes those that were picked, or all that fit the filter, as jobs: one an endpoint.
func (v *visit) doWithDeadLetters() error {
	if err := v.post(); err != nil {
		return err
	}
	form := v.sent
	f, err := readFilter(form)
	if err != nil {
		return err
	}
	do, which, _ := strings.Cut(form.Get("do"), " ")
	kind, ok := map[string]webhook.JobKind{"resend": webhook.JobResend, "delete": webhook.JobDelete}[do]
	if !ok {
		return webhook.Invalid("do", "must be resend or delete")
	}
	spec := webhook.JobSpec{Kind: kind, Brand: v.brand, EndpointID: f.Endpoint, Span: f.span}
	if spec.PerSecond, err = paceOf(form.Get("perSecond")); err != nil {
		return v.showDeadLetters(f, err.Error())
	}
	specs := []webhook.JobSpec{spec}
	if which != "all" {
		if specs = pickedOf(spec, form["picked"]); len(specs) == 0 {
			return v.showDeadLetters(f, "Pick dead letters first, or take all that fit.")
		}
	}
	if kind == webhook.JobDelete && form.Get("confirmed") == "" {
		body := deletionView{Filter: f, Form: form}
		if which != "all" {
			body.Selected = len(form["picked"])
		}
		return v.show("deletion", view{Title: "Delete dead letters", Tab: "dead", Body: body})
	}
	return v.startJobs(specs)
}

// pickedOf are the jobs for dead letters that were picked, as "endpoint/event": one for each endpoint.
func pickedOf(spec webhook.JobSpec, picked []string) []webhook.JobSpec {
	events := map[string][]string{}
	for _, text := range picked {
		if endpoint, event, ok := strings.Cut(text, "/"); ok {
			events[endpoint] = append(events[endpoint], event)
		}
	}
	var specs []webhook.JobSpec
	for _, endpoint := range slices.Sorted(maps.Keys(events)) {
		one := spec
		one.EndpointID, one.EventIDs, one.Span = endpoint, events[endpoint], webhook.Span{}
		specs = append(specs, one)
	}
	return specs
}

// paceOf reads how many a second; 0 for none.
func paceOf(text string) (float64, error) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, nil
	}
	pace, err := strconv.ParseFloat(text, 64)
	if err != nil || !(pace > 0) { // NaN too
		return 0, webhook.Invalid("perSecond", "must be a number above 0, or empty")
	}
	return pace, nil
}
