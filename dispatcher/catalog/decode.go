package catalog

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// maxDigits bounds the numbers that are compared exactly.
const maxDigits = 400

// decodeObject reads one JSON object, as the validator wants it. The error is a
// [webhook.FieldError] and says nothing of the text.
func decodeObject(field string, text []byte) (map[string]any, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	object, ok := doc.(map[string]any)
	if err != nil || !ok {
		return nil, webhook.Invalid(field, "must be a JSON object")
	}
	tame(object)
	return object, nil
}

// tame replaces, in place, the numbers that the validator cannot bear. It
// expands exponents into digits: 1e999999 costs it milliseconds, and 1e9999999
// is a panic.
func tame(node any) {
	switch node := node.(type) {
	case map[string]any:
		for key, child := range node {
			if n, ok := child.(json.Number); ok {
				node[key] = number(n)
				continue
			}
			tame(child)
		}
	case []any:
		for i, child := range node {
			if n, ok := child.(json.Number); ok {
				node[i] = number(n)
				continue
			}
			tame(child)
		}
	}
}

// number keeps what is written out in full, and makes the rest a float64, the
// largest there is for what is larger.
func number(n json.Number) any {
	text := n.String()
	if len(text) <= maxDigits && !strings.ContainsAny(text, "eE") {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.Copysign(math.MaxFloat64, f)
	}
	return f
}
