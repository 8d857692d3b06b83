package charttest

import (
	"bufio"
	"fmt"
	"strings"

	kedav1alpha1 "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// objects are those of a release, by kind.
type objects struct {
	names         map[string]bool
	deployments   []*appsv1.Deployment
	services      []*corev1.Service
	configMaps    []*corev1.ConfigMap
	accounts      []*corev1.ServiceAccount
	budgets       []*policyv1.PodDisruptionBudget
	autoscalers   []*autoscalingv2.HorizontalPodAutoscaler
	scaledObjects []*kedav1alpha1.ScaledObject
	policies      []*networkingv1.NetworkPolicy
	ingresses     []*networkingv1.Ingress
	podMonitors   []*monitoringv1.PodMonitor
	rules         []*monitoringv1.PrometheusRule
}

// add returns what is wrong with the object by itself: its name, its labels, or that it is of no kind that this chart has.
func (o *objects) add(object runtime.Object, kind string) []string {
	switch is := object.(type) {
	case *appsv1.Deployment:
		o.deployments = append(o.deployments, is)
	case *corev1.Service:
		o.services = append(o.services, is)
	case *corev1.ConfigMap:
		o.configMaps = append(o.configMaps, is)
	case *corev1.ServiceAccount:
		o.accounts = append(o.accounts, is)
	case *policyv1.PodDisruptionBudget:
		o.budgets = append(o.budgets, is)
	case *autoscalingv2.HorizontalPodAutoscaler:
		o.autoscalers = append(o.autoscalers, is)
	case *kedav1alpha1.ScaledObject:
		o.scaledObjects = append(o.scaledObjects, is)
	case *networkingv1.NetworkPolicy:
		o.policies = append(o.policies, is)
	case *networkingv1.Ingress:
		o.ingresses = append(o.ingresses, is)
	case *monitoringv1.PodMonitor:
		o.podMonitors = append(o.podMonitors, is)
	case *monitoringv1.PrometheusRule:
		o.rules = append(o.rules, is)
	default:
		return []string{"no check knows a " + kind}
	}
	return o.named(object.(metav1.Object), kind)
}

func (o *objects) named(object metav1.Object, kind string) (problems []string) {
	name := kind + " " + object.GetName()
	if o.names[name] {
		problems = append(problems, name+" is there twice")
	}
	if o.names == nil {
		o.names = map[string]bool{}
	}
	o.names[name] = true
	for _, rule := range validation.IsDNS1123Label(object.GetName()) {
		problems = append(problems, name+": "+rule)
	}
	if object.GetNamespace() != namespace {
		problems = append(problems, name+" is not in the namespace of the release")
	}
	if is, ok := object.(*appsv1.Deployment); ok {
		problems = append(problems, badLabels(name, is.Spec.Template.Labels)...)
	}
	return append(problems, badLabels(name, object.GetLabels())...)
}

func badLabels(name string, labels map[string]string) (problems []string) {
	for _, err := range metavalidation.ValidateLabels(labels, field.NewPath("labels")) {
		problems = append(problems, fmt.Sprintf("%s: %v", name, err))
	}
	return problems
}

// role is "api" or "worker", by what a deployment's container runs.
func role(d *appsv1.Deployment) string {
	args := d.Spec.Template.Spec.Containers[0].Args
	if len(args) == 3 && args[0] == "serve" && args[1] == "--role" {
		return args[2]
	}
	return ""
}

func newLines(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }
