package deploy_test

import (
	"strings"
	"testing"
)

// target is the address of an outhook that has delivered some, failed at some and exports its metrics, until the test ends.
func target(t *testing.T) string { return startStage(t).address }

// onlyInTrouble are metrics without a series until what they count has happened. Queries of others must have data.
var onlyInTrouble = []string{}

// filled puts values in the place of a dashboard's variables, as Grafana does.
var filled = strings.NewReplacer("$__rate_interval", "3s", "$namespace", ".*")

// Every query of dashboard and rules is evaluated by a real Prometheus that scrapes an outhook: without error, and with data.
func TestQueriesHaveData(t *testing.T) {
	t.Parallel()
	p := startPrometheus(t, map[string]string{"": target(t)})
	queries := map[string]string{}
	for where, expr := range readDashboard(t).queries() {
		queries[where] = filled.Replace(expr)
	}
	for _, r := range rules(t) {
		if r.Record != "" {
			queries["rule "+r.Record] = hasten(r.Expr)
		}
	}
	p.await("two scrapes", func() bool { return len(p.query(`rate(process_cpu_seconds_total[3s])`)) > 0 })
	for where, expr := range queries {
		if got := p.query(expr); len(got) == 0 && !mayBeEmpty(expr) {
			t.Errorf("%s: no data for %s", where, expr)
		}
	}
	for _, a := range alerts(t) {
		p.query(hasten(a.Expr)) // without error; that it has data would be an alert
	}
	p.await("recorded queries", func() bool { return len(p.query("namespace:outhook_workers:max")) > 0 })
	if got := p.firing(""); len(got) > 0 {
		t.Errorf("alerts fire: %q", got)
	}
}

func mayBeEmpty(expr string) bool {
	for metric := range uses(expr) {
		for _, quiet := range append(onlyInTrouble, "ALERTS") {
			if metric == quiet {
				return true
			}
		}
	}
	return false
}
