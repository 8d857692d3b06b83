package main

import (
	"fmt"
	"strconv"
	"strings"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func jobTable(jobs []httpapi.Job) *table {
	t := newTable("STARTED", "ID", "KIND", "BRAND", "ENDPOINT", "STATE", "MATCHED", "DELIVERED", "DEAD", "SKIPPED", "DELETED", "OPEN")
	for _, j := range jobs {
		t.add(plain(moment(j.StartedAt)), plain(j.ID), plain(j.Kind), plain(j.Brand), plain(j.EndpointID), state(j.State),
			count(j.Matched), count(j.Delivered), count(j.Dead), count(j.Skipped), count(j.Deleted), count(j.Open))
	}
	return t
}

// begunTable is a job that has nothing to account for yet.
func begunTable(j httpapi.Job) *table {
	t := newTable("ID", "KIND", "BRAND", "ENDPOINT", "STATE")
	t.add(plain(j.ID), plain(j.Kind), plain(j.Brand), plain(j.EndpointID), state(j.State))
	return t
}

func jobCard(j httpapi.Job) *table {
	t := newCard()
	t.line("id", plain(j.ID))
	t.line("kind", plain(j.Kind))
	t.line("brand", plain(j.Brand))
	t.line("endpoint", plain(j.EndpointID))
	t.line("since", plain(moment(j.Since)))
	t.line("until", plain(moment(j.Until)))
	if j.PerSecond > 0 {
		t.line("pace", plain(strconv.FormatFloat(j.PerSecond, 'f', -1, 64)+" a second"))
	}
	t.line("state", state(j.State))
	t.line("started", plain(moment(j.StartedAt)))
	t.line("finished", plain(moment(j.FinishedAt)))
	for _, e := range account(j) {
		t.line(e.name, count(e.n))
	}
	return t
}

// entry is one of an account.
type entry struct {
	name string
	n    int
}

// account is what a job did: the first entry is the sum of the others. What its kind does not do is left out, unless it did.
func account(j httpapi.Job) []entry {
	sends := j.Kind != string(webhook.JobDelete) && j.Kind != string(webhook.JobErase)
	all := []entry{{"matched", j.Matched}}
	for _, e := range []struct {
		entry
		usual bool
	}{
		{entry{"delivered", j.Delivered}, sends}, {entry{"dead", j.Dead}, sends}, {entry{"skipped", j.Skipped}, sends},
		{entry{"deleted", j.Deleted}, !sends}, {entry{"open", j.Open}, sends},
	} {
		if e.usual || e.n > 0 {
			all = append(all, e.entry)
		}
	}
	return all
}

// accountLine says it in a line.
func accountLine(j httpapi.Job) string {
	var parts []string
	for _, e := range account(j) {
		parts = append(parts, fmt.Sprintf("%s: %d", e.name, e.n))
	}
	return strings.Join(parts, ", ")
}
