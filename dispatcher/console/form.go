package console

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// kindTypes is the choice of event types one by one, beside the purposes.
const kindTypes = "types"

// endpointForm is an endpoint as its form has it. Numbers are texts, empty where the default is meant.
type endpointForm struct {
	ID, URL, Description, Signature string
	// Kind is a purpose, or kindTypes: then Types are chosen, and Patterns are others, a line each.
	Kind     string
	Types    []string
	Patterns string
	// Headers are lines of "name: value".
	Headers                                  string
	TimeoutMs, PerSecond, Burst, MaxInFlight string

	// Changed is when what the form shows was last changed; empty of one that does not stand.
	Changed string
	// Stands: the endpoint is there, and is changed. Wrong is the input that breaks a rule.
	Stands    bool
	Wrong     string
	Catalogue []typeGroup
}

// typeGroup are the event types that begin alike.
type typeGroup struct {
	// Pattern stands for all of them, and for what may come.
	Pattern string
	Types   []typeChoice
}

type typeChoice struct{ Name, Description, Sample string }

// operational are for whoever names them: no pattern stands for them.
var operational = []string{"endpoint", "delivery"}

func catalogueOf(types []webhook.EventType) []typeGroup {
	var groups []typeGroup
	for _, t := range types {
		first, _, _ := strings.Cut(t.Name, ".")
		pattern := first + ".*"
		if slices.Contains(operational, first) {
			pattern = ""
		}
		at := slices.IndexFunc(groups, func(g typeGroup) bool { return g.Pattern == pattern })
		if at < 0 {
			groups, at = append(groups, typeGroup{Pattern: pattern}), len(groups)
		}
		groups[at].Types = append(groups[at].Types, typeChoice{t.Name, t.Description, indented(t.Example)})
	}
	return groups
}

// indented is JSON as people read it; what is none stays as it is.
func indented(text []byte) string {
	var pretty bytes.Buffer
	if json.Indent(&pretty, text, "", "  ") != nil {
		return string(text)
	}
	return pretty.String()
}

func formOf(e webhook.Endpoint) endpointForm {
	f := endpointForm{ID: e.ID, URL: e.URL, Description: e.Description, Signature: e.Signature, Kind: e.Purpose, Types: e.EventTypes}
	if f.Kind == "" {
		f.Kind = kindTypes
	}
	f.Changed = changedText(e)
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		f.Headers += name + ": " + e.Headers[name] + "\n"
	}
	f.TimeoutMs, f.MaxInFlight = numberText(int(e.Timeout.Milliseconds())), numberText(e.MaxInFlight)
	if e.RateLimit.PerSecond > 0 {
		f.PerSecond, f.Burst = strconv.FormatFloat(e.RateLimit.PerSecond, 'f', -1, 64), numberText(e.RateLimit.Burst)
	}
	return f
}

func changedText(e webhook.Endpoint) string {
	if e.UpdatedAt.IsZero() {
		return ""
	}
	return e.UpdatedAt.UTC().Format(time.RFC3339Nano)
}

func numberText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func readForm(v url.Values) endpointForm {
	text := func(name string) string { return strings.TrimSpace(v.Get(name)) }
	return endpointForm{
		ID: text("id"), URL: text("url"), Description: text("description"), Signature: text("signature"), Kind: text("kind"),
		Types: v["types"], Patterns: v.Get("patterns"), Headers: v.Get("headers"),
		TimeoutMs: text("timeoutMs"), PerSecond: text("perSecond"), Burst: text("burst"), MaxInFlight: text("maxInFlight"),
		Changed: text("changed"),
	}
}

// Chosen tells whether a type or pattern is checked.
func (f endpointForm) Chosen(name string) bool { return slices.Contains(f.Types, name) }

// OtherPatterns are those that the checklist does not have, a line each.
func (f endpointForm) OtherPatterns() string {
	listed := map[string]bool{}
	for _, g := range f.Catalogue {
		listed[g.Pattern] = true
		for _, t := range g.Types {
			listed[t.Name] = true
		}
	}
	others := slices.DeleteFunc(slices.Clone(f.Types), func(name string) bool { return listed[name] })
	return strings.Join(slices.Compact(append(strings.Fields(f.Patterns), others...)), "\n")
}

