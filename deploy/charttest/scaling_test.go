package charttest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	kedav1alpha1 "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// scalingProblems: one thing at most scales a deployment, one that is there, by what can be measured.
func scalingProblems(t *testing.T, r release) (problems []string) {
	for _, d := range r.deployments {
		if _, err := r.least(d); err != nil {
			problems = append(problems, role(d)+": "+err.Error())
		}
	}
	for _, a := range r.autoscalers {
		problems = append(problems, r.autoscalerProblems(a)...)
	}
	for _, s := range r.scaledObjects {
		problems = append(problems, r.scaledObjectProblems(t, s)...)
	}
	return problems
}

func (r release) deployment(name string) *appsv1.Deployment {
	for _, d := range r.deployments {
		if d.Name == name {
			return d
		}
	}
	return nil
}

func (r release) autoscalerProblems(a *autoscalingv2.HorizontalPodAutoscaler) (problems []string) {
	to := a.Spec.ScaleTargetRef
	d := r.deployment(to.Name)
	if d == nil || to.Kind != "Deployment" || to.APIVersion != "apps/v1" {
		return []string{fmt.Sprintf("%s scales %s %s, which is nowhere", a.Name, to.Kind, to.Name)}
	}
	if *a.Spec.MinReplicas < 1 || *a.Spec.MinReplicas > a.Spec.MaxReplicas {
		problems = append(problems, fmt.Sprintf("%s: %d to %d pods", a.Name, *a.Spec.MinReplicas, a.Spec.MaxReplicas))
	}
	if len(a.Spec.Metrics) == 0 {
		problems = append(problems, a.Name+" scales by nothing")
	}
	for _, metric := range a.Spec.Metrics {
		if metric.Resource == nil || metric.Resource.Name != corev1.ResourceCPU || metric.Resource.Target.Type != autoscalingv2.UtilizationMetricType {
			problems = append(problems, a.Name+" does not scale by CPU")
		}
	}
	if request := d.Spec.Template.Spec.Containers[0].Resources.Requests.Cpu(); request.IsZero() {
		problems = append(problems, a.Name+" scales by a share of a CPU request that is not there")
	}
	return problems
}

func (r release) scaledObjectProblems(t *testing.T, s *kedav1alpha1.ScaledObject) (problems []string) {
	to := s.Spec.ScaleTargetRef
	if d := r.deployment(to.Name); d == nil || role(d) != "worker" || to.Kind != "Deployment" || to.APIVersion != "apps/v1" {
		problems = append(problems, fmt.Sprintf("%s scales %s %s, which is no worker", s.Name, to.Kind, to.Name))
	}
	if err := kedav1alpha1.CheckReplicaCountBoundsAreValid(s); err != nil {
		problems = append(problems, err.Error())
	}
	if *s.Spec.MinReplicaCount < 1 {
		problems = append(problems, s.Name+": without a worker nobody looks after retries")
	}
	var seen []string
	for _, trigger := range s.Spec.Triggers {
		seen = append(seen, metricName.FindAllString(trigger.Metadata["query"], -1)...)
		problems = append(problems, triggerProblems(t, trigger)...)
	}
	slices.Sort(seen)
	if want := []string{"outhook_oldest_runnable_delivery_age_seconds", "outhook_queue_pending"}; !slices.Equal(seen, want) {
		problems = append(problems, fmt.Sprintf("%s scales by %q, want %q", s.Name, seen, want))
	}
	return problems
}

var metricName = regexp.MustCompile(`outhook_[a-z_]+`)

// triggerProblems: KEDA's scaler for Prometheus knows each of its parameters, and two processes that export the same gauge do
// not add up.
func triggerProblems(t *testing.T, trigger kedav1alpha1.ScaleTriggers) (problems []string) {
	for name := range trigger.Metadata {
		if !slices.ContainsFunc(parameters(t, trigger.Type), func(p parameter) bool { return p.Name == name && p.InMetadata }) {
			problems = append(problems, fmt.Sprintf("%s: %s has no parameter %s", trigger.Name, trigger.Type, name))
		}
	}
	for _, p := range parameters(t, trigger.Type) {
		if _, given := trigger.Metadata[p.Name]; !given && p.InMetadata && !p.Optional && p.Default == nil {
			problems = append(problems, fmt.Sprintf("%s: %s needs %s", trigger.Name, trigger.Type, p.Name))
		}
	}
	if threshold, err := strconv.ParseFloat(trigger.Metadata["threshold"], 64); err != nil || threshold <= 0 {
		problems = append(problems, fmt.Sprintf("%s: the threshold is %q", trigger.Name, trigger.Metadata["threshold"]))
	}
	if trigger.Metadata["ignoreNullValues"] != "false" {
		problems = append(problems, trigger.Name+": no answer would be taken for zero, and workers for idle")
	}
	slices.Sort(problems)
	return append(problems, addsUp(t, trigger)...)
}

type parameter struct {
	Name       string `json:"name"`
	Optional   bool   `json:"optional"`
	Default    any    `json:"default"`
	InMetadata bool   `json:"metadataVariableReadable"`
}

// scalers is what KEDA publishes about the parameters of its scalers.
var scalers = sync.OnceValues(func() (map[string][]parameter, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/kedacore/keda/v2").Output()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema/generated/scalers-schema.json"))
	if err != nil {
		return nil, err
	}
	var file struct {
		Scalers []struct {
			Type       string      `json:"type"`
			Parameters []parameter `json:"parameters"`
		} `json:"scalers"`
	}
	found := map[string][]parameter{}
	err = json.Unmarshal(text, &file)
	for _, s := range file.Scalers {
		found[s.Type] = s.Parameters
	}
	return found, err
})

func parameters(t *testing.T, scaler string) []parameter {
	t.Helper()
	all, err := scalers()
	if err != nil {
		t.Fatal(err)
	}
	return all[scaler]
}

// addsUp has Prometheus evaluate the query over the gauges of this installation as one process exports them, then over the same
// from two processes at once, and beside those of another namespace: 7 s, and 2 × 3 tasks, each time.
func addsUp(t *testing.T, trigger kedav1alpha1.ScaleTriggers) []string {
	t.Helper()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		lacking(t, "prometheus")
	}
	want := 7.0
	if strings.Contains(trigger.Metadata["query"], "pending") {
		want = 6
	}
	var tests []any
	for _, pods := range [][]string{{"a"}, {"a", "b"}} {
		tests = append(tests, map[string]any{
			"interval": "15s", "input_series": series(pods),
			"promql_expr_test": []any{map[string]any{
				"expr": trigger.Metadata["query"], "eval_time": "1m", "exp_samples": []any{map[string]any{"labels": "{}", "value": want}},
			}},
		})
	}
	text, err := json.Marshal(map[string]any{"tests": tests})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := write(dir, map[string]string{"test.yaml": string(text)}); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", filepath.Join(dir, "test.yaml")).CombinedOutput(); err != nil {
		return []string{fmt.Sprintf("%s: %v\n%s", trigger.Name, err, out)}
	}
	return nil
}

// series are what promtool is told that pods of this namespace, and one of another, export.
func series(pods []string) (found []any) {
	add := func(in, pod, name, labels, value string) {
		found = append(found, map[string]any{"series": fmt.Sprintf("%s{namespace=%q,pod=%q%s}", name, in, pod, labels), "values": value + "x8"})
	}
	for _, pod := range pods {
		add(namespace, pod, "outhook_oldest_runnable_delivery_age_seconds", "", "7")
		add(namespace, pod, "outhook_queue_pending", `,lane="live",shard="0"`, "3")
		add(namespace, pod, "outhook_queue_pending", `,lane="bulk",shard="1"`, "3")
	}
	add("another", "c", "outhook_oldest_runnable_delivery_age_seconds", "", "500")
	add("another", "c", "outhook_queue_pending", `,lane="live",shard="0"`, "500")
	return found
}
