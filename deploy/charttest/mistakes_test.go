package charttest

import (
	"slices"
	"strings"
	"testing"
)

// refused are values that helm refuses, and what it then says.
var refused = []struct{ name, values, says string }{
	{"a value that is none", "replicas: 3", "replicas"},
	{"one below", "api: {replica: 3}", "replica"},
	{"a key that the program does not have", "config: {retry: {maxTries: 3}}", "maxTries"},
	{"a section that it does not have", "config: {retries: {maxAge: 1h}}", "retries"},
	{"a secret in the values", "config: {auth: {adminKey: not-even-a-real-one-but-32-characters}}", "auth"},
	{"an address of Redis in the values", "config: {redis: {url: 'redis://redis:6379'}}", "url"},
	{"a wrong type", "api: {replicas: many}", "replicas"},
	{"none", "worker: {replicas: 0}", "replicas"},
	{"operators' port on loopback", "config: {admin: {listen: '127.0.0.1:8081'}}", "listen"},
	{"a port that only root may open", "config: {http: {listen: ':80'}}", "listen"},
	{"one port for both", "config: {http: {listen: ':8081'}}", "two ports"},
	{"a grace that does not fit", "config: {shutdown: {grace: 55s}}", "terminationGracePeriodSeconds"},
	{"a grace that does not fit, in minutes", "config: {shutdown: {delay: 1h1m1s}}", "3701 s"},
	{"a grace that the program refuses", "config: {shutdown: {grace: 37s}}", "config.shutdown.grace"},
	{"a pod that ends too soon", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds"},
	{"a grace that is no duration", "config: {shutdown: {grace: soon}}", "grace"},
	{"two that scale the workers", "worker: {autoscaling: {enabled: true}, keda: {enabled: true, serverAddress: 'http://p:9090'}}", "only one of them"},
	{"KEDA without Prometheus", "worker: {keda: {enabled: true}}", "serverAddress"},
	{"KEDA down to nothing", "worker: {keda: {enabled: true, serverAddress: 'http://p:9090', minReplicas: 0}}", "minReplicas"},
	{"KEDA upside down", "worker: {keda: {enabled: true, serverAddress: 'http://p:9090', minReplicas: 20}}", "minReplicas"},
	{"autoscaling upside down", "api: {autoscaling: {enabled: true, minReplicas: 20}}", "minReplicas"},
	{"a budget of nothing", "api: {podDisruptionBudget: {maxUnavailable: 0}}", "maxUnavailable"},
	{"a budget of no percent", "api: {podDisruptionBudget: {maxUnavailable: 0%}}", "maxUnavailable"},
	{"root", "runAsUser: 0", "runAsUser"},
	{"memory that Go is not told of", "worker: {resources: {limits: {memory: 1e9}}}", "memory"},
	{"a tag for a digest", "image: {digest: v1.2.3}", "digest"},
	{"an ingress without hosts", "ingress: {enabled: true}", "hosts"},
	{"a peer that selects nothing", "networkPolicy: {redis: {to: [{}]}}", "redis"},
	{"a peer with another name", "networkPolicy: {apiFrom: [{namespace: web}]}", "apiFrom"},
	{"scrapes too far apart for the gauges that one process exports", "monitoring: {podMonitor: {enabled: true, interval: 1m}}", "interval"},
	{"nothing at all", "{api: {enabled: false}, worker: {enabled: false}}", "enabled"},
}

func TestRefusedValues(t *testing.T) {
	for _, v := range refused {
		t.Run(v.name, func(t *testing.T) {
			_, err := render(t, releaseName, v.values)
			if err == nil || !strings.Contains(err.Error(), v.says) {
				t.Errorf("helm says %v, want something about %q", err, v.says)
			}
		})
	}
}

// mistake is a slip in a template: what it would have rendered, and what the check of that name then says.
type mistake struct{ check, file, old, new, says string }

// mistakes are made in what production values render.
var mistakes = []mistake{
	{"types", "deployments.yaml", "imagePullPolicy:", "imagePulPolicy:", "imagePulPolicy"},
	{"types", "deployments.yaml", "maxSurge: 1", "maxSurge: {}", "maxSurge"},
	{"types", "deployments.yaml", "  namespace: smobi", "  namespace: smobi\n  namespace: smobi", "namespace"},
	{"types", "deployments.yaml", "kind: Deployment", "kind: Deploymant", "Deploymant"},
	{"types", "deployments.yaml", "apiVersion: apps/v1", "apiVersion: apps/v1beta9", "v1beta9"},
	{"types", "deployments.yaml", "namespace: smobi", "namespace: default", "namespace of the release"},
	{"types", "deployments.yaml", "name: outhook-api", "name: Outhook_API", "lower case"},
	{"types", "deployments.yaml", "name: outhook-worker", "name: outhook-api", "twice"},
	{"types", "service.yaml", "app.kubernetes.io/component: api", "app.kubernetes.io/component: the api", "label"},
	{"types", "scaledobject.yaml", "minReplicaCount:", "minReplicas:", "minReplicas"},
	{"types", "scaledobject.yaml", `threshold: "1000"`, "threshold: 1000", "metadata of type string"},
	{"types", "podmonitor.yaml", "podMetricsEndpoints:", "endpoints:", "endpoints"},
	{"types", "prometheusrule.yaml", "expr:", "expression:", "expression"},
	{"types", "autoscalers.yaml", "minReplicas:", "minReplicaCount:", "minReplicaCount"},
	{"types", "networkpolicy.yaml", "podSelector: {}", "podSelector: []", "podSelector"},

	{"configuration", "deployments.yaml", "OUTHOOK_REDIS_URL", "OUTHOOK_REDIS_URI", "OUTHOOK_REDIS_URI: unknown variable"},
	{"configuration", "deployments.yaml", "enableServiceLinks: false", "enableServiceLinks: true", "OUTHOOK_PORT: unknown variable"},
	{"configuration", "deployments.yaml", "GOMEMLIMIT", "GO_MEM_LIMIT", "GO_MEM_LIMIT"},
	{"configuration", "deployments.yaml", "value: 1843MiB", "value: 1.8GiB", "GOMEMLIMIT"},
	{"configuration", "deployments.yaml", "mountPath: /etc/outhook", "mountPath: /etc/hook", "no such file"},
	{"configuration", "deployments.yaml", "key: secrets.keys", "key: auth.adminKey", "secrets.keys"},
	{"configuration", "deployments.yaml", "configMap:\n            name: outhook", "configMap:\n            name: outhooks", "outhooks"},
	{"configuration", "configmap.yaml", "shards: 8", "shards: 800", "queue.shards"},
	{"configuration", "configmap.yaml", "concurrency:", "concurency:", "concurency"},
	{"configuration", "configmap.yaml", "grace: 40s", "grace: 30s", "shutdown.grace"},

	{"ladder", "deployments.yaml", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 45", "killed"},
	{"ladder", "configmap.yaml", "grace: 40s", "grace: 1m", "killed"},
	{"ladder", "deployments.yaml", "startupProbe:", "lifecycle: {preStop: {sleep: {seconds: 20}}}\n          startupProbe:", "killed"},
	{"ladder", "deployments.yaml", "startupProbe:", "lifecycle: {preStop: {httpGet: {port: admin}}}\n          startupProbe:", "preStop"},

	{"ports", "deployments.yaml", "containerPort: 8080", "containerPort: 8088", "8088"},
	{"ports", "configmap.yaml", "listen: :8081", "listen: 127.0.0.1:8081", "outside the pod"},
	{"ports", "deployments.yaml", "            - name: OUTHOOK_CONFIG\n              value: /etc/outhook/outhook.yaml\n", "", "outside the pod"},
	{"ports", "deployments.yaml", "path: /readyz", "path: /healthz", "readiness"},
	{"ports", "deployments.yaml", "path: /healthz", "path: /health", "liveness"},
	{"ports", "deployments.yaml", "{path: /readyz, port: admin}", "{path: /readyz, port: http}", "readiness"},
	{"ports", "deployments.yaml", "timeoutSeconds: 3", "timeoutSeconds: 1", "waits no longer"},

	{"selectors", "service.yaml", "component: api\n  ports", "component: worker\n  ports", "worker"},
	{"selectors", "service.yaml", "    app.kubernetes.io/component: api\n  ports", "  ports", "service"},
	{"selectors", "service.yaml", "targetPort: http", "targetPort: web", "no port web"},
	{"selectors", "poddisruptionbudgets.yaml", "      app.kubernetes.io/instance: outhook\n      app.kubernetes.io/component: worker", "      app.kubernetes.io/instance: outhook", "budget"},
	{"selectors", "networkpolicy.yaml", "      app.kubernetes.io/instance: outhook\n  policyTypes", "      app.kubernetes.io/instance: other\n  policyTypes", "policy"},
	{"selectors", "networkpolicy.yaml", "port: admin", "port: metrics", "no port metrics"},
	{"selectors", "podmonitor.yaml", "port: admin", "port: metrics", "no port metrics"},
	{"selectors", "podmonitor.yaml", "replacement: outhook-$1", "replacement: outhook", "the job \"outhook\""},
	{"selectors", "podmonitor.yaml", "replacement: outhook-$1", "replacement: $1", "the job \"api\""},
	{"selectors", "podmonitor.yaml", "__meta_kubernetes_pod_label_app_kubernetes_io_component", "__meta_kubernetes_pod_label_component", "the job \"\""},
	{"selectors", "deployments.yaml", "matchLabelKeys: [app.kubernetes.io/component, pod-template-hash]", "", "another role"},
	{"selectors", "deployments.yaml", "          labelSelector:\n            matchLabels:\n              app.kubernetes.io/name: outhook", "          labelSelector:\n            matchLabels:\n              app.kubernetes.io/name: hook", "spread"},
	{"selectors", "ingress.yaml", "name: http", "name: https", "https"},

	{"disruption", "poddisruptionbudgets.yaml", "maxUnavailable: 1", "maxUnavailable: 0", "blocks"},
	{"disruption", "poddisruptionbudgets.yaml", "maxUnavailable: 1", "minAvailable: 3", "blocks"},
	{"disruption", "poddisruptionbudgets.yaml", "maxUnavailable: 25%", "maxUnavailable: 100%", "all pods"},
	{"disruption", "poddisruptionbudgets.yaml", "app.kubernetes.io/component: worker", "app.kubernetes.io/component: api", "no budget"},

	{"network", "networkpolicy.yaml", "              - 10.0.0.0/8\n", "", "10.0.0.0"},
	{"network", "networkpolicy.yaml", "              - 169.254.0.0/16\n", "", "169.254"},
	{"network", "networkpolicy.yaml", "              - 2002::/16\n", "", "2002::"},
	{"network", "networkpolicy.yaml", "172.16.0.0/12", "172.16.0.0/11", "172.15.255.255"},
	{"network", "networkpolicy.yaml", "- 3fff::/20", "- 3fff::/2", "no part of"},
	{"network", "networkpolicy.yaml", "- 2002::/16", "- 4002::/16", "no part of"},
	{"network", "networkpolicy.yaml", "cidr: 10.20.0.0/24", "cidr: 10.20.0.7/24", "no prefix"},
	{"network", "networkpolicy.yaml", "cidr: 2000::/3", "cidr: 2000::/4", "3ffe"},
	{"network", "networkpolicy.yaml", "        - port: 8443\n          protocol: TCP\n", "", "8443"},
	{"network", "networkpolicy.yaml", "        - port: 80\n          protocol: TCP\n", "        - {port: 25, protocol: TCP}\n", "port 25"},
	{"network", "networkpolicy.yaml", "        - {protocol: UDP, port: 53}\n", "", "kube-dns"},
	{"network", "networkpolicy.yaml", "              kubernetes.io/metadata.name: kube-system\n", "              kubernetes.io/metadata.name: dns\n", "kube-dns"},
	{"network", "networkpolicy.yaml", "cidr: 10.20.0.0/24", "cidr: 10.20.0.0/16", "10.20.1.9"},
	{"network", "networkpolicy.yaml", "        - {protocol: TCP, port: 26379}\n", "", "26379"},
	{"network", "networkpolicy.yaml", "port: http", "port: admin", "to http"},
	{"network", "networkpolicy.yaml", "    - from:\n        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: monitoring\n      ports", "    - ports", "elsewhere to admin"},
	{"network", "networkpolicy.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "Ingress"},

	{"secrets", "deployments.yaml", "name: outhook\n                  key: secrets.keys", "name: outhook-secret\n                  key: secrets.keys", "outhook-secret"},
	{"secrets", "deployments.yaml", "key: secrets.keys", "key: secrets", "secrets"},
	{"secrets", "deployments.yaml", "valueFrom:\n                secretKeyRef:\n                  name: outhook\n                  key: redis.url", "value: redis://10.0.0.1:6379", "stands in the manifest"},
	{"secrets", "deployments.yaml", "                  optional: true\n", "", "may be missing"},

	{"rights", "deployments.yaml", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token"},
	{"rights", "serviceaccount.yaml", "automountServiceAccountToken: false", "", "token"},
	{"rights", "serviceaccount.yaml", "name: outhook\n  namespace", "name: hook\n  namespace", "account"},
	{"rights", "deployments.yaml", "runAsNonRoot: true", "", "root"},
	{"rights", "deployments.yaml", "runAsUser: 65532", "runAsUser: 1000", "user"},
	{"rights", "deployments.yaml", "type: RuntimeDefault", "type: Unconfined", "kernel"},
	{"rights", "deployments.yaml", "allowPrivilegeEscalation: false", "", "somebody else"},
	{"rights", "deployments.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "write"},
	{"rights", "deployments.yaml", "drop: [ALL]", "drop: [ALL]\n              add: [NET_RAW]", "capabilities"},
	{"rights", "deployments.yaml", "enableServiceLinks: false", "enableServiceLinks: false\n      hostNetwork: true", "node"},

	{"memory", "deployments.yaml", "              memory: 2Gi\n", "", "all memory"},
	{"memory", "deployments.yaml", "memory: 2Gi", "memory: 4Gi", "GOMEMLIMIT"},
	{"memory", "deployments.yaml", "memory: 512Mi", "memory: 512Gi", "asks for more"},

	{"scaling", "autoscalers.yaml", "name: outhook-api\n  minReplicas", "name: outhook-worker\n  minReplicas", "how many pods"},
	{"scaling", "autoscalers.yaml", "name: outhook-api\n  minReplicas", "name: outhook\n  minReplicas", "nowhere"},
	{"scaling", "autoscalers.yaml", "maxReplicas: 12", "maxReplicas: 2", "3 to 2 pods"},
	{"scaling", "autoscalers.yaml", "name: cpu", "name: memory", "CPU"},
	{"scaling", "deployments.yaml", "              cpu: \"1\"\n", "", "CPU request"},
	{"scaling", "deployments.yaml", "  strategy:", "  replicas: 2\n  strategy:", "how many pods"},
	{"scaling", "scaledobject.yaml", "    name: outhook-worker\n  min", "    name: outhook-api\n  min", "no worker"},
	{"scaling", "scaledobject.yaml", "maxReplicaCount: 20", "maxReplicaCount: 2", "MinReplicaCount"},
	{"scaling", "scaledobject.yaml", "minReplicaCount: 3", "minReplicaCount: 0", "retries"},
	{"scaling", "scaledobject.yaml", "outhook_queue_pending", "outhook_queues_pending", "outhook_queues_pending"},
	{"scaling", "scaledobject.yaml", "max(outhook", "sum(outhook", "got:"},
	{"scaling", "scaledobject.yaml", "max by (lane, shard) (outhook_queue_pending{namespace=\\\"smobi\\\"})", "outhook_queue_pending{namespace=\\\"smobi\\\"}", "got:"},
	{"scaling", "scaledobject.yaml", "{namespace=\\\"smobi\\\"}", "", "got:"},
	{"scaling", "scaledobject.yaml", "))\"", ")\"", "parse"},
	{"scaling", "scaledobject.yaml", "serverAddress:", "address:", "no parameter address"},
	{"scaling", "scaledobject.yaml", "serverAddress:", "address:", "needs serverAddress"},
	{"scaling", "scaledobject.yaml", `threshold: "5"`, `threshold: "5s"`, "threshold"},
	{"scaling", "scaledobject.yaml", `ignoreNullValues: "false"`, `ignoreNullValues: "true"`, "zero"},

	{"rollout", "configmap.yaml", "shards: 8", "shards: 9", "does not replace"},
	{"rollout", "deployments.yaml", "maxUnavailable: 0", "maxUnavailable: 1", "fewer"},
	{"rollout", "deployments.yaml", "type: RollingUpdate", "type: Recreate", "fewer"},

	{"start", "deployments.yaml", "serve, --role, worker", "serve, --roles, worker", "unknown flag"},
	{"start", "deployments.yaml", "path: /healthz", "path: /healthz/", "does not answer 200"},
	{"start", "podmonitor.yaml", "path: /metrics", "path: /metric", "/metric does not answer"},
	{"start", "scaledobject.yaml", "outhook_queue_pending", "outhook_queues_pending", "exported by nobody"},
	{"start", "deployments.yaml", "- name: OUTHOOK_SECRETS_KEYS", "- name: OUTHOOK_EGRESS_CA_BUNDLE", "ended before"},
}

// TestMistakes makes one mistake at a time, and sees that its check finds it.
func TestMistakes(t *testing.T) {
	production := cases(t)[1]
	for _, m := range mistakes {
		t.Run(m.check+"/"+m.says, func(t *testing.T) {
			t.Parallel()
			files := production.render(t)
			wrong := strings.ReplaceAll(files[m.file], m.old, m.new)
			if wrong == files[m.file] {
				t.Fatalf("%s has no %q", m.file, m.old)
			}
			files[m.file] = wrong
			r, problems := production.of(t, files)
			if m.check != "types" && len(problems) > 0 {
				t.Fatalf("it cannot be decoded: %q", problems)
			}
			if i := slices.IndexFunc(checks, func(c check) bool { return c.name == m.check }); i >= 0 {
				problems = checks[i].problems(t, r)
			}
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.says) }) {
				t.Errorf("the check %q finds %q, want something about %q", m.check, problems, m.says)
			}
		})
	}
}

// TestEveryCheckHasItsMistakes keeps a check from being one that cannot fail.
func TestEveryCheckHasItsMistakes(t *testing.T) {
	for _, c := range append([]check{{name: "types"}}, checks...) {
		if !slices.ContainsFunc(mistakes, func(m mistake) bool { return m.check == c.name }) {
			t.Errorf("nothing shows that the check %q can fail", c.name)
		}
	}
}