// change applies the form. Where what stands is no longer what it showed, only if that changes nothing, as the same form sent
// twice: otherwise all that was changed since would be undone.
func (f endpointForm) change(e *webhook.Endpoint) error {
	next := *e
	if err := f.apply(&next); err != nil {
		return err
	}
	if f.Changed != "" && f.Changed != changedText(*e) && !reflect.DeepEqual(next, *e) {
		return webhook.Invalid("endpoint", "was changed since the form was shown: open the form again")
	}
	*e = next
	return nil
}

// apply changes an endpoint to what the form says. Errors are [webhook.FieldError]s.
func (f endpointForm) apply(e *webhook.Endpoint) error {
	e.URL, e.Description, e.Purpose, e.EventTypes = f.URL, f.Description, f.Kind, nil
	if f.Kind == kindTypes {
		e.Purpose, e.EventTypes = "", append(slices.Clone(f.Types), strings.Fields(f.Patterns)...)
	}
	var err error
	if e.Headers, err = headersOf(f.Headers); err != nil {
		return err
	}
	ms, err := wholeOf("timeoutMs", f.TimeoutMs)
	if err != nil {
		return err
	}
	e.Timeout = time.Duration(ms) * time.Millisecond
	if e.MaxInFlight, err = wholeOf("maxInFlight", f.MaxInFlight); err != nil {
		return err
	}
	e.RateLimit, err = f.rateLimit()
	return err
}

func (f endpointForm) rateLimit() (limit webhook.RateLimit, err error) {
	if limit.Burst, err = wholeOf("rateLimit.burst", f.Burst); err != nil {
		return limit, err
	}
	if f.PerSecond == "" {
		if limit.Burst != 0 {
			return limit, webhook.Invalid("rateLimit", "needs a number of attempts a second, if it has a burst")
		}
		return limit, nil
	}
	if limit.PerSecond, err = strconv.ParseFloat(f.PerSecond, 64); err != nil || limit.PerSecond == 0 {
		return limit, webhook.Invalid("rateLimit", "must be a number above 0, or empty for none")
	}
	return limit, nil
}

// longest is more than any number of a form may be.
const longest = 1_000_000

// wholeOf reads a whole number; 0 for none, which is the default.
func wholeOf(field, text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > longest {
		return 0, webhook.Invalid(field, "must be a whole number above 0, or empty for the default")
	}
	return n, nil
}

// headersOf reads lines of "name: value"; nil for none.
func headersOf(text string) (map[string]string, error) {
	var headers map[string]string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return nil, webhook.Invalid("headers", "must be lines of name: value")
		}
		if headers == nil {
			headers = map[string]string{}
		}
		for other := range headers {
			if strings.EqualFold(other, name) {
				return nil, webhook.Invalid("headers", "must have each name once")
			}
		}
		headers[name] = strings.TrimSpace(value)
	}
	return headers, nil
}

// inputOf is the input of the form that a field of the API is in.
func inputOf(field string) string {
	name, _, _ := strings.Cut(field, ".")
	name, _, _ = strings.Cut(name, "[")
	switch name {
	case "purpose":
		return "kind"
	case "eventTypes":
		return "types"
	case "rateLimit":
		return "perSecond"
	}
	return name
}

// labelled is what is wrong, with the label that the input has.
func (f endpointForm) labelled(err *webhook.FieldError) string {
	labels := map[string]string{
		"url": "URL", "description": "Description", "kind": "Purpose", "types": "Event types", "headers": "Headers", "id": "Id",
		"timeoutMs": "Timeout", "perSecond": "Rate limit", "maxInFlight": "In flight", "signature": "Signature",
	}
	if label := labels[f.Wrong]; label != "" {
		return label + ": " + err.Rule
	}
	return err.Error()
}
