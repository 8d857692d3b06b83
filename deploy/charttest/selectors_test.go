package charttest

import (
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// selected are the roles whose pods a selector finds, sorted. A selector of nothing, which would find all pods there are, finds
// none here.
func (r release) selected(selector *metav1.LabelSelector) []string {
	is, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || is.Empty() {
		return nil
	}
	var found []string
	for _, d := range r.deployments {
		if is.Matches(labels.Set(d.Spec.Template.Labels)) {
			found = append(found, role(d))
		}
	}
	slices.Sort(found)
	return found
}

// all are the roles that there are, sorted.
func (r release) all() []string {
	var found []string
	for _, d := range r.deployments {
		found = append(found, role(d))
	}
	slices.Sort(found)
	return found
}

// selectorProblems: whatever selects pods selects those it is meant for, and whatever names an object or a port names one that
// is there.
func selectorProblems(_ *testing.T, r release) (problems []string) {
	expect := func(what string, selector *metav1.LabelSelector, want ...string) {
		if got := r.selected(selector); !slices.Equal(got, want) {
			problems = append(problems, fmt.Sprintf("%s selects the pods of %q, want %q", what, got, want))
		}
	}
	for _, d := range r.deployments {
		expect("deployment "+d.Name, d.Spec.Selector, role(d))
		for _, spread := range d.Spec.Template.Spec.TopologySpreadConstraints {
			expect("the spread of "+d.Name, spread.LabelSelector, r.all()...)
			if !slices.Equal(spread.MatchLabelKeys, []string{"app.kubernetes.io/component", "pod-template-hash"}) {
				problems = append(problems, "the spread of "+d.Name+" counts pods of another role or version")
			}
		}
	}
	for _, budget := range r.budgets {
		expect("budget "+budget.Name, budget.Spec.Selector, budget.Labels["app.kubernetes.io/component"])
	}
	for _, policy := range r.policies {
		expect("policy "+policy.Name, &policy.Spec.PodSelector, r.all()...)
	}
	for _, monitor := range r.podMonitors {
		expect("monitor "+monitor.Name, &monitor.Spec.Selector, r.all()...)
		for _, d := range r.deployments {
			if job := d.Spec.Template.Labels[monitor.Spec.JobLabel]; job == "" {
				problems = append(problems, "monitor "+monitor.Name+" has no job for "+role(d))
			}
		}
		for _, endpoint := range monitor.Spec.PodMetricsEndpoints {
			problems = append(problems, r.portless(monitor.Name, r.all(), intstr.FromString(*endpoint.Port))...)
		}
	}
	for _, service := range r.services {
		expect("service "+service.Name, &metav1.LabelSelector{MatchLabels: service.Spec.Selector}, "api")
		for _, port := range service.Spec.Ports {
			problems = append(problems, r.portless(service.Name, []string{"api"}, port.TargetPort)...)
		}
	}
	return append(problems, r.nameProblems()...)
}

// portless are the roles whose container lacks a port that somebody names.
func (r release) portless(who string, roles []string, port intstr.IntOrString) (problems []string) {
	for _, d := range r.deployments {
		if slices.Contains(roles, role(d)) && containerPort(d.Spec.Template.Spec.Containers[0], port) == 0 {
			problems = append(problems, fmt.Sprintf("%s: %s has no port %s", who, role(d), port.String()))
		}
	}
	return problems
}

func (r release) nameProblems() (problems []string) {
	for _, ingress := range r.ingresses {
		for _, rule := range ingress.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				to := path.Backend.Service
				if len(r.services) != 1 || to.Name != r.services[0].Name || to.Port.Name != r.services[0].Spec.Ports[0].Name {
					problems = append(problems, "the ingress leads to "+to.Name+", port "+to.Port.Name)
				}
			}
		}
	}
	if api := slices.Contains(r.all(), "api"); api != (len(r.services) == 1) {
		problems = append(problems, fmt.Sprintf("%d services", len(r.services)))
	}
	for _, policy := range r.policies {
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				if missing := r.portless(policy.Name, r.all(), *port.Port); len(missing) == len(r.deployments) && port.Port.StrVal != "http" {
					problems = append(problems, missing...)
				}
			}
		}
	}
	return problems
}

// least is how few pods a deployment may be scaled to.
func (r release) least(d *appsv1.Deployment) (int, error) {
	var found []int32
	if d.Spec.Replicas != nil {
		found = append(found, *d.Spec.Replicas)
	}
	for _, a := range r.autoscalers {
		if a.Spec.ScaleTargetRef.Name == d.Name {
			found = append(found, *a.Spec.MinReplicas)
		}
	}
	for _, s := range r.scaledObjects {
		if s.Spec.ScaleTargetRef.Name == d.Name {
			found = append(found, *s.Spec.MinReplicaCount)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d say how many pods there are", len(found))
	}
	return int(found[0]), nil
}

// disruptionProblems: every deployment has a budget, which leaves one pod and lets one go, however few there are.
func disruptionProblems(_ *testing.T, r release) []string {
	return each(r, func(d *appsv1.Deployment) (problems []string) {
		least, err := r.least(d)
		if err != nil {
			return []string{err.Error()}
		}
		for _, budget := range r.budgets {
			if !slices.Equal(r.selected(budget.Spec.Selector), []string{role(d)}) {
				continue
			}
			goes := least
			if most := budget.Spec.MaxUnavailable; most != nil {
				goes, err = intstr.GetScaledValueFromIntOrPercent(most, least, true)
			} else if remain := budget.Spec.MinAvailable; remain != nil {
				stay, wrong := intstr.GetScaledValueFromIntOrPercent(remain, least, true)
				goes, err = least-stay, wrong
			}
			switch {
			case err != nil:
				problems = append(problems, err.Error())
			case goes < 1:
				problems = append(problems, "its budget blocks every drain of a node")
			case least > 1 && goes >= least:
				problems = append(problems, "its budget lets all pods go at once")
			}
			return problems
		}
		return append(problems, "it has no budget")
	})
}
