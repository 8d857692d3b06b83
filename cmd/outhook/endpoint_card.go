package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// endpointCard shows everything of an endpoint, what is not there left out.
func endpointCard(e httpapi.Endpoint) *table {
	t := newCard()
	t.line("id", plain(e.ID))
	t.line("url", plain(e.URL))
	t.line("wants", plain(wants(e)))
	t.line("state", endpointState(e))
	t.line("description", plain(e.Description))
	for _, name := range slices.Sorted(maps.Keys(e.Metadata)) {
		t.line("metadata", plain(name+"="+e.Metadata[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		t.line("header", plain(name+": "+e.Headers[name]))
	}
	t.line("rate limit", plain(rateText(e.RateLimit)))
	t.line("max in flight", plain(orDefault(strconv.Itoa(e.MaxInFlight), e.MaxInFlight == 0)))
	t.line("timeout", plain(orDefault(milliseconds(e.TimeoutMs), e.TimeoutMs == 0)))
	addSecrets(t, e)
	t.line("created", plain(moment(e.CreatedAt)))
	t.line("updated", plain(moment(e.UpdatedAt)))
	if e.Health != nil {
		addHealth(t, *e.Health)
	}
	return t
}

// addSecrets adds what signs. The secret itself is there when it is new.
func addSecrets(t *table, e httpapi.Endpoint) {
	t.line("signature", plain(e.Signature))
	t.line("secret", plain(e.Secret))
	if e.Secret == "" && e.SecretHint != "" {
		t.line("secret", plain("…"+e.SecretHint))
	}
	t.line("public key", plain(e.PublicKey))
	for _, old := range e.OldSecrets {
		t.line("old secret", plain("…"+old.SecretHint+", signs until "+moment(old.EndsAt)))
	}
}

func addHealth(t *table, h httpapi.EndpointHealth) {
	if h.Breaker != string(webhook.BreakerClosed) {
		t.line("breaker", words{h.Breaker + until(h.OpenUntil), stateColour("dead")})
	}
	t.line("in flight", plain(fmt.Sprintf("%d of %d at most", h.InFlight, h.Limit)))
	t.line("waiting", count(h.Waiting))
	if h.WaitingFor != "" {
		t.line("waits for", plain(h.WaitingFor+until(h.WaitingUntil)))
	}
	t.line("retrying", count(h.Retrying))
	t.line("oldest waiting", plain(moment(h.OldestWaitingAt)))
}

// until is empty for no time.
func until(at httpapi.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", until " + moment(at)
}

func rateText(limit *httpapi.RateLimit) string {
	if limit == nil {
		return ""
	}
	text := strconv.FormatFloat(limit.PerSecond, 'f', -1, 64) + " a second"
	if limit.Burst > 1 {
		text += ", at most " + strconv.Itoa(limit.Burst) + " at once"
	}
	return text
}

func orDefault(text string, isDefault bool) string {
	if isDefault {
		return "default"
	}
	return text
}

func milliseconds(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }
