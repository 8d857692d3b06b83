package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func attempts(all ...*httpapi.Attempt) httpapi.List[httpapi.Attempt] {
	list := httpapi.List[httpapi.Attempt]{Items: []httpapi.Attempt{}}
	for _, a := range all {
		list.Items = append(list.Items, *a)
	}
	return list
}

func TestAttemptList(t *testing.T) {
	t.Parallel()
	list := attempts(failedAttempt(), unansweredAttempt())
	p := playAPI(t, ok(list))
	p.run(t, "attempt", "list", "--brand=acme").prints(t,
		`TIME                      EVENT  ENDPOINT  TYPE          #  ANSWER  MS     OUTCOME   REASON       TRIGGER
2026-01-02T03:10:00.000Z  e1     ep_c      message.read  3  503     31     retrying  http_status  delivery
2026-01-02T03:09:45.000Z  e1     ep_f      message.read  9  -       15000  dead      timeout      delivery
`)
	p.run(t, "attempt", "list", "--brand=acme", "-o=json").prints(t, encodedAs(t, list))
	playAPI(t, ok(attempts())).run(t, "attempt", "list", "--brand=acme", "-o=json").prints(t, `{"items":[],"nextCursor":null}`+"\n")
}

func TestAttemptListFilters(t *testing.T) {
	t.Parallel()
	p := playAPI(t, ok(attempts()))
	p.run(t, "attempt", "list", "--brand=acme", "--event=e1", "--endpoint=ep_1", "--outcome=retrying", "--since=2026-03-01T09:00:00Z", "--until=2026-03-02T00:00:00Z").
		prints(t, "TIME  EVENT  ENDPOINT  TYPE  #  ANSWER  MS  OUTCOME  REASON  TRIGGER\n")
	asked, err := url.Parse(strings.TrimPrefix(p.requests()[0], "GET "))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"eventId": {"e1"}, "endpointId": {"ep_1"}, "outcome": {"retrying"},
		"since": {"2026-03-01T09:00:00Z"}, "until": {"2026-03-02T00:00:00Z"}, "limit": {"50"}}
	if diff := cmp.Diff(want, asked.Query()); diff != "" || asked.Path != "/v1/brands/acme/attempts" {
		t.Errorf("path %s, query (-want +got):\n%s", asked.Path, diff)
	}
}

func TestAttemptListHostile(t *testing.T) {
	t.Parallel()
	p := playAPI(t, ok(attempts(hostileAttempt())))
	checkHarmless(t, p.run(t, "attempt", "list", "--brand=acme").out, 2)
	checkHarmless(t, p.run(t, "attempt", "list", "--brand=acme", "-o=json").out, 1)
}

func TestAttemptRefused(t *testing.T) {
	t.Parallel()
	checkRefused(t, map[string]refusedCase{
		"unknown brand": {notFound(), []string{"attempt", "list", "--brand=acme"}, "attempt list: brand acme: not found, or not for this key to see"},
		"by the server": {refused(422, "no", "query.outcome", "must be another"), []string{"attempt", "list", "--brand=acme", "--outcome=dead"}, "attempt list: --outcome: must be another"},
		"another key":   {refused(401, "a valid key is required", "", ""), []string{"attempt", "list", "--brand=acme"}, "attempt list: the key of --key or OUTHOOK_KEY is not valid, or was revoked"},
	})
}

func TestAttemptUsage(t *testing.T) {
	t.Parallel()
	list := func(args ...string) []string { return append([]string{"attempt", "list", "--brand=acme"}, args...) }
	checkUsage(t, map[string]usageCase{
		"no brand":       {[]string{"attempt", "list"}, "attempt list: --brand: is required"},
		"outcome":        {list("--outcome=lost"), "attempt list: --outcome: must be delivered, retrying or dead"},
		"empty outcome":  {list("--outcome="), "attempt list: --outcome: must be delivered, retrying or dead"},
		"empty event":    {list("--event="), "attempt list: --event: must match [A-Za-z0-9_-]{1,64}"},
		"bad endpoint":   {list("--endpoint=a/b"), "attempt list: --endpoint: must match [A-Za-z0-9_-]{1,64}"},
		"since":          {list("--since=2w"), "attempt list: --since: must be a time such as 2026-01-02T15:04:05Z, or how long ago, such as 2h or 3d"},
		"limit":          {list("--limit=-1"), "attempt list: --limit: must be 0 (everything) or more"},
		"an argument":    {list("att_1"), `attempt list: unexpected argument "att_1": see outhook attempt list --help`},
		"a group alone":  {[]string{"attempt"}, "attempt: a command is required: list"},
		"without server": {list("--server=example.com"), "attempt list: server: must be a URL such as https://example.com"},
	})
}
