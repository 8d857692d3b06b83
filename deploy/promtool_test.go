package deploy_test

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// need returns the path of a program of Debian's package prometheus. Without it the test is skipped, unless
// OUTHOOK_TEST_REQUIRE contains "prometheus": then it fails.
func need(t *testing.T, program string) string {
	t.Helper()
	binary, err := exec.LookPath(program)
	switch {
	case err == nil:
		return binary
	case strings.Contains(os.Getenv("OUTHOOK_TEST_REQUIRE"), "prometheus"):
		t.Fatalf("%v, and OUTHOOK_TEST_REQUIRE asks for prometheus", err)
	}
	t.Skip(err)
	return ""
}

// promtool checks the rules and the configuration, and runs the unit tests of the rules.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool := need(t, "promtool")
	for _, words := range []string{
		"check rules alerts.yaml", "check config prometheus.yaml", "test rules alerts_test.yaml", "test rules endpoint_down_test.yaml",
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), promtool, strings.Fields(words)...)
			cmd.Dir = "prometheus"
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// unitTests are what the tests ask about prometheus/alerts_test.yaml.
type unitTests struct {
	Tests []struct {
		Name      string `yaml:"name"`
		Questions []struct {
			Expr    string `yaml:"expr"`
			Samples []struct {
				Labels string  `yaml:"labels"`
				Value  float64 `yaml:"value"`
			} `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
	} `yaml:"tests"`
}

var label = regexp.MustCompile(`(alertname|severity)="(\w+)"`)

// There is a unit test of every alert at each of its levels, in which it fires, does not before, and does no more later.
func TestEveryAlertHasAUnitTest(t *testing.T) {
	fired := map[string]bool{}
	for _, test := range parse[unitTests](t, "prometheus/alerts_test.yaml").Tests {
		quiet, seen := false, map[string]bool{}
		for _, question := range test.Questions {
			if len(question.Samples) == 0 {
				quiet = true
				maps.Copy(fired, seen)
			}
			for _, sample := range question.Samples {
				words := map[string]string{}
				for _, found := range label.FindAllStringSubmatch(sample.Labels, -1) {
					words[found[1]] = found[2]
				}
				if name := words["alertname"] + "/" + words["severity"]; quiet && sample.Value > 0 {
					seen[name] = true
				}
			}
		}
	}
	var names []string
	for _, a := range alerts(t) {
		names = append(names, a.name())
		if !fired[a.name()] {
			t.Errorf("%s does not begin, fire and end in any unit test", a.name())
		}
	}
	for name := range fired {
		if !slices.Contains(names, name) {
			t.Errorf("%s is tested and is no alert", name)
		}
	}
}
