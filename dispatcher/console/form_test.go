package console

import (
	"errors"
	"net/url"
	"reflect"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// What a form shows of an endpoint, sent back, changes nothing.
func TestFormsKeepAnEndpointAsItIs(t *testing.T) {
	for name, e := range map[string]webhook.Endpoint{
		"purpose": {URL: "https://example.com/a?b=c", Purpose: webhook.PurposeInbound, Description: "d"},
		"types":   {URL: "https://example.com", EventTypes: []string{"message.read", "workflow.*", "order.*"}},
		"limits": {
			URL: "https://example.com", Purpose: webhook.PurposeStatus, Timeout: 1500 * time.Millisecond, MaxInFlight: 7,
			RateLimit: webhook.RateLimit{PerSecond: 0.5, Burst: 3}, Headers: map[string]string{"x-a": "1: 2", "X-B": ""},
		},
	} {
		shown := formOf(e)
		again := readForm(url.Values{
			"url": {shown.URL}, "description": {shown.Description}, "kind": {shown.Kind}, "types": shown.Types, "headers": {shown.Headers},
			"timeoutMs": {shown.TimeoutMs}, "perSecond": {shown.PerSecond}, "burst": {shown.Burst}, "maxInFlight": {shown.MaxInFlight},
		})
		got := webhook.Endpoint{}
		if err := again.apply(&got); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got, err, e)
		}
	}
}

func TestFormsThatAreWrong(t *testing.T) {
	for name, c := range map[string]struct{ field, value, want string }{
		"timeout":         {"timeoutMs", "soon", "timeoutMs"},
		"negative":        {"timeoutMs", "-5", "timeoutMs"},
		"huge":            {"maxInFlight", "99999999999999999999", "maxInFlight"},
		"rate":            {"perSecond", "many", "rateLimit"},
		"rate of nothing": {"perSecond", "0", "rateLimit"},
		"burst alone":     {"burst", "3", "rateLimit"},
		"header":          {"headers", "x-team crm", "headers"},
		"no name":         {"headers", ": crm", "headers"},
		"same header":     {"headers", "x-a: 1\nX-A: 2", "headers"},
	} {
		err := readForm(url.Values{c.field: {c.value}}).apply(&webhook.Endpoint{})
		if field, ok := errors.AsType[*webhook.FieldError](err); !ok || field.Field != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPatternsThatTheChecklistLacks(t *testing.T) {
	f := endpointForm{Types: []string{"message.read", "message.*", "order.*"}, Patterns: " order.paid\n\n", Catalogue: catalogueOf([]webhook.EventType{{Name: "message.read"}, {Name: "endpoint.disabled"}})}
	if got := f.OtherPatterns(); got != "order.paid\norder.*" {
		t.Errorf("%q", got)
	}
	if len(f.Catalogue) != 2 || f.Catalogue[1].Pattern != "" {
		t.Errorf("groups %+v: operational types are for whoever names them", f.Catalogue)
	}
}

func TestBarsFollowEachOther(t *testing.T) {
	a := webhook.Attempt{Duration: 100 * time.Millisecond, Phases: webhook.Phases{DNS: 10 * time.Millisecond, Connect: 20 * time.Millisecond, FirstByte: 50 * time.Millisecond}}
	want := []bar{
		{"DNS", 10 * time.Millisecond, 0, 100}, {"Connect", 20 * time.Millisecond, 100, 200}, {"TLS", 0, 300, 0},
		{"First byte", 50 * time.Millisecond, 300, 500}, {"Rest", 20 * time.Millisecond, 800, 200},
	}
	if got := barsOf(a); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for _, b := range barsOf(webhook.Attempt{Phases: webhook.Phases{TLS: time.Second}}) { // more than the whole
		if b.From+b.Wide > 1000 {
			t.Errorf("%+v leaves its lane", b)
		}
	}
}
