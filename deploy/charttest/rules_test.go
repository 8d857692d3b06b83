package charttest

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const alerts = "../prometheus/alerts.yaml"

// The operator's Prometheus gets the rules that are tested, all of them and as they are.
func TestRules(t *testing.T) {
	if _, err := os.Stat(alerts); err != nil {
		t.Skip("there are no alert rules")
	}
	everything := cases(t)[2]
	everything.values += "monitoring: {rules: {enabled: true, labels: {release: prometheus}}}\n"
	r, problems := everything.of(t, everything.render(t))
	if len(problems) > 0 || len(r.rules) != 1 {
		t.Fatalf("%d objects with rules; %q", len(r.rules), problems)
	}
	got, err := yaml.Marshal(r.rules[0].Spec)
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, read(t, alerts))
	if text, err := yaml.Marshal(want); err != nil || string(text) != string(got) {
		t.Errorf("the chart has\n%s\nand %s says\n%s", got, alerts, text)
	}
}

// Without the rules nobody thinks that they are there.
func TestRulesAreRefusedWhenMissing(t *testing.T) {
	if _, err := os.Stat("../chart/alerts.yaml"); err == nil {
		t.Skip("this chart has them")
	}
	_, err := render(t, releaseName, "monitoring: {rules: {enabled: true}}")
	if err == nil || !strings.Contains(err.Error(), "alerts.yaml") {
		t.Errorf("helm says %v", err)
	}
}
