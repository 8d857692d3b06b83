package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

var badQueries = []struct{ query, location, rule string }{
	{"/endpoints?limit=0", "query.limit", "1"},
	{"/endpoints?limit=201", "query.limit", "200"},
	{"/endpoints?limit=ten", "query.limit", ""},
	{"/endpoints?cursor=*", "query.cursor", "nextCursor"},
	{"/endpoints?cursor=QQ", "query.cursor", "nextCursor"},
	{"/endpoints?page=2", "query.page", "is not a parameter"},
	{"/endpoints?limit=1&limit=2", "query.limit", "is given twice"},
	{"/events?type=message.lost", "query.type", "is not in the catalogue"},
	{"/events?type=message.*", "query.type", "is not in the catalogue"},
	{"/events?since=yesterday", "query.since", "RFC 3339, such as 2025-01-31T12:00:00Z"},
	{"/events?since=2025-01-31", "query.since", "RFC 3339, such as"},
	{"/events?since=1738324800", "query.since", "RFC 3339, such as"},
	{"/events?since=2025-01-31T12:00:00", "query.since", "RFC 3339, such as"},
	{"/events?since=2025-02-30T12:00:00Z", "query.since", "RFC 3339, such as"},
	{"/events?since=2025-01-31T12:00:00+01:00", "query.since", "RFC 3339, such as"}, // the + is a space
	{"/events?until=", "query.until", "must not be empty"},
	{"/events?until=tomorrow", "query.until", "RFC 3339, such as"},
	{"/events?since=2025-01-31T12:00:00Z&until=2025-01-31T12:00:00Z", "query.until", "must be after since"},
	{"/attempts?eventId=", "query.eventId", "must not be empty"},
	{"/attempts?eventId=a.b", "query.eventId", "must match"},
	{"/attempts?endpointId=b%2Fc", "query.endpointId", "must match"},
	{"/attempts?outcome=lost", "query.outcome", "delivered, retrying, dead"},
	{"/attempts?since=x", "query.since", "RFC 3339, such as"},
	{"/attempts?cursor=AAAA", "query.cursor", "nextCursor"},
	{"/dead-letters?endpointId=a.b", "query.endpointId", "must match"},
	{"/dead-letters?until=x", "query.until", "RFC 3339, such as"},
	{"/dead-letters?outcome=dead", "query.outcome", "is not a parameter"},
}

func TestBadQueries(t *testing.T) {
	a := start(t)
	for _, c := range badQueries {
		t.Run(c.query, func(t *testing.T) {
			got := a.send(t, "GET", "/v1/brands/acme"+c.query, "")
			if checkProblem(t, got, 422, c.location, c.rule); !strings.Contains(got.body, `"detail":"`+c.location+": ") {
				t.Errorf("the detail does not name %s: %s", c.location, got.body)
			}
		})
	}
	if a.service.calls != 0 {
		t.Errorf("the service was called %d times", a.service.calls)
	}
	if got := a.send(t, "GET", "/v1/brands/acme/endpoints?"+strings.Repeat("x&", 10)+"secret-value=v1", ""); strings.Contains(got.body, "v1") {
		t.Errorf("a value is repeated: %s", got.body)
	}
}

func TestCursorsAreGoodForTheirOwnQueryOnly(t *testing.T) {
	a := start(t)
	stageMany(a.service)
	const from = "/events?limit=2&type=message.read"
	var list httpapi.List[httpapi.Event]
	if err := json.Unmarshal([]byte(a.send(t, "GET", "/v1/brands/acme"+from, "").body), &list); err != nil || list.NextCursor == nil {
		t.Fatalf("no next page: %v", err)
	}
	cursor := "&cursor=" + *list.NextCursor
	for _, other := range []string{
		"acme/events?limit=2", "acme/events?limit=2&type=message.failed", "acme/events?limit=2&type=message.read&since=2025-01-31T12:00:00Z",
		"other/events?limit=2&type=message.read", "acme/attempts?limit=2", "acme/dead-letters?limit=2", "acme/endpoints?limit=2",
	} {
		checkProblem(t, a.send(t, "GET", "/v1/brands/"+other+cursor, ""), 422, "query.cursor", "of the same query")
	}
	if got := a.send(t, "GET", "/v1/brands/acme/events?type=message.read&limit=1"+cursor, ""); got.status != http.StatusOK {
		t.Errorf("its own query, another limit: %d %s", got.status, got.body)
	}
}
