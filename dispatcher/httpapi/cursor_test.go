package httpapi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// keyIDs returns the ids of a page of keys, and the cursor of the next.
func (a api) keyIDs(t *testing.T, p httpapi.Page) (ids []string, next string) {
	t.Helper()
	list := must[httpapi.List[httpapi.Key]](t)(a.Keys(t.Context(), p))
	for _, k := range list.Items {
		ids = append(ids, k.ID)
	}
	if list.NextCursor != nil {
		next = *list.NextCursor
	}
	return ids, next
}

func (a api) createKeys(t *testing.T, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		ids = append(ids, must[httpapi.Key](t)(a.CreateKey(t.Context(), httpapi.KeyRequest{})).ID)
	}
	return ids
}

func TestCursorsAreStable(t *testing.T) {
	a := start(t)
	want := a.createKeys(t, 4)
	first, cursor := a.keyIDs(t, httpapi.Page{Limit: 2})
	if err := a.RevokeKey(t.Context(), first[1]); err != nil { // what the cursor was made of
		t.Fatal(err)
	}
	want = append(want, a.createKeys(t, 1)...)
	second, last := a.keyIDs(t, httpapi.Page{Limit: 200, Cursor: cursor})
	if diff := cmp.Diff(want, append(first, second...)); diff != "" || last != "" {
		t.Error(diff)
	}
}

func TestDamagedCursorsAreRefused(t *testing.T) {
	a := start(t)
	a.createKeys(t, 2)
	_, cursor := a.keyIDs(t, httpapi.Page{Limit: 1})
	damaged := []string{cursor + "A", cursor + "=", cursor + "%0A", "A", "AAAAAAAAAAA", cursor[:len(cursor)-1], cursor[1:]}
	for i := range cursor {
		other := "A"
		if cursor[i] == 'A' {
			other = "B"
		}
		damaged = append(damaged, cursor[:i]+other+cursor[i+1:])
	}
	for _, d := range damaged {
		got := a.send(t, "GET", keysPath+"?limit=1&cursor="+d, "")
		if checkProblem(t, got, 422, "query.cursor", "must be the nextCursor of a page of the same query"); t.Failed() {
			t.Fatalf("%q of %q", d, cursor)
		}
	}
	checkProblem(t, a.send(t, "GET", "/v1/event-types?cursor="+cursor, ""), 422, "query.cursor", "of the same query")
	if got := a.send(t, "GET", keysPath+"?limit=7&cursor="+cursor, ""); got.status != 200 {
		t.Errorf("its own query, another limit: %d %s", got.status, got.body)
	}
}

func TestParametersAreGivenOnceAndNamed(t *testing.T) {
	a := start(t)
	for _, c := range []struct{ query, location, detail string }{
		{"?limit=1&limit=2", "query.limit", "query.limit: is given twice"},
		{"?limit=1&l%69mit=2", "query.limit", "query.limit: is given twice"},
		{"?limit=", "query.limit", "query.limit: must not be empty: leave it out"},
		{"?cursor", "query.cursor", "query.cursor: must not be empty: leave it out"},
		{"?page=1", "query.page", "query.page: is not a parameter of this request"},
		{"?limit=0", "query.limit", "query.limit: expected number >= 1"},
		{"?limit=ten-thousand", "query.limit", "query.limit: invalid integer"},
		{"?limit=%zz", "query", "query: must be percent-encoded, with & between parameters"},
		{"?limit=1;cursor=2", "query", "query: must be percent-encoded, with & between parameters"},
		{"?b=1&a=secret-value&limit=0", "query.a", "query.a: is not a parameter of this request"},
	} {
		got := a.send(t, "GET", keysPath+c.query, "")
		checkProblem(t, got, 422, c.location, "")
		if p := problemIn(t, got); p.Detail != c.detail {
			t.Errorf("%s: detail %q, want %q", c.query, p.Detail, c.detail)
		}
	}
	if a.service.calls != 0 {
		t.Errorf("the service was called %d times", a.service.calls)
	}
}
