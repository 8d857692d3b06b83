package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

func checkOutcome(t *testing.T, got, want outcome) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func endpointPage(next string, endpoints ...httpapi.Endpoint) apiAnswer {
	list := httpapi.List[httpapi.Endpoint]{Items: endpoints}
	if list.Items == nil {
		list.Items = []httpapi.Endpoint{}
	}
	if next != "" {
		list.NextCursor = &next
	}
	return apiAnswer{200, list}
}

func TestEndpointListPrints(t *testing.T) {
	inbound := bareEndpoint("inbound")
	inbound.URL = "https://example.com/" + strings.Repeat("x", 100)
	answers := endpointPage("c1", fullEndpoint(), inbound)
	const bare = `"purpose":"status","signature":"hmac","disabled":false,"secretHint":"abcd","createdAt":"2026-01-02T03:04:05.000Z","updatedAt":"2026-01-02T03:04:05.000Z"}`
	for name, tc := range map[string]struct {
		answer apiAnswer
		args   []string
		want   outcome
	}{
		"table": {answers, []string{"--limit=2"}, outcome{0,
			"ID       URL                                                                                WANTS                  STATE           IN FLIGHT  WAITING  RETRYING  WAITS FOR\n" +
				"status   https://example.com/hook?k=1                                                       message.*, workflow.*  disabled: gone  1          20       3         breaker, until 2026-01-02T03:10:00.000Z\n" +
				"inbound  https://example.com/" + strings.Repeat("x", 60) + "…  status                 enabled         -          -        -         -\n",
			"more: --cursor c1\n"}},
		"none": {endpointPage(""), nil, outcome{0, "ID  URL  WANTS  STATE  IN FLIGHT  WAITING  RETRYING  WAITS FOR\n", ""}},
		"json": {endpointPage("c1", bareEndpoint("a")), []string{"-o=json", "--limit=1"}, outcome{0,
			`{"items":[{"id":"a","url":"https://example.com/hook",` + bare + `],"nextCursor":"c1"}` + "\n", ""}},
		"json of none":     {endpointPage(""), []string{"-o=json"}, outcome{0, `{"items":[],"nextCursor":null}` + "\n", ""}},
		"a hostile cursor": {endpointPage("c\x1b1", bareEndpoint("a")), []string{"-o=table", "--limit=1"}, outcome{0, "ID  URL                       WANTS   STATE    IN FLIGHT  WAITING  RETRYING  WAITS FOR\na   https://example.com/hook  status  enabled  -          -        -         -\n", "more: --cursor c 1\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			checkOutcome(t, playAPI(t, tc.answer).endpoint(t, "", append([]string{"list"}, tc.args...)...), tc.want)
		})
	}
}

// Pages may be short, or empty, although there is more; no page is asked for more than is still wanted.
func TestEndpointListFollowsCursors(t *testing.T) {
	a, b, c := bareEndpoint("a"), bareEndpoint("b"), bareEndpoint("c")
	for name, tc := range map[string]struct {
		args  []string
		pages []apiAnswer
		asked []string
		ids   string
		more  string
	}{
		"default": {nil, []apiAnswer{endpointPage("c1", a), endpointPage("")}, []string{"limit=50", "cursor=c1&limit=49"}, "a", ""},
		"limit": {[]string{"--limit=3"}, []apiAnswer{endpointPage("c1", a), endpointPage("c2"), endpointPage("c3", b, c)},
			[]string{"limit=3", "cursor=c1&limit=2", "cursor=c2&limit=2"}, "abc", "more: --cursor c3\n"},
		"everything": {[]string{"--limit=0"}, []apiAnswer{endpointPage("c1", a, b), endpointPage("", c)}, []string{"limit=200", "cursor=c1&limit=200"}, "abc", ""},
		"large":      {[]string{"--limit=201"}, []apiAnswer{endpointPage("", a)}, []string{"limit=200"}, "a", ""},
		"go on":      {[]string{"--cursor=c7", "--limit=1"}, []apiAnswer{endpointPage("c8", a)}, []string{"cursor=c7&limit=1"}, "a", "more: --cursor c8\n"},
	} {
		t.Run(name, func(t *testing.T) {
			api := playAPI(t, tc.pages...)
			got := api.endpoint(t, "", append([]string{"list"}, tc.args...)...)
			var asked []string
			for _, line := range api.requests() {
				asked = append(asked, strings.TrimPrefix(line, "GET /v1/brands/acme/endpoints?"))
			}
			ids := ""
			for _, line := range strings.Split(got.out, "\n")[1:] {
				id, _, _ := strings.Cut(line, " ")
				ids += id
			}
			if diff := cmp.Diff(tc.asked, asked); diff != "" || ids != tc.ids || got.errOut != tc.more || got.code != exitDone {
				t.Errorf("asked (-want +got):\n%s\n%+v", diff, got)
			}
		})
	}
}

