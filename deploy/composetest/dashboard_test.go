package composetest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Grafana's own types take the dashboard strictly: no field that Grafana would pass over, no value that it does not know.
func TestGrafanaTakesTheDashboard(t *testing.T) {
	text, err := os.ReadFile("../grafana/outhook.json")
	if err != nil {
		t.Fatal(err)
	}
	plugins.RegisterDefaultPlugins()
	if err := strictly(text); err != nil {
		t.Error(err)
	}
	for name, mistake := range map[string][2]string{
		"an unknown field":             {`"fieldConfig"`, `"fieldConfigs"`},
		"a wrong type":                 {`"schemaVersion": 39`, `"schemaVersion": "39"`},
		"an unknown option of a panel": {`"drawStyle"`, `"drawStile"`},
	} {
		if strictly([]byte(strings.Replace(string(text), mistake[0], mistake[1], 1))) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func strictly(text []byte) error {
	var d dashboard.Dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	for _, err := range []error{d.UnmarshalJSONStrict(text), d.Validate()} {
		if list, ok := err.(cog.BuildErrors); err != nil && (!ok || len(list) > 0) { // an empty list is none
			return err
		}
	}
	return nil
}
