package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const eventsPath = "GET /v1/brands/acme/events"

// keptEvent is an event in the API's own bytes.
const keptEvent = `{"id":"e1","type":"message.read","brand":"acme","publishedAt":"2026-03-01T09:00:00.000Z",` +
	`"payload":` + oddPayload + `,"deliveries":[` +
	`{"eventId":"e1","endpointId":"ep_a","state":"delivered","attempts":1,"updatedAt":"2026-03-01T09:00:00.010Z"},` +
	`{"eventId":"e1","endpointId":"ep_b","state":"waiting","waitingFor":"slot","position":7,"attempts":0,"updatedAt":"2026-03-01T09:00:00.000Z"},` +
	`{"eventId":"e1","endpointId":"ep_c","state":"retrying","attempts":3,"nextAttemptAt":"2026-03-01T09:05:00.000Z","updatedAt":"2026-03-01T09:01:00.000Z"},` +
	`{"eventId":"e1","endpointId":"ep_d","state":"dead","attempts":1,"deathReason":"gone","updatedAt":"2026-03-01T09:02:00.000Z"}]}` + "\n"

// forgottenEvent has neither a payload nor deliveries any more.
const forgottenEvent = `{"id":"e2","type":"message.failed","brand":"acme","publishedAt":"2026-03-01T08:00:00.000Z",` +
	`"expiresAt":"2026-03-01T10:00:00.000Z","payload":null,"deliveries":[]}` + "\n"

func eventList(cursor string) string {
	return `{"items":[` + strings.TrimSuffix(keptEvent, "\n") + "," + strings.TrimSuffix(forgottenEvent, "\n") + `],"nextCursor":` + cursor + "}\n"
}

