package deploy_test

import (
	"maps"
	"strings"
	"testing"
)

// filled puts values in the place of a dashboard's variables, as Grafana does.
var filled = strings.NewReplacer("$__rate_interval", quick.window, "$namespace", ".*")

// The program is run and scraped: it exports all names that the rules and the dashboard ask for, and a real Prometheus
// evaluates every query, without error and with data.
func TestRulesAndDashboardOfTheProgram(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.endpoint("good", "/good")
	in.endpoint("bad", "/bad")
	for range 10 {
		if status := in.publish(); status != 202 {
			t.Fatalf("publish: %d", status)
		}
	}
	in.awaitText(`outhook_attempts_total{outcome="delivered",reason="ok"}`)
	in.awaitText(`outhook_attempts_total{outcome="retrying",reason="http_status"}`)
	in.awaitText(`outhook_deliveries_open`)
	t.Run("names", func(t *testing.T) { checkNames(t, in.exported()) })
	t.Run("every metric is shown", func(t *testing.T) { checkShown(t, in.exported()) })
	t.Run("queries", func(t *testing.T) { checkQueries(t, startPrometheus(t, map[string][]string{"": in.targets()}, quick)) })
}

// checkQueries evaluates them all.
func checkQueries(t *testing.T, p *prometheus) {
	queries := map[string]string{}
	for where, expr := range readDashboard(t).queries() {
		queries[where] = filled.Replace(expr)
	}
	for _, r := range rules(t) {
		if r.Record != "" {
			queries["rule "+r.Record] = quick.hasten(r.Expr)
		}
	}
	p.awaitScrapes("", settled)
	defer func() { // whether it came to it or not
		for where, expr := range queries {
			t.Errorf("%s: no data for %s", where, expr)
		}
	}()
	p.await("data for every query", func() bool {
		maps.DeleteFunc(queries, func(_, expr string) bool { return len(p.query(expr)) > 0 || strings.HasPrefix(expr, "ALERTS{") })
		return len(queries) == 0
	})
	for _, a := range alerts(t) {
		p.query(quick.hasten(a.Expr)) // without error; that it has data would be an alert
	}
	p.awaitFiring("", nil)
}
