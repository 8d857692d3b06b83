package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func deadLetter(event, reason string, attempts int, last *httpapi.Attempt) httpapi.DeadLetter {
	return httpapi.DeadLetter{
		Delivery: httpapi.Delivery{EventID: event, EndpointID: "ep_1", State: "dead", Attempts: attempts, DeathReason: reason, UpdatedAt: at("03:00:00")},
		Type:     "message.read", LastAttempt: last,
	}
}

func deadLetters(all ...httpapi.DeadLetter) httpapi.List[httpapi.DeadLetter] {
	return httpapi.List[httpapi.DeadLetter]{Items: append([]httpapi.DeadLetter{}, all...)}
}

func TestDeadLetterList(t *testing.T) {
	t.Parallel()
	forgotten := deadLetter("e3", "body_missing", 0, nil)
	forgotten.Type = ""
	list := deadLetters(deadLetter("e1", "gone", 1, failedAttempt()), deadLetter("e2", "max_age", 14, unansweredAttempt()), forgotten)
	p := playAPI(t, ok(list))
	p.run(t, "dead-letter", "list", "--brand=acme").prints(t,
		`DIED                      EVENT  ENDPOINT  TYPE          ATTEMPTS  WHY           LAST ANSWER
2026-01-02T03:00:00.000Z  e1     ep_1      message.read  1         gone          503 after 31ms
2026-01-02T03:00:00.000Z  e2     ep_1      message.read  14        max_age       timeout after 15s
2026-01-02T03:00:00.000Z  e3     ep_1      -             0         body_missing  -
`)
	p.run(t, "dead-letter", "list", "--brand=acme", "-o=json").prints(t, encodedAs(t, list))
}

func TestDeadLetterListFilters(t *testing.T) {
	t.Parallel()
	p := playAPI(t, ok(deadLetters()))
	p.run(t, "dead-letter", "list", "--brand=acme", "--endpoint=ep_1", "--since=2026-03-01T09:00:00Z", "--until=2026-03-02T00:00:00Z", "--limit=7").
		prints(t, "DIED  EVENT  ENDPOINT  TYPE  ATTEMPTS  WHY  LAST ANSWER\n")
	asked, err := url.Parse(strings.TrimPrefix(p.requests()[0], "GET "))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"endpointId": {"ep_1"}, "since": {"2026-03-01T09:00:00Z"}, "until": {"2026-03-02T00:00:00Z"}, "limit": {"7"}}
	if diff := cmp.Diff(want, asked.Query()); diff != "" || asked.Path != "/v1/brands/acme/dead-letters" {
		t.Errorf("path %s, query (-want +got):\n%s", asked.Path, diff)
	}
}

func TestDeadLetterListHostile(t *testing.T) {
	t.Parallel()
	a := hostileAttempt()
	a.Status = nil // so that the reason is shown
	letter := deadLetter(hostile, hostile, 1, a)
	letter.Type = hostile
	p := playAPI(t, ok(deadLetters(letter)))
	checkHarmless(t, p.run(t, "dead-letter", "list", "--brand=acme").out, 2)
	checkHarmless(t, p.run(t, "dead-letter", "list", "--brand=acme", "-o=json").out, 1)
}

func TestDeadLetterRefused(t *testing.T) {
	t.Parallel()
	checkRefused(t, map[string]refusedCase{
		"unknown brand": {notFound(), []string{"dead-letter", "list", "--brand=acme"}, "dead-letter list: brand acme: not found, or not for this key to see"},
		"by the server": {refused(422, "no", "query.endpointId", "must be another"), []string{"dead-letter", "list", "--brand=acme"}, "dead-letter list: --endpoint: must be another"},
	})
}

func TestDeadLetterUsage(t *testing.T) {
	t.Parallel()
	checkUsage(t, map[string]usageCase{
		"no brand":       {[]string{"dead-letter", "list"}, "dead-letter list: --brand: is required"},
		"empty endpoint": {[]string{"dead-letter", "list", "--brand=acme", "--endpoint="}, "dead-letter list: --endpoint: must match [A-Za-z0-9_-]{1,64}"},
		"until":          {[]string{"dead-letter", "list", "--brand=acme", "--until=-1h"}, "dead-letter list: --until: must be a time such as 2026-01-02T15:04:05Z, or how long ago, such as 2h or 3d"},
		"limit":          {[]string{"dead-letter", "list", "--brand=acme", "--limit=-1"}, "dead-letter list: --limit: must be 0 (everything) or more"},
	})
}
