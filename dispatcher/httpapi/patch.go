package httpapi

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// patch is a JSON Merge Patch (RFC 7396) of an endpoint, decoded once. It changes
// whatever stands, as often as that takes.
type patch []func(*webhook.Endpoint)

func (p patch) apply(e *webhook.Endpoint) error {
	for _, change := range p {
		change(e)
	}
	return nil
}

func decodePatch(raw []byte) (patch, error) {
	var p patch
	err := eachMember(raw, inUTF8(func(name string, value []byte) error {
		change, err := decodeChange(name, value)
		p = append(p, change)
		return err
	}))
	return p, err
}

func decodeChange(name string, value []byte) (func(*webhook.Endpoint), error) {
	switch name {
	case "url":
		return changeURL(value)
	case "purpose":
		return changeText(name, value, func(e *webhook.Endpoint, text string) { e.Purpose = text })
	case "description":
		return changeText(name, value, func(e *webhook.Endpoint, text string) { e.Description = text })
	case "eventTypes":
		return changeEventTypes(value)
	case "metadata":
		return changeMetadata(value)
	case "headers":
		return changeHeaders(value)
	case "maxInFlight":
		return changeMaxInFlight(value)
	case "timeoutMs":
		return changeTimeout(value)
	case "disabled":
		return changeDisabled(value)
	case "rateLimit":
		return changeRateLimit(value)
	}
	return nil, webhook.Invalid(shown(name), "%s", fixedRule(name))
}

// fixedRule says why a field that no patch changes is refused.
func fixedRule(name string) string {
	switch name {
	case "secret":
		return "cannot be changed here: POST to the endpoint's secret/rotate"
	case "id", "signature":
		return "cannot be changed: create another endpoint"
	case "disabledReason", "disabledAt", "disabledAnswer":
		return "is read-only: set disabled"
	case "secretHint", "oldSecrets", "publicKey", "createdAt", "updatedAt", "health":
		return "is read-only: leave it out"
	}
	return ruleUnknown
}

func changeURL(value []byte) (func(*webhook.Endpoint), error) {
	if isNull(value) {
		return nil, webhook.Invalid("url", "is required: it cannot be taken away")
	}
	return changeText("url", value, func(e *webhook.Endpoint, text string) { e.URL = text })
}

func changeText(name string, value []byte, set func(*webhook.Endpoint, string)) (func(*webhook.Endpoint), error) {
	var text string
	err := decodeString(name, value, &text)
	return func(e *webhook.Endpoint) { set(e, text) }, err
}

func changeEventTypes(value []byte) (func(*webhook.Endpoint), error) {
	var types []string
	err := decode("eventTypes", value, &types, ruleStrings)
	return func(e *webhook.Endpoint) { e.EventTypes = slices.Clone(types) }, err
}

func changeMaxInFlight(value []byte) (func(*webhook.Endpoint), error) {
	var most int
	if err := decode("maxInFlight", value, &most, ruleWhole); err != nil {
		return nil, err
	}
	return func(e *webhook.Endpoint) { e.MaxInFlight = most }, checkBounds(most, 0)
}

func changeRateLimit(value []byte) (func(*webhook.Endpoint), error) {
	value = slices.Clone(value)
	some := webhook.RateLimit{PerSecond: 1} // stands for what may be there
	return func(e *webhook.Endpoint) { _ = decodeRateLimit("rateLimit", value, &e.RateLimit) }, decodeRateLimit("rateLimit", value, &some)
}

func changeTimeout(value []byte) (func(*webhook.Endpoint), error) {
	var ms int64
	if err := decode("timeoutMs", value, &ms, ruleWhole); err != nil {
		return nil, err
	}
	return func(e *webhook.Endpoint) { e.Timeout = time.Duration(ms) * time.Millisecond }, checkBounds(0, ms)
}

// changeDisabled keeps the reason of an endpoint that is disabled already.
func changeDisabled(value []byte) (func(*webhook.Endpoint), error) {
	var disabled bool
	if err := decode("disabled", value, &disabled, ruleBool); err != nil {
		return nil, err
	}
	if disabled {
		return disable, nil
	}
	return enable, nil
}

func disable(e *webhook.Endpoint) {
	if e.DisabledReason == "" {
		e.DisabledReason = webhook.DisabledManually
	}
}

func enable(e *webhook.Endpoint) {
	e.DisabledReason, e.DisabledAt, e.DisabledAnswer = "", time.Time{}, ""
}

func changeMetadata(value []byte) (func(*webhook.Endpoint), error) {
	entries, err := decodeMerge("metadata", value)
	return func(e *webhook.Endpoint) {
		e.Metadata = merge(e.Metadata, entries, func(a, b string) bool { return a == b })
	}, err
}

// changeHeaders takes names that differ in case for the same header, as HTTP does.
func changeHeaders(value []byte) (func(*webhook.Endpoint), error) {
	entries, err := decodeMerge("headers", value)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(entries))
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		folded := strings.ToLower(name)
		if seen[folded] {
			return nil, webhook.Invalid(location("headers", shown(name)), "is given twice, in different case")
		}
		seen[folded] = true
	}
	return func(e *webhook.Endpoint) { e.Headers = merge(e.Headers, entries, strings.EqualFold) }, nil
}

// decodeMerge decodes what a patch does to a map: nil is to be taken away. It
// returns nil for a null, which takes all away.
func decodeMerge(name string, value []byte) (map[string]*string, error) {
	if isNull(value) {
		return nil, nil
	}
	entries := map[string]*string{}
	err := eachMember(value, func(key string, value []byte) error {
		entries[key] = nil
		if isNull(value) {
			return nil
		}
		entries[key] = new(string)
		return decodeString(shown(key), value, entries[key])
	})
	return entries, within(name, err)
}

// merge returns a new map, nil when nothing is left.
func merge(stands map[string]string, entries map[string]*string, same func(a, b string) bool) map[string]string {
	if entries == nil {
		return nil
	}
	merged := maps.Clone(stands)
	for name, value := range entries {
		maps.DeleteFunc(merged, func(old, _ string) bool { return same(old, name) })
		if value == nil {
			continue
		}
		if merged == nil {
			merged = map[string]string{}
		}
		merged[name] = *value
	}
	if len(merged) == 0 {
		return nil
	}
	return merged
}

// Schema implements [huma.SchemaProvider]: what a create takes, nullable where
// that has a meaning, without what cannot be changed.
func (EndpointPatch) Schema(r huma.Registry) *huma.Schema {
	asked := r.SchemaFromRef(r.Schema(reflect.TypeFor[EndpointRequest](), true, "").Ref)
	out := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for name, property := range asked.Properties {
		if slices.Contains([]string{"id", "secret", "signature"}, name) {
			continue
		}
		copied := *property
		if property.Ref != "" {
			copied = mergeable(*r.SchemaFromRef(property.Ref))
			copied.Description = property.Description
		}
		if name != "url" {
			makeNullable(&copied)
		}
		out.Properties[name] = &copied
	}
	return out
}

// mergeable is an object whose members are patched one by one.
func mergeable(s huma.Schema) huma.Schema {
	members := map[string]*huma.Schema{}
	for name, property := range s.Properties {
		copied := *property
		copied.Default = nil
		copied.Nullable = true
		members[name] = &copied
	}
	s.Properties, s.Required = members, nil
	return s
}

func makeNullable(s *huma.Schema) {
	s.Nullable = true
	if len(s.Enum) > 0 {
		s.Enum = append(slices.Clone(s.Enum), nil)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		nullable := *values
		nullable.Nullable = true
		s.AdditionalProperties = &nullable
	}
	if s.Minimum != nil && *s.Minimum > 0 { // 0 is the default, as null is
		s.Minimum = new(0.0)
	}
}
