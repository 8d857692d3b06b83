package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ofTargets are the labels that Prometheus, or whoever tells it of targets, gives to every series.
var ofTargets = []string{"job", "instance", "namespace"}

// ofPrometheus are what it makes of itself, with the labels that we use.
var ofPrometheus = map[string][]string{"up": {}, "ALERTS": {"alertname", "alertstate", "severity"}}

// words of PromQL that stand where a metric could.
var words = []string{"and", "or", "unless", "bool", "offset", "sum", "max", "min", "count", "avg"}

var (
	aText     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	aRange    = regexp.MustCompile(`\[[^\]]*\]`)
	aNumber   = regexp.MustCompile(`\b\d[\w.]*`)
	aGrouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	aSelector = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}`)
	aMatcher  = regexp.MustCompile(`([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)`)
	aName     = regexp.MustCompile(`([a-zA-Z_:][\w:]*)(\s*\()?`)
)

// uses answers the metrics of a query, and for each the labels that it is asked for; "" has those that results are grouped
// or joined by.
func uses(expr string) map[string][]string {
	found := map[string][]string{}
	expr = aNumber.ReplaceAllString(aRange.ReplaceAllString(aText.ReplaceAllString(expr, `""`), ""), "0")
	expr = aGrouping.ReplaceAllStringFunc(expr, func(grouping string) string {
		for label := range strings.SplitSeq(aGrouping.FindStringSubmatch(grouping)[1], ",") {
			found[""] = append(found[""], strings.TrimSpace(label))
		}
		return " "
	})
	expr = aSelector.ReplaceAllStringFunc(expr, func(selector string) string {
		parts := aSelector.FindStringSubmatch(selector)
		for _, matcher := range aMatcher.FindAllStringSubmatch(parts[2], -1) {
			found[parts[1]] = append(found[parts[1]], matcher[1])
		}
		return parts[1]
	})
	for _, name := range aName.FindAllStringSubmatch(expr, -1) {
		if isFunction := name[2] != ""; !isFunction && !slices.Contains(words, name[1]) {
			found[name[1]] = slices.Clip(found[name[1]]) // an entry also where nothing is asked of it
		}
	}
	return found
}

// unknown answers which names of a query nobody exports. recorded are the names of recorded queries.
func unknown(expr string, exported map[string][]string, recorded []string) []string {
	var names []string
	asked := uses(expr)
	known := slices.Clone(ofTargets)
	for metric, labels := range asked {
		if metric == "" || slices.Contains(recorded, metric) {
			continue
		}
		has, ok := labelsOf(metric, exported)
		if !ok {
			names = append(names, metric)
		}
		known = append(known, has...)
		for _, label := range labels {
			if !slices.Contains(has, label) && !slices.Contains(ofTargets, label) {
				names = append(names, metric+"{"+label+"}")
			}
		}
	}
	for _, label := range asked[""] {
		if !slices.Contains(known, label) {
			names = append(names, "by "+label)
		}
	}
	return names
}

// labelsOf answers the labels of a metric as it is asked for: of a histogram, of its buckets alone.
func labelsOf(metric string, exported map[string][]string) ([]string, bool) {
	if labels, ok := ofPrometheus[metric]; ok {
		return labels, true
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if base, ok := strings.CutSuffix(metric, suffix); ok && slices.Contains(exported[base], "le") {
			return slices.DeleteFunc(slices.Clone(exported[base]), func(l string) bool { return l == "le" && suffix != "_bucket" }), true
		}
	}
	labels, ok := exported[metric]
	return labels, ok && !slices.Contains(labels, "le")
}

func TestUnknownNamesAreFound(t *testing.T) {
	exported := map[string][]string{"a_total": {"reason"}, "h_seconds": {"le"}, "g": {}}
	for expr, want := range map[string]string{
		`sum by (reason) (rate(a_total{reason=~"x|y", job="j"}[5m])) > 1.5e3`: "",
		`histogram_quantile(0.9, sum by (le) (rate(h_seconds_bucket[5m])))`:   "",
		`h_seconds_count / g unless on (namespace) ns:recorded:max`:           "",
		`rate(b_total[5m])`:                       "b_total",
		`g{lane="live"}`:                          "g{lane}",
		`sum by (cause) (a_total)`:                "by cause",
		`sum(h_seconds)`:                          "h_seconds",
		`h_seconds_count{le="1"}`:                 "h_seconds_count{le}",
		`a_total_bucket`:                          "a_total_bucket",
		`g and on (reason) g`:                     "by reason",
		`g{a="}"} or vector(0) or ns:other:max{}`: "g{a} ns:other:max",
	} {
		got := unknown(expr, exported, []string{"ns:recorded:max"})
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: unknown are %q, want %q", expr, got, want)
		}
	}
}

// checkNames finds what the rules and the dashboard ask for and nobody exports.
func checkNames(t *testing.T, exported map[string][]string) {
	var recorded []string
	for _, r := range rules(t) {
		if r.Record != "" {
			recorded = append(recorded, r.Record)
		}
	}
	for _, r := range rules(t) {
		for _, name := range unknown(r.Expr, exported, recorded) {
			t.Errorf("%s%s: nobody exports %s", r.Alert, r.Record, name)
		}
	}
	for where, expr := range readDashboard(t).queries() {
		for _, name := range unknown(expr, exported, nil) {
			t.Errorf("dashboard, %s: nobody exports %s", where, name)
		}
	}
	for _, name := range ofTheSystem {
		if exported[name] == nil {
			t.Errorf("nobody exports %s", name)
		}
	}
}

// checkShown finds metrics of ours that whoever looks for trouble does not find on the dashboard.
func checkShown(t *testing.T, exported map[string][]string) {
	shown := map[string]bool{}
	for _, expr := range readDashboard(t).queries() {
		for metric := range uses(expr) {
			shown[regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(metric, "")] = true
		}
	}
	for metric := range exported {
		if strings.HasPrefix(metric, "outhook_") && !shown[metric] {
			t.Errorf("no panel shows %s", metric)
		}
	}
}

// ofTheSystem are gauges that one process exports for all. While another takes over there may be two: only max is right.
var ofTheSystem = []string{
	"outhook_deliveries_open", "outhook_deliveries_waiting", "outhook_oldest_open_delivery_age_seconds",
	"outhook_oldest_runnable_delivery_age_seconds", "outhook_queue_pending", "outhook_breakers_open", "outhook_workers",
	"outhook_redis_memory_used_ratio",
}

func TestGaugesOfTheSystemAreNotAdded(t *testing.T) {
	for _, metric := range ofTheSystem {
		right := regexp.MustCompile(`max( by \([a-z, ]+\))? ?\((max_over_time\()?` + metric + `(\{[^}]*\})?(\[90s\]\))?\)`)
		check := func(where, expr string) {
			if strings.Contains(right.ReplaceAllString(expr, ""), metric) && !strings.Contains(expr, ":"+metric) {
				t.Errorf("%s: %s is not under max", where, metric)
			}
		}
		for _, r := range rules(t) {
			check(r.Alert+r.Record, r.Expr)
		}
		for where, expr := range readDashboard(t).queries() {
			check(where, expr)
		}
	}
}
