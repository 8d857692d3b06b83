package deploy_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.smobi.com/outhook/config"
)

const (
	rulesFile = "prometheus/alerts.yaml"
	// runbook is where the README is; what follows is one of its headings.
	runbook = "https://go.smobi.com/outhook#"
)

// rule is one of prometheus/alerts.yaml: an alert, or a recorded query.
type rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// name is that of an alert with its level, as one alert may have two.
func (r rule) name() string { return r.Alert + "/" + r.Labels["severity"] }

func rules(t *testing.T) []rule {
	t.Helper()
	var found []rule
	for _, group := range parse[struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}](t, rulesFile).Groups {
		found = append(found, group.Rules...)
	}
	if len(found) == 0 {
		t.Fatal("there are no rules")
	}
	return found
}

func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

// anchors are the headings of the README, as links to them are written.
func anchors(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(read(t, "../README.md"), -1) {
		plain := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		found = append(found, strings.ReplaceAll(plain, " ", "-"))
	}
	return found
}

func TestAlertsSayWhatToDo(t *testing.T) {
	headings := anchors(t)
	seen := map[string]bool{}
	for _, a := range alerts(t) {
		if seen[a.name()] || !strings.HasPrefix(a.Alert, "Outhook") {
			t.Errorf("%s: the name is taken, or not of ours", a.name())
		}
		seen[a.name()] = true
		if level := a.Labels["severity"]; level != "page" && level != "warning" {
			t.Errorf("%s: severity is %q", a.name(), level)
		}
		if a.Annotations["summary"] == "" || len(a.Annotations["description"]) < 60 {
			t.Errorf("%s does not say what happened and what to do", a.name())
		}
		if anchor, ok := strings.CutPrefix(a.Annotations["runbook_url"], runbook); !ok || !slices.Contains(headings, anchor) {
			t.Errorf("%s: the runbook %q is no heading of the README", a.name(), a.Annotations["runbook_url"])
		}
	}
}

func TestReadmeHasEveryAlert(t *testing.T) {
	lines := strings.Split(read(t, "../README.md"), "\n")
	for _, a := range alerts(t) {
		_, anchor, _ := strings.Cut(a.Annotations["runbook_url"], "#")
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "| `"+a.Alert+"` |") && strings.Contains(line, a.Labels["severity"]) && strings.Contains(line, "](#"+anchor+")")
		}) {
			t.Errorf("README.md has no line of %s with its level and the link #%s", a.name(), anchor)
		}
	}
}

// What is recorded is used at least twice, else it is a query in its place.
func TestRecordedQueriesAreUsed(t *testing.T) {
	all := rules(t)
	for _, recorded := range all {
		uses := 0
		for _, r := range all {
			if recorded.Record != "" {
				uses += strings.Count(r.Expr, recorded.Record)
			}
		}
		if recorded.Record != "" && uses < 2 {
			t.Errorf("%s is used %d times", recorded.Record, uses)
		}
	}
}

// Before the first nothing can be done better than outhook does it, and after the second it is too late.
func TestMemoryAlertsLieBetweenTheWatermarks(t *testing.T) {
	found := 0
	for _, a := range alerts(t) {
		if a.Alert != "OuthookRedisMemory" {
			continue
		}
		found++
		_, text, _ := strings.Cut(a.Expr, " > ")
		share, err := strconv.ParseFloat(text, 64)
		if redis := config.Default().Redis; err != nil || share <= redis.HistoryWatermark || share >= redis.PublishWatermark {
			t.Errorf("%s fires from %q on, the watermarks are %v and %v", a.name(), text, redis.HistoryWatermark, redis.PublishWatermark)
		}
	}
	if found != 2 {
		t.Errorf("%d alerts of memory, want 2", found)
	}
}
