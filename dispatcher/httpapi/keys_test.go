package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const keysPath = "/v1/keys"

func TestKeys(t *testing.T) {
	a := start(t)
	made := must[httpapi.Key](t)(a.CreateKey(t.Context(), httpapi.KeyRequest{Brand: "acme", Description: "CRM <eu>"}))
	if made.Key == "" || made.ID == "" || made.Brand != "acme" || made.Description != "CRM <eu>" {
		t.Errorf("made %+v", made)
	}
	admin := must[httpapi.Key](t)(a.CreateKey(t.Context(), httpapi.KeyRequest{}))
	if admin.Key == "" || admin.Brand != "" {
		t.Errorf("made %+v", admin)
	}
	made.Key, admin.Key = "", "" // are shown once
	list := must[httpapi.List[httpapi.Key]](t)(a.Keys(t.Context(), httpapi.Page{}))
	if diff := cmp.Diff([]httpapi.Key{made, admin}, list.Items); diff != "" || list.NextCursor != nil {
		t.Error(diff)
	}
	if err := a.RevokeKey(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	wantIs(t, a.RevokeKey(t.Context(), made.ID), webhook.ErrNotFound)
	list = must[httpapi.List[httpapi.Key]](t)(a.Keys(t.Context(), httpapi.Page{}))
	if diff := cmp.Diff([]httpapi.Key{admin}, list.Items); diff != "" {
		t.Error(diff)
	}
}

func TestKeyWireShapes(t *testing.T) {
	a := start(t)
	got := a.send(t, "POST", keysPath, `{"brand":"acme","description":"CRM"}`)
	const made = `{"id":"key_00000000000000000000000000000001","brand":"acme","description":"CRM","createdAt":"2025-01-31T12:00:00.123Z"`
	if want := made + `,"key":"ohk_key_00000000000000000000000000000001_secret"}` + "\n"; got.status != http.StatusCreated || got.body != want {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = a.send(t, "GET", keysPath, "")
	if want := `{"items":[` + made + `}],"nextCursor":null}` + "\n"; got.status != http.StatusOK || got.body != want {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = a.send(t, "DELETE", keysPath+"/key_00000000000000000000000000000001", "")
	if got.status != http.StatusNoContent || got.body != "" || got.header.Get("Content-Type") != "" {
		t.Errorf("%d %q %v", got.status, got.body, got.header)
	}
	checkProblem(t, a.send(t, "DELETE", keysPath+"/a.b", ""), 404, "", "")
}

func TestBadKeyRequests(t *testing.T) {
	a := start(t)
	for _, c := range []struct {
		name, body     string
		status         int
		location, rule string
	}{
		{"empty", ``, 400, "body", "a body is required"},
		{"array", `[]`, 422, "body", "must be an object"},
		{"unknown field", `{"admin":true}`, 422, "body.admin", "is not a field"},
		{"brand in another case", `{"Brand":"acme"}`, 422, "body.Brand", "is not a field"},
		{"empty brand", `{"brand":""}`, 422, "body.brand", "leave it out for an admin's key"},
		{"null brand", `{"brand":null}`, 422, "body.brand", "leave it out for an admin's key"},
		{"brand of another type", `{"brand":7}`, 422, "body.brand", "must be a string"},
		{"brand with a dot", `{"brand":"a.b"}`, 422, "body.brand", "must match"},
		{"brand twice", `{"brand":"a","brand":"b"}`, 422, "body.brand", "given twice"},
		{"description", `{"description":[]}`, 422, "body.description", "must be a string"},
		{"description of the service", `{"description":"` + strings.Repeat("x", fakeKeyLimit+1) + `"}`, 422, "body.description", "at most 512 bytes"},
		{"too large", `{"description":"` + strings.Repeat("x", 256<<10) + `"}`, 413, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkProblem(t, a.send(t, "POST", keysPath, c.body), c.status, c.location, c.rule)
		})
	}
	if len(a.service.keys) != 0 {
		t.Errorf("made %+v", a.service.keys)
	}
}

func TestErrorsOfKeys(t *testing.T) {
	a := start(t)
	a.service.err = webhook.ErrUnavailable
	_, err := a.CreateKey(t.Context(), httpapi.KeyRequest{})
	wantIs(t, err, webhook.ErrUnavailable)
	_, err = a.Keys(t.Context(), httpapi.Page{})
	wantIs(t, err, webhook.ErrUnavailable)
	wantIs(t, a.RevokeKey(t.Context(), "key_1"), webhook.ErrUnavailable)
}

func TestEventTypesAreThoseOfTheServiceInOrder(t *testing.T) {
	a := start(t)
	want := a.service.EventTypes()
	brand := must[*httpapi.Client](t)(httpapi.NewClient(a.url, "brand-acme", a.http))
	var seen []httpapi.EventType
	for p := (httpapi.Page{Limit: 2}); ; {
		list := must[httpapi.List[httpapi.EventType]](t)(brand.EventTypes(t.Context(), p))
		seen = slices.Concat(seen, list.Items)
		if list.NextCursor == nil {
			break
		}
		p.Cursor = *list.NextCursor
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}
