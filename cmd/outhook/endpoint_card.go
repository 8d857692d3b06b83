package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
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
	t.line("in flight", plain(fmt.Sprintf("%d of %d at most", h.InFlight, h.Limit)))
	t.line("waiting", count(h.Waiting))
	t.line("retrying", count(h.Retrying))
	t.line("oldest waiting", plain(moment(h.OldestWaitingAt)))
}

func orDefault(text string, isDefault bool) string {
	if isDefault {
		return "default"
	}
	return text
}

func milliseconds(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }
