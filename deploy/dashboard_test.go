package deploy_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const dashboardFile = "grafana/outhook.json"

// dashboard is what the tests ask about grafana/outhook.json.
type dashboard struct {
	UID        string  `json:"uid"`
	Title      string  `json:"title"`
	ID         *int    `json:"id"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Name       string     `json:"name"`
			Datasource datasource `json:"datasource"`
			Expr       string     `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type variable struct {
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Datasource datasource      `json:"datasource"`
	Query      json.RawMessage `json:"query"`
	AllValue   string          `json:"allValue"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     struct {
		X, Y, W, H int
	} `json:"gridPos"`
	FieldConfig struct {
		Defaults struct {
			Unit       string `json:"unit"`
			Thresholds struct {
				Steps []struct {
					Value *float64 `json:"value"`
				} `json:"steps"`
			} `json:"thresholds"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Targets []struct {
		RefID      string     `json:"refId"`
		Datasource datasource `json:"datasource"`
		Expr       string     `json:"expr"`
		Legend     string     `json:"legendFormat"`
	} `json:"targets"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// queries are those of the panels and annotations, by where they stand, with the variables as they stand there.
func (d dashboard) queries() map[string]string {
	found := map[string]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			found[fmt.Sprintf("panel %d %s, %s", p.ID, p.Title, target.RefID)] = target.Expr
		}
	}
	for _, a := range d.Annotations.List {
		found["annotation "+a.Name] = a.Expr
	}
	return found
}

// It can be loaded into any Grafana: no number of a row in another's database, and no datasource that only one has.
func TestDashboardBelongsToNoGrafana(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.ID != nil {
		t.Errorf("uid %q, title %q, id %v", d.UID, d.Title, d.ID)
	}
	want := datasource{Type: "prometheus", UID: "${datasource}"}
	for _, p := range d.Panels {
		if p.Type != "row" && p.Datasource != want {
			t.Errorf("panel %d asks %v", p.ID, p.Datasource)
		}
		for _, target := range p.Targets {
			if target.Datasource != want {
				t.Errorf("panel %d, %s asks %v", p.ID, target.RefID, target.Datasource)
			}
		}
	}
	for _, a := range d.Annotations.List {
		if a.Datasource != want {
			t.Errorf("annotation %s asks %v", a.Name, a.Datasource)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" && (v.Datasource != want || v.AllValue != ".*") {
			t.Errorf("variable %s asks %v, and All is %q, which has to match what is not set too", v.Name, v.Datasource, v.AllValue)
		}
	}
}

// Queries use each variable that there is, and no other.
func TestDashboardVariables(t *testing.T) {
	defined := map[string]bool{"__rate_interval": true}
	for _, v := range readDashboard(t).Templating.List {
		defined[v.Name] = true
	}
	used := map[string]bool{}
	for _, found := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(read(t, dashboardFile), -1) {
		used[found[1]] = true
	}
	delete(used, "__all") // what the variable is set to
	for name := range used {
		if !defined[name] {
			t.Errorf("$%s is not defined", name)
		}
	}
	for name := range defined {
		if !used[name] {
			t.Errorf("$%s is not used", name)
		}
	}
	for where, expr := range readDashboard(t).queries() {
		for metric, labels := range uses(expr) {
			if metric != "" && metric != "outhook_build_info" && !slices.Contains(labels, "namespace") {
				t.Errorf("%s: %s is not of the $namespace alone", where, metric)
			}
		}
	}
}

func TestEveryPanelCanBeRead(t *testing.T) {
	ids := map[int]bool{}
	for _, p := range readDashboard(t).Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %d %q: the id is taken, or there is no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if len(p.Description) < 40 || p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("panel %d %s: description %q, unit %q", p.ID, p.Title, p.Description, p.FieldConfig.Defaults.Unit)
		}
		if p.Type != "stat" && p.Type != "timeseries" || len(p.Targets) == 0 {
			t.Errorf("panel %d %s: %s with %d queries", p.ID, p.Title, p.Type, len(p.Targets))
		}
		for i, step := range p.FieldConfig.Defaults.Thresholds.Steps {
			if first := step.Value == nil; first != (i == 0) {
				t.Errorf("panel %d %s: threshold %d has the value %v", p.ID, p.Title, i, step.Value)
			}
		}
		for _, target := range p.Targets {
			for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.Legend, -1) {
				if has := keeps(target.Expr); !slices.Contains(has, label[1]) {
					t.Errorf("panel %d %s: the legend has {{%s}}, the result %q", p.ID, p.Title, label[1], has)
				}
			}
		}
	}
}

// keeps are the labels that the result of a query has.
func keeps(expr string) []string {
	grouped := regexp.MustCompile(`^(?:sum|max|count) by \(([^)]*)\)`).FindStringSubmatch(expr)
	if grouped == nil {
		return ofTargets
	}
	return strings.Split(strings.ReplaceAll(grouped[1], " ", ""), ",")
}

// No panel lies on another or beyond the 24 columns, and none is above its row.
func TestPanelsHaveTheirPlaces(t *testing.T) {
	panels := readDashboard(t).Panels
	rows := 0
	for i, p := range panels {
		if p.Type == "row" {
			rows++
		}
		a := p.GridPos
		if a.W <= 0 || a.H <= 0 || a.X < 0 || a.X+a.W > 24 {
			t.Errorf("panel %d is at %v", p.ID, a)
		}
		for _, other := range panels[:i] {
			if b := other.GridPos; a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %d and %d lie on each other", p.ID, other.ID)
			}
			if p.Type == "row" && other.GridPos.Y >= a.Y {
				t.Errorf("panel %d is below the row %s", other.ID, p.Title)
			}
		}
	}
	if rows != 6 {
		t.Errorf("%d rows, want health, traffic, queues, trouble, redis and processes", rows)
	}
}
