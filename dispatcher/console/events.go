package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.smobi.com/outhook/dispatcher/curl"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// eventsOnPage bounds the events of a list, each of which comes with its payload.
const eventsOnPage = 25

// shownPayload bounds what is shown of a payload.
const shownPayload = 64 << 10

func (h *Handler) eventRoutes() {
	const one = "/console/brands/{brand}/events/{event}"
	h.on("GET /console/brands/{brand}/events", forBrand, (*visit).events)
	h.on("GET "+one, forBrand, (*visit).event)
	h.on("POST "+one+"/resend", forBrand, func(v *visit) error { return v.again("resent") })
	h.on("POST "+one+"/cancel", forBrand, func(v *visit) error { return v.again("cancelled") })
	h.on("POST "+one+"/curl", forBrand, (*visit).curl)
}

// eventRow is one event of a list.
type eventRow struct {
	webhook.Event
	States []stateCount
}

// stateCount is how many deliveries are in a state.
type stateCount struct {
	State webhook.State
	N     int
}

// Word is the state as people say it, Kind what style goes by.
func (s stateCount) Word() string { return stateWord(s.State) }

// Kind is good, busy, bad or off.
func (s stateCount) Kind() string { return stateKind(s.State) }

func stateWord(s webhook.State) string {
	if s == webhook.StateNotSent {
		return "not sent"
	}
	return string(s)
}

func stateKind(s webhook.State) string {
	switch s {
	case webhook.StateDelivered:
		return "good"
	case webhook.StateWaiting, webhook.StateRunning, webhook.StateRetrying:
		return "busy"
	case webhook.StateDead, webhook.StateExpired:
		return "bad"
	}
	return "off"
}

func statesOf(deliveries []webhook.Delivery) []stateCount {
	var counts []stateCount
	for _, d := range deliveries {
		at := slices.IndexFunc(counts, func(c stateCount) bool { return c.State == d.State })
		if at < 0 {
			counts, at = append(counts, stateCount{State: d.State}), len(counts)
		}
		counts[at].N++
	}
	slices.SortFunc(counts, func(a, b stateCount) int { return cmp.Compare(a.State, b.State) })
	return counts
}

func (v *visit) events() error {
	f, err := readFilter(v.r.URL.Query())
	if err != nil {
		return err
	}
	if f.Event != "" { // the form's way to one that is known
		return v.see(v.base() + "/events/" + f.Event)
	}
	after := v.r.FormValue("cursor")
	found, err := v.h.Service.Events(v.r.Context(), webhook.EventQuery{
		Brand: v.brand, Type: f.Type, Span: f.span, Slice: webhook.Slice{Limit: eventsOnPage, After: after},
	})
	if err != nil {
		return err
	}
	body := listView[eventRow]{First: after == "", Filter: f}
	for _, e := range found.Items {
		body.Items = append(body.Items, eventRow{e.Event, statesOf(e.Deliveries)})
	}
	if found.Next != "" {
		body.Next = f.query(found.Next)
	}
	for _, t := range v.h.Service.EventTypes() {
		body.Types = append(body.Types, t.Name)
	}
	return v.show("events", view{Title: "Events", Tab: "events", Body: body})
}

// eventView is one event: what it carries, and what became of it.
type eventView struct {
	webhook.Event
	// Body is the payload as people read it; BodyMore how many bytes of it are not shown.
	Body     string
	BodyMore int
	// Where is what became of it at each endpoint, what asks for a look first.
	Where    []explainedView
	Attempts []*attemptView
	// Curl is the command that was asked for, of CurlOf; CurlProblem why there is none.
	Curl, CurlOf, CurlProblem string
}

// explainedView is what became of an event at one endpoint.
type explainedView struct {
	webhook.Explained
	Word, Kind string
	// Open: it may be cancelled, or made due now.
	Open bool
}

// attention is the order of states: what asks for a look first, and what was never meant last.
var attention = []webhook.State{
	webhook.StateDead, webhook.StateExpired, webhook.StateRetrying, webhook.StateWaiting, webhook.StateRunning, webhook.StateNotSent,
	webhook.StateCancelled, webhook.StateDelivered, webhook.StateNone,
}