func TestEndpointListThatDoesNotGoOn(t *testing.T) {
	api := playAPI(t, endpointPage("c1", bareEndpoint("a")))
	checkOutcome(t, api.endpoint(t, "", "list", "--limit=0"),
		outcome{exitFailed, "", "outhook: endpoint list: the server's list does not go on: it names the same cursor again\n"})
}

func TestEndpointGetPrintsACard(t *testing.T) {
	ed25519 := bareEndpoint("keys")
	ed25519.Signature, ed25519.PublicKey = "ed25519", "whpk_x"
	for name, tc := range map[string]struct {
		endpoint httpapi.Endpoint
		want     string
	}{
		"full": {fullEndpoint(), `id:              status
url:             https://example.com/hook?k=1
wants:           message.*, workflow.*
state:           disabled: gone
disabled:        2026-01-02T03:04:05.678Z, answered 410
description:     core [31m team <b>
metadata:        a=b=c
metadata:        team=core
header:          Authorization: Bearer t
header:          X-Team: core
rate limit:      2.5 a second, at most 4 at once
max in flight:   8
timeout:         2.5s
signature:       hmac
secret:          …abcd
old secret:      …efgh, signs until 2026-01-02T15:00:00.000Z
created:         2026-01-02T03:04:05.000Z
updated:         2026-01-02T03:04:05.678Z
breaker:         open, until 2026-01-02T03:10:00.000Z
in flight:       1 of 8 at most
waiting:         20
waits for:       breaker, until 2026-01-02T03:10:00.000Z
retrying:        3
oldest waiting:  2026-01-02T03:00:00.000Z
last hour:       1200 attempts, 98.5 % delivered
took:            31ms on average, at most 2.1s
busy:            0.42 in flight on average
`},
		"bare, ed25519": {ed25519, `id:             keys
url:            https://example.com/hook
wants:          status
state:          enabled
max in flight:  default
timeout:        default
signature:      ed25519
secret:         …abcd
public key:     whpk_x
created:        2026-01-02T03:04:05.000Z
updated:        2026-01-02T03:04:05.000Z
`},
	} {
		t.Run(name, func(t *testing.T) {
			api := playAPI(t, apiAnswer{200, tc.endpoint})
			checkOutcome(t, api.endpoint(t, "", "get", "status"), outcome{0, tc.want, ""})
			if diff := cmp.Diff([]string{"GET /v1/brands/acme/endpoints/status"}, api.requests()); diff != "" {
				t.Error(diff)
			}
			if got := withoutColours(drawn(t, endpointCard(tc.endpoint), true)); got != tc.want {
				t.Errorf("in colours:\n%s", got)
			}
		})
	}
}

// The document is the API's; only what a terminal would obey is written as an escape, which means the same.
func TestEndpointGetPrintsJSON(t *testing.T) {
	e := bareEndpoint("a")
	e.Description = "<b>\u202e\x1b[31m\u0085"
	got := playAPI(t, apiAnswer{200, e}).endpoint(t, "", "get", "a", "-o=json")
	checkOutcome(t, got, outcome{0, `{"id":"a","url":"https://example.com/hook","purpose":"status","description":"<b>\u202e\u001b[31m\u0085","signature":"hmac","disabled":false,"secretHint":"abcd","createdAt":"2026-01-02T03:04:05.000Z","updatedAt":"2026-01-02T03:04:05.000Z"}` + "\n", ""})
}
