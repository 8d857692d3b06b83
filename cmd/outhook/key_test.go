package main

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// madeKey is a key as it is answered once.
func madeKey(brand string) httpapi.Key {
	return httpapi.Key{ID: "key_1", Brand: brand, Description: "settings page", CreatedAt: at("03:00:00"), Key: "ohk_of_tests"}
}

// The key is alone on stdout, so that it can be taken; the rest is on stderr.
func TestKeyCreate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args  []string
		brand string
		asked string
		note  string
	}{
		"of a brand": {[]string{"--brand=acme", "--description=settings page"}, "acme", `{"brand":"acme","description":"settings page"}`,
			"key_1, of brand acme: the key is shown this once and cannot be shown again\n"},
		"an admin's":            {[]string{"--admin"}, "", `{}`, "key_1, an admin's: the key is shown this once and cannot be shown again\n"},
		"explicitly no admin's": {[]string{"--admin=false", "--brand=acme"}, "acme", `{"brand":"acme"}`, "key_1, of brand acme: the key is shown this once and cannot be shown again\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := playAPI(t, apiAnswer{http.StatusCreated, madeKey(tc.brand)})
			create := append([]string{"key", "create"}, tc.args...)
			checkOutcome(t, p.run(t, create...), outcome{exitDone, "ohk_of_tests\n", tc.note})
			checkOutcome(t, p.run(t, append(create, "-o=json")...), outcome{exitDone, encodedAs(t, madeKey(tc.brand)), tc.note})
			want := "POST /v1/keys " + tc.asked
			if diff := cmp.Diff([]string{want, want}, p.requests()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeyList(t *testing.T) {
	t.Parallel()
	list := httpapi.List[httpapi.Key]{Items: []httpapi.Key{
		{ID: "key_1", CreatedAt: at("03:00:00"), Description: "of\x1b[31m us\nkey_0"}, {ID: "key_2", Brand: "admin", CreatedAt: at("03:00:01")},
	}}
	p := playAPI(t, ok(list))
	p.run(t, "key", "list").prints(t, `ID     KIND   BRAND  CREATED                   DESCRIPTION
key_1  admin  -      2026-01-02T03:00:00.000Z  of [31m us key_0
key_2  brand  admin  2026-01-02T03:00:01.000Z  -
`)
	p.run(t, "key", "list", "-o=json", "--limit=0").prints(t, encodedAs(t, list))
	if diff := cmp.Diff([]string{"GET /v1/keys?limit=50", "GET /v1/keys?limit=200"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestKeyRevoke(t *testing.T) {
	t.Parallel()
	p := playAPI(t, apiAnswer{http.StatusNoContent, nil})
	p.run(t, "key", "revoke", "key_1").prints(t, "revoked key_1: in force everywhere within 5 s\n")
	if diff := cmp.Diff([]string{"DELETE /v1/keys/key_1"}, p.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestKeyRefused(t *testing.T) {
	t.Parallel()
	checkRefused(t, map[string]refusedCase{
		"create by a brand": {notFound(), []string{"key", "create", "--brand=acme"}, "key create: keys: not found, or not for this key to see"},
		"list by a brand":   {notFound(), []string{"key", "list"}, "key list: keys: not found, or not for this key to see"},
		"revoke unknown":    {notFound(), []string{"key", "revoke", "key_9"}, "key revoke: key key_9: not found, or not for this key to see"},
		"long description": {refused(422, "no", "body.description", "must be at most 1024 bytes"), []string{"key", "create", "--admin", "--description=x"},
			"key create: --description: must be at most 1024 bytes"},
	})
}

// An empty variable must never make a key that sees everything.
func TestKeyUsage(t *testing.T) {
	t.Parallel()
	const one = "key create: exactly one of --brand and --admin must be given"
	checkUsage(t, map[string]usageCase{
		"neither":         {[]string{"key", "create"}, one},
		"both":            {[]string{"key", "create", "--brand=acme", "--admin"}, one},
		"empty and admin": {[]string{"key", "create", "--brand=", "--admin"}, one},
		"no admin":        {[]string{"key", "create", "--admin=false"}, one},
		"empty brand":     {[]string{"key", "create", "--brand", ""}, "key create: --brand: must match [A-Za-z0-9_-]{1,64}"},
		"bad brand":       {[]string{"key", "create", "--brand=a b"}, "key create: --brand: must match [A-Za-z0-9_-]{1,64}"},
		"create argument": {[]string{"key", "create", "acme"}, `key create: unexpected argument "acme": see outhook key create --help`},
		"revoke nothing":  {[]string{"key", "revoke"}, "key revoke: ID: is required: see outhook key revoke --help"},
		"revoke a path":   {[]string{"key", "revoke", "../brands"}, "key revoke: ID: must match [A-Za-z0-9_-]{1,64}"},
		"list limit":      {[]string{"key", "list", "--limit=-1"}, "key list: --limit: must be 0 (everything) or more"},
		"a group alone":   {[]string{"key"}, "key: a command is required: create, list, revoke"},
	})
	command(t, nil, "key", "list").fails(t, exitUsage, "key list: --key or OUTHOOK_KEY: is required")
}