func (v *visit) eventRef() (webhook.EventRef, error) {
	ref := webhook.EventRef{Brand: v.brand, ID: v.r.PathValue("event")}
	if webhook.CheckID("event", ref.ID) != nil {
		return ref, webhook.ErrNotFound
	}
	return ref, nil
}

func (v *visit) eventViewOf(ref webhook.EventRef) (*eventView, error) {
	explained, err := v.h.Service.Explain(v.r.Context(), ref)
	if err != nil {
		return nil, err
	}
	attempts, err := v.findAttempts(v.r.Context(), filter{Event: ref.ID}, "")
	if err != nil {
		return nil, err
	}
	is := &eventView{Event: explained.Event, Attempts: attemptViews(attempts.Items)}
	is.Body, is.BodyMore = payloadText(explained.Event.Payload)
	rank := map[string]int{}
	for _, e := range explained.Endpoints {
		state := webhook.StateNone
		if e.Delivery != nil {
			state = e.Delivery.State
		}
		rank[e.EndpointID] = slices.Index(attention, state)
		where := explainedView{Explained: e, Word: stateWord(state), Kind: stateKind(state), Open: state.Open()}
		if state == webhook.StateNone {
			where.Word = "not meant"
		}
		is.Where = append(is.Where, where)
	}
	slices.SortStableFunc(is.Where, func(a, b explainedView) int { return cmp.Compare(rank[a.EndpointID], rank[b.EndpointID]) })
	return is, nil
}

// payloadText is a payload as people read it.
func payloadText(payload []byte) (text string, more int) {
	if len(payload) <= shownPayload {
		if text = indented(payload); len(text) <= 4*shownPayload {
			return text, 0
		}
	}
	shown := payload[:min(len(payload), shownPayload)]
	for !utf8.Valid(shown) && len(shown) > 0 {
		shown = shown[:len(shown)-1]
	}
	return string(shown), len(payload) - len(shown)
}

func (v *visit) event() error {
	ref, err := v.eventRef()
	if err != nil {
		return err
	}
	body, err := v.eventViewOf(ref)
	if err != nil {
		return err
	}
	notice := map[string]string{
		"resent":    "Sent once more: what was settled begins anew, and what waited for its retry is due now.",
		"cancelled": "Cancelled: what was open is attempted no more.",
	}[v.r.FormValue("done")]
	return v.show("event", view{Title: "Event", Tab: "events", Notice: notice, Body: body})
}

// again resends or cancels an event, or its delivery to the endpoint of the form.
func (v *visit) again(done string) error {
	ref, err := v.eventRef()
	if err != nil {
		return err
	}
	if err := v.post(); err != nil {
		return err
	}
	do := v.h.Service.Resend
	if done == "cancelled" {
		do = v.h.Service.Cancel
	}
	endpoint := v.sent.Get("endpoint")
	if endpoint != "" && webhook.CheckID("endpoint", endpoint) != nil {
		return webhook.ErrNotFound
	}
	if _, err := do(v.r.Context(), ref, endpoint); err != nil {
		return err
	}
	return v.see(v.base() + "/events/" + ref.ID + "?done=" + done)
}

// curl shows the POST of a delivery as a command, with the values of the endpoint's headers.
func (v *visit) curl() error {
	ref, err := v.eventRef()
	if err != nil {
		return err
	}
	if err := v.post(); err != nil {
		return err
	}
	endpoint := v.sent.Get("endpoint")
	if webhook.CheckID("endpoint", endpoint) != nil {
		return webhook.ErrNotFound
	}
	r, err := v.h.Service.SignedRequest(v.r.Context(), webhook.DeliveryRef{Brand: ref.Brand, EventID: ref.ID, EndpointID: endpoint})
	if err != nil {
		return err
	}
	body, err := v.eventViewOf(ref)
	if err != nil {
		return err
	}
	headers := make(map[string]string, len(r.Header))
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if body.Curl, err = curl.Command(r.URL, headers, string(r.Body)); err != nil {
		body.CurlProblem = fmt.Sprintf("There is no command: %v.", err)
	}
	body.CurlOf = endpoint
	return v.show("event", view{Title: "Event", Tab: "events", Body: body})
}
