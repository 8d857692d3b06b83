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
	t.line("disabled", plain(disabledText(e)))
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
	addTraffic(t, h.LastHour)
}

// disabledText says when an attempt disabled an endpoint, and what it brought; empty when none did.
func disabledText(e httpapi.Endpoint) string {
	text := moment(e.DisabledAt)
	switch _, err := strconv.Atoi(e.DisabledAnswer); {
	case text == "" || e.DisabledAnswer == "":
		return text
	case err != nil:
		return text + ", no answer: " + e.DisabledAnswer
	}
	return text + ", answered " + e.DisabledAnswer
}

// addTraffic adds what the attempts of the last hour came to.
func addTraffic(t *table, h httpapi.Traffic) {
	attempts := "attempts"
	switch h.Attempts {
	case 0:
		t.line("last hour", plain("no attempts"))
		return
	case 1:
		attempts = "attempt"
	}
	t.line("last hour", plain(fmt.Sprintf("%d %s, %s delivered", h.Attempts, attempts, share(h.Delivered, h.Attempts))))
	t.line("took", plain(fmt.Sprintf("%s on average, at most %s", milliseconds(h.MeanMs), milliseconds(h.MaxMs))))
	busy := "under 0.01"
	if h.Busy >= 0.01 {
		busy = strconv.FormatFloat(h.Busy, 'f', 2, 64)
	}
	t.line("busy", plain(busy+" in flight on average"))
}

// share is in percent, and neither none nor all unless it is.
func share(part, whole int) string {
	percent := 100 * float64(part) / float64(max(part, whole, 1))
	switch {
	case part > 0 && percent < 0.1:
		return "under 0.1 %"
	case part < whole && percent > 99.9:
		return "over 99.9 %"
	}
	return strconv.FormatFloat(percent, 'f', 1, 64) + " %"
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
