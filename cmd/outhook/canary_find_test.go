package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// canaryKind says where a canary may be.
type canaryKind string

const (
	// Signing secrets, keys, header values: nowhere.
	kindSecret canaryKind = "secret"
	// What is sent to a receiver that repeats it: its text then.
	kindRepeated canaryKind = "repeated"
	kindPayload  canaryKind = "payload"
	// An endpoint's URL query, description and metadata; a key's description.
	kindSetting canaryKind = "setting"
	kindNote    canaryKind = "note"
	// What a host name resolves to: nowhere.
	kindAddress canaryKind = "address"
)

// canaryPlaces are all places where a canary may be, and where it must be found, or the search is blind. Metadata and
// descriptions are the caller's own words, kept in clear text, but leave the settings as little as the URL's query does.
var canaryPlaces = []struct {
	kind  canaryKind
	place string
}{
	{kindPayload, `^redis oh:\{s\d\d\}:e:[a-z]+:`}, // the event's own key
	{kindPayload, `^(aof|rdb) `},                   // which hold that key
	{kindSetting, `^redis oh:\{s\d\d\}:p:[a-z]+:hook$`},
	{kindSetting, `^(aof|rdb) `},
	{kindNote, `^redis oh:\{s\d\d\}:k:key_`},
	{kindNote, `^(aof|rdb) `},
	{kindRepeated, `^redis oh:\{s\d\d\}:h:repeats:hook$`}, // the receiver's answer
	{kindRepeated, `^redis oh:\{s\d\d\}:e:repeats:`},
	{kindRepeated, `^(aof|rdb) `},
}

// canary is a text that is known, and the forms of it that are looked for.
type canary struct {
	name  string
	kind  canaryKind
	forms [][]byte
}

// newCanary takes the texts that give it away, each by itself.
func newCanary(name string, kind canaryKind, texts ...string) canary {
	c := canary{name: name, kind: kind}
	for _, text := range texts {
		for _, form := range formsOf(text) {
			c.forms = append(c.forms, []byte(form))
		}
	}
	return c
}

// newSecretCanary takes a key of Standard Webhooks, or an encryption key after "k1:": text and bytes.
func newSecretCanary(t *testing.T, name, text string) canary {
	t.Helper()
	encoded := text[strings.IndexAny(text, "_:")+1:]
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return newCanary(name, kindSecret, encoded, string(raw[:min(32, len(raw))])) // behind the seed is the public key
}

// formsOf are the text as it is and as it may be written elsewhere.
func formsOf(text string) []string {
	quoted, _ := json.Marshal(text)
	ascii := fmt.Sprintf("%+q", text)
	forms := map[string]bool{
		text: true, hex.EncodeToString([]byte(text)): true, strings.ToUpper(hex.EncodeToString([]byte(text))): true,
		url.QueryEscape(text): true, url.PathEscape(text): true, strings.ToLower(url.QueryEscape(text)): true,
		string(quoted[1 : len(quoted)-1]): true, ascii[1 : len(ascii)-1]: true,
		strings.Trim(fmt.Sprint([]byte(text)), "[]"): true, // a []byte by %v
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // whatever stands before and after it
			encoded := encoding.EncodeToString([]byte(strings.Repeat("x", before) + text))
			forms[encoded[(before*8+5)/6:(before+len(text))*8/6]] = true
		}
	}
	return slices.Sorted(maps.Keys(forms))
}

// canaryHaystack is one place and what is there.
type canaryHaystack struct {
	place string
	text  []byte
}

// searchCanaries reports every canary in a place that is not its own, and every place that should have one and has none.
func searchCanaries(t *testing.T, canaries []canary, haystacks []canaryHaystack) {
	t.Helper()
	seen := make([]bool, len(canaryPlaces))
	for _, h := range haystacks {
		for _, c := range canaries {
			form, found := c.in(h.text)
			if found && !allowed(c.kind, h.place, seen) {
				at := bytes.Index(h.text, form)
				t.Errorf("%s is in %s as %q: %q", c.name, h.place, form, h.text[max(0, at-120):min(len(h.text), at+len(form)+60)])
			}
		}
	}
	for i, row := range canaryPlaces {
		if !seen[i] {
			t.Errorf("no %s is in %s: the search is blind", row.kind, row.place)
		}
	}
}

func (c canary) in(text []byte) (form []byte, found bool) {
	for _, form := range c.forms {
		if bytes.Contains(text, form) {
			return form, true
		}
	}
	return nil, false
}

func allowed(kind canaryKind, place string, seen []bool) bool {
	for i, row := range canaryPlaces {
		if row.kind == kind && regexp.MustCompile(row.place).MatchString(place) {
			seen[i] = true
			return true
		}
	}
	return false
}

// mark is text that is nowhere else, long enough for any search.
func mark() string { return "canary-" + rand.Text()[:16] }

// phone is a number that is nowhere else.
func phone() string {
	var random [8]byte
	rand.Read(random[:])
	digits := make([]byte, 0, 7)
	for _, b := range random[:7] {
		digits = append(digits, '0'+b%10)
	}
	return "1555" + string(digits)
}

func TestCanaryIsFoundInEveryForm(t *testing.T) {
	for _, text := range []string{"15552223333", `a+b/c="<é>&?`, mark(), string([]byte{0, 200, 15, 16, 3, 255, 255, 80, 9, 10, 11})} {
		c := newCanary("c", kindSecret, text)
		quoted, _ := json.Marshal(map[string]string{"k": text})
		for name, hay := range map[string]string{
			"raw": "..." + text + "...", "%q": fmt.Sprintf("%+q", "."+text), "hex": fmt.Sprintf("%x", "."+text+"."), "HEX": fmt.Sprintf("%X", "."+text),
			"query": url.Values{"k": {text}}.Encode(), "path": url.PathEscape("." + text), "json": string(quoted), "bytes": fmt.Sprint([]byte("." + text + ".")),
			"base64 0": base64.StdEncoding.EncodeToString([]byte(text)), "base64 1": base64.StdEncoding.EncodeToString([]byte("a" + text + "b")),
			"base64 2": base64.StdEncoding.EncodeToString([]byte("ab" + text + "cde")), "base64 url": base64.URLEncoding.EncodeToString([]byte("abcd" + text + "e")),
			"base64 of JSON": base64.StdEncoding.EncodeToString([]byte(`{"to":"` + text + `"}`)),
		} {
			if name == "json" && strings.ContainsRune(text, 200) {
				continue // not text
			}
			if _, found := c.in([]byte(hay)); !found {
				t.Errorf("%q is not found as %s: %s", text, name, hay)
			}
		}
		if form, found := c.in([]byte("nothing of that is here")); found {
			t.Errorf("%q is found as %q in nothing", text, form)
		}
	}
}