func TestEventList(t *testing.T) {
	t.Parallel()
	p := playText(t, eventList("null"))
	want := `TIME                      ID  TYPE            ENDPOINTS
2026-03-01T09:00:00.000Z  e1  message.read    1 delivered, 1 waiting, 1 retrying, 1 dead
2026-03-01T08:00:00.000Z  e2  message.failed  none
`
	p.run(t, "event", "list", "--brand=acme").prints(t, want)
	p.run(t, "event", "list", "--brand=acme", "-o=json").prints(t, eventList("null")) // byte for byte
	if diff := cmp.Diff([]string{eventsPath + "?limit=50", eventsPath + "?limit=50"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	playText(t, `{"items":[],"nextCursor":null}`).run(t, "event", "list", "--brand=acme").prints(t, "TIME  ID  TYPE  ENDPOINTS\n")
}

func TestEventListFilters(t *testing.T) {
	t.Parallel()
	p := playText(t, `{"items":[],"nextCursor":null}`)
	p.run(t, "event", "list", "--brand=acme", "--type=message.failed", "--since=2026-03-01T10:00:00+01:00", "--until=2026-03-02T00:00:00.5Z", "--limit=0", "--cursor=c").
		prints(t, "TIME  ID  TYPE  ENDPOINTS\n")
	asked, err := url.Parse(strings.TrimPrefix(p.requests()[0], "GET "))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"type": {"message.failed"}, "since": {"2026-03-01T09:00:00Z"}, "until": {"2026-03-02T00:00:00.5Z"}, "limit": {"200"}, "cursor": {"c"}}
	if diff := cmp.Diff(want, asked.Query()); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

// Pages are put together, payloads as they were; where the list was cut, stderr says how to go on.
func TestEventListPages(t *testing.T) {
	t.Parallel()
	pages := []string{eventList(`"c1"`), `{"items":[],"nextCursor":"c2"}`, eventList(`"c3"`)}
	p := playText(t, pages...)
	got := p.run(t, "event", "list", "--brand=acme", "--limit=4")
	if got.code != exitDone || strings.Count(got.out, "\n") != 5 || got.errOut != "more: --cursor c3\n" {
		t.Errorf("%+v", got)
	}
	asked := []string{eventsPath + "?limit=4", eventsPath + "?cursor=c1&limit=2", eventsPath + "?cursor=c2&limit=2"}
	if diff := cmp.Diff(asked, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	one := strings.TrimSuffix(keptEvent, "\n") + "," + strings.TrimSuffix(forgottenEvent, "\n")
	playText(t, pages...).run(t, "event", "list", "--brand=acme", "--limit=4", "-o=json").
		prints(t, `{"items":[`+one+","+one+`],"nextCursor":"c3"}`+"\n")
}

func TestEventGet(t *testing.T) {
	t.Parallel()
	p := playText(t, keptEvent)
	p.run(t, "event", "get", "e1", "--brand", "acme").prints(t, `id:          e1
type:        message.read
brand:       acme
published:   2026-03-01T09:00:00.000Z
deliveries:  1 delivered, 1 waiting, 1 retrying, 1 dead
payload:     44 bytes

ENDPOINT  STATE      ATTEMPTS  NEXT ATTEMPT              UPDATED                   WHY
ep_a      delivered  1         -                         2026-03-01T09:00:00.010Z  -
ep_b      waiting    0         -                         2026-03-01T09:00:00.000Z  waits for slot, place 7
ep_c      retrying   3         2026-03-01T09:05:00.000Z  2026-03-01T09:01:00.000Z  -
ep_d      dead       1         -                         2026-03-01T09:02:00.000Z  gone

`+oddPayload+"\n")
	p.run(t, "event", "get", "e1", "--brand", "acme", "-o", "json").prints(t, keptEvent)

	p = playText(t, forgottenEvent)
	p.run(t, "event", "get", "e2", "--brand", "acme").prints(t, `id:          e2
type:        message.failed
brand:       acme
published:   2026-03-01T08:00:00.000Z
expires:     2026-03-01T10:00:00.000Z
deliveries:  none
payload:     no longer kept
`)
	p.run(t, "event", "get", "e2", "--brand", "acme", "-o", "json").prints(t, forgottenEvent)
}

// A payload is what its bytes are, white space and all; only a terminal gets it made harmless, meaning the same.
func TestEventPayloadBytes(t *testing.T) {
	t.Parallel()
	payload := "{\r\n\t\"a\" :\"<&>\u2028\u009b31m\u202e\\u001b😀\"\n}"
	document := `{"id":"e1","type":"message.read","brand":"acme","publishedAt":"2026-03-01T09:00:00.000Z","payload":` + payload + `,"deliveries":[]}` + "\n"
	p := playText(t, document)
	if got := p.run(t, "event", "get", "e1", "--brand=acme"); got.code != exitDone || !strings.HasSuffix(got.out, "bytes\n\n"+payload+"\n") {
		t.Errorf("%+v", got)
	}
	p.run(t, "event", "get", "e1", "--brand=acme", "-o=json").prints(t, document)
	if got, want := string(harmless([]byte(payload))), "{ \n \"a\" :\"<&>\\u2028\\u009b31m\\u202e\\u001b😀\"\n}"; got != want {
		t.Errorf("on a terminal %q, want %q", got, want)
	}
}

func TestEventRefused(t *testing.T) {
	t.Parallel()
	checkRefused(t, map[string]refusedCase{
		"unknown event": {notFound(), []string{"event", "get", "e1", "--brand=acme"}, "event get: event e1 of brand acme: not found, or not for this key to see"},
		"unknown brand": {notFound(), []string{"event", "list", "--brand=acme"}, "event list: brand acme: not found, or not for this key to see"},
		"unexplained":   {notFound(), []string{"event", "explain", "e1", "--brand=acme"}, "event explain: event e1 of brand acme: not found, or not for this key to see"},
		"unknown type": {refused(422, "no", "query.type", "must be known"), []string{"event", "list", "--brand=acme", "--type=x.y"},
			"event list: --type: must be known"},
		"another's place": {refused(422, "no", "query.cursor", "must be of this list"), []string{"event", "list", "--brand=acme", "--cursor=x"},
			"event list: --cursor: must be of this list"},
		"bad time":         {refused(422, "no", "query.since", "must be a time"), []string{"event", "list", "--brand=acme", "--since=2h"}, "event list: --since: must be a time"},
		"redis away":       {refused(503, "the store did not answer", "", ""), []string{"event", "get", "e1", "--brand=acme"}, "event get: the store did not answer"},
		"a hostile server": {refused(500, hostile, "", ""), []string{"event", "get", "e1", "--brand=acme"}, "event get: " + oneLine(hostile)},
	})
}

// What can be told to be wrong without a server is wrong usage, and no server is asked.
func TestEventUsage(t *testing.T) {
	t.Parallel()
	checkUsage(t, map[string]usageCase{
		"no brand":          {[]string{"event", "list"}, "event list: --brand: is required"},
		"empty brand":       {[]string{"event", "get", "e1", "--brand="}, "event get: --brand: is required"},
		"bad brand":         {[]string{"event", "list", "--brand=a.b"}, "event list: --brand: must match [A-Za-z0-9_-]{1,64}"},
		"no id":             {[]string{"event", "get", "--brand=acme"}, "event get: ID: is required: see outhook event get --help"},
		"empty id":          {[]string{"event", "explain", "", "--brand=acme"}, "event explain: ID: is required: see outhook event explain --help"},
		"two ids":           {[]string{"event", "get", "e1", "e2", "--brand=acme"}, `event get: unexpected argument "e2": see outhook event get --help`},
		"bad id":            {[]string{"event", "get", "../x", "--brand=acme"}, "event get: ID: must match [A-Za-z0-9_-]{1,64}"},
		"explain bad id":    {[]string{"event", "explain", "a.b", "--brand=acme"}, "event explain: ID: must match [A-Za-z0-9_-]{1,64}"},
		"empty type":        {[]string{"event", "list", "--brand=acme", "--type="}, "event list: --type: must not be empty: leave it out for every type"},
		"negative limit":    {[]string{"event", "list", "--brand=acme", "--limit=-1"}, "event list: --limit: must be 0 (everything) or more"},
		"bad since":         {[]string{"event", "list", "--brand=acme", "--since=yesterday"}, "event list: --since: must be a time such as 2026-01-02T15:04:05Z, or how long ago, such as 2h or 3d"},
		"empty until":       {[]string{"event", "list", "--brand=acme", "--until="}, "event list: --until: must be a time such as 2026-01-02T15:04:05Z, or how long ago, such as 2h or 3d"},
		"span of nothing":   {[]string{"event", "list", "--brand=acme", "--since=2h", "--until=3h"}, "event list: --since: must be before --until"},
		"form":              {[]string{"event", "list", "--brand=acme", "-o=xml"}, `event list: invalid argument "xml" for "-o, --output" flag: must be table or json: see outhook event list --help`},
		"group":             {[]string{"event"}, "event: a command is required: cancel, explain, get, list, resend"},
		"unknown of events": {[]string{"event", "again", "e1"}, `event: unknown command "again": must be one of cancel, explain, get, list, resend`},
	})
}
