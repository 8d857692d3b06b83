package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// endpointsOnPage is as many as a brand may usually have.
	endpointsOnPage = 50
	// deadCounted bounds how many dead letters are counted for a page.
	deadCounted = 100
)

// overviewView is how a brand is doing.
type overviewView struct {
	Sum  webhook.BrandHealth
	Dead deadCount
	// Endpoints are those of the page, what asks for a look first.
	Endpoints []endpointRow
	pager
	Rehearsal Rehearsal
}

// endpointRow is one endpoint and how it is doing.
type endpointRow struct {
	webhook.Endpoint
	Health webhook.Health
	Mood   mood
}

// mood is how an endpoint is doing in a word. Kind is good, busy, bad or off, which style goes by.
type mood struct {
	Word, Kind, Why string
	Until           time.Time
}

func moodOf(e webhook.Endpoint, h webhook.Health) mood {
	switch {
	case e.DisabledReason == webhook.DisabledGone:
		return mood{Word: "Disabled", Kind: "off", Why: "it answered 410 Gone"}
	case e.DisabledReason == webhook.DisabledFailing:
		return mood{Word: "Disabled", Kind: "off", Why: "nothing but failures for a long time"}
	case e.DisabledReason != "":
		return mood{Word: "Disabled", Kind: "off"}
	case h.Breaker == webhook.BreakerOpen:
		return mood{Word: "Failing", Kind: "bad", Why: "breaker open until", Until: h.OpenUntil}
	case h.Breaker == webhook.BreakerHalfOpen:
		return mood{Word: "Failing", Kind: "bad", Why: "one is let through, to see"}
	case h.WaitingFor == webhook.GateRetryAfter:
		return mood{Word: "Paused", Kind: "busy", Why: "it asked for a pause, until", Until: h.WaitingUntil}
	case h.LastHour.Attempts > 0 && h.LastHour.Delivered < h.LastHour.Attempts:
		return mood{Word: "Retrying", Kind: "busy", Why: share(h.LastHour.Attempts-h.LastHour.Delivered, h.LastHour.Attempts) + " failed in the last hour"}
	case h.LastHour.Attempts == 0:
		return mood{Word: "Quiet", Kind: "quiet", Why: "no attempt in the last hour"}
	}
	return mood{Word: "Healthy", Kind: "good"}
}

func (m mood) rank() int {
	return slices.Index([]string{"bad", "off", "busy", "good", "quiet"}, m.Kind)
}

// deadCount is how many dead letters there are, as far as they were counted.
type deadCount struct {
	N    int
	More bool
}

// pager is a place in a list that is there as a whole.
type pager struct {
	// Number is the page, from 1, of Pages.
	Number, Pages int
}

// pagerOf reads the page that was asked for.
func pagerOf(r *http.Request, items, most int) (p pager, from, to int) {
	p.Pages = max(1, (items+most-1)/most)
	p.Number, _ = strconv.Atoi(r.FormValue("page")) // 0 for none
	p.Number = min(max(1, p.Number), p.Pages)
	from = (p.Number - 1) * most
	return p, from, min(items, from+most)
}

func (v *visit) overview() error {
	rows, sum, err := v.endpointRows()
	if err != nil {
		return err
	}
	dead, err := v.countDead()
	if err != nil {
		return err
	}
	body := overviewView{Sum: sum, Dead: dead, Rehearsal: v.rehearsal()}
	var from, to int
	body.pager, from, to = pagerOf(v.r, len(rows), endpointsOnPage)
	body.Endpoints = rows[from:to]
	return v.show("overview", view{Title: "Endpoints", Tab: "overview", Notice: doings[v.r.FormValue("done")], Body: body})
}

// endpointRows are all endpoints of the brand, what asks for a look first, and how they are doing together.
func (v *visit) endpointRows() (rows []endpointRow, sum webhook.BrandHealth, err error) {
	endpoints, err := v.h.Service.Endpoints(v.r.Context(), v.brand)
	if err != nil {
		return nil, sum, err
	}
	refs := make([]webhook.EndpointRef, len(endpoints))
	for i, e := range endpoints {
		refs[i] = e.Ref()
	}
	all, err := v.h.Service.Health(v.r.Context(), refs)
	if err != nil {
		return nil, sum, err
	}
	rows = make([]endpointRow, len(endpoints))
	for i, e := range endpoints {
		rows[i] = endpointRow{e, all[i], moodOf(e, all[i])}
		sum.Add(all[i], e.DisabledReason != "")
	}
	slices.SortFunc(rows, func(a, b endpointRow) int {
		return cmp.Or(cmp.Compare(a.Mood.rank(), b.Mood.rank()), cmp.Compare(a.ID, b.ID))
	})
	return rows, sum, nil
}

func (v *visit) countDead() (deadCount, error) { return countDead(v.r.Context(), v.h.Service, v.brand) }

// countDead counts so far and no further.
func countDead(ctx context.Context, s Service, brand string) (deadCount, error) {
	found, err := s.DeadLetters(ctx, webhook.DeadLetterQuery{Brand: brand, Slice: webhook.Slice{Limit: deadCounted}})
	return deadCount{len(found.Items), found.Next != ""}, err
}
