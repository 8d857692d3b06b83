package charttest

import (
	"testing"

	"sigs.k8s.io/yaml"
)

// The operator's Prometheus gets the rules that are tested, all of them and as they are.
func TestRules(t *testing.T) {
	production := cases(t)[1]
	r, problems := production.of(t, production.render(t))
	if len(problems) > 0 || len(r.rules) != 1 {
		t.Fatalf("%d objects with rules; %q", len(r.rules), problems)
	}
	got, err := yaml.Marshal(r.rules[0].Spec)
	if err != nil {
		t.Fatal(err)
	}
	want, err := yaml.Marshal(parse(t, read(t, "../prometheus/alerts.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the chart has\n%s\nand deploy/prometheus has\n%s", got, want)
	}
}
