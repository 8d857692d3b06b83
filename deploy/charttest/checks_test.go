package charttest

import (
	"os"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// release is one rendering of the chart, decoded.
type release struct {
	objects
	manifests manifests
	// secret is the name of the Secret that values tell of, keys what is in it, by keys of the configuration.
	secret string
	keys   map[string]string
	// reach is what the network policy must let through and must not.
	reach []contact
}

// check finds what is wrong with a release.
type check struct {
	name     string
	problems func(t *testing.T, r release) []string
}

// checks are all but "types", which is the decoding, and "values", which is the rendering.
var checks = []check{
	{"configuration", configurationProblems},
	{"ladder", ladderProblems},
	{"ports", portProblems},
	{"selectors", selectorProblems},
	{"disruption", disruptionProblems},
	{"network", networkProblems},
	{"secrets", secretProblems},
	{"rights", rightsProblems},
	{"memory", memoryProblems},
	{"scaling", scalingProblems},
	{"rollout", rolloutProblems},
	{"start", startProblems},
}

// installation is a set of values with which the chart is installed.
type installation struct {
	name, release, values string
	secret                string            // empty is outhook
	keys                  map[string]string // nil is by the keys of the configuration
	reach                 []contact
}

func cases(t *testing.T) []installation {
	t.Helper()
	production, err := os.ReadFile("../chart/values-production.yaml")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a-long-name", 5)[:53] // Helm's longest
	return []installation{
		{name: "default", reach: defaultReach},
		{name: "production", values: string(production), reach: productionReach},
		{name: "everything", release: long, values: everything, reach: everythingReach, secret: "mine",
			keys: map[string]string{"redis.url": "REDIS", "auth.adminKey": "ADMIN", "secrets.keys": "KEYS"}},
		{name: "KEDA with a key", values: withKey, reach: defaultReach},
		{name: "worker alone", values: "api: {enabled: false}", reach: defaultReach},
		{name: "api alone", values: "worker: {enabled: false}", reach: defaultReach},
	}
}

// everything is as much as can be set at once.
const everything = `
nameOverride: hooks
image: {digest: "sha256:` + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + `"}
imagePullSecrets: [{name: registry}]
existingSecret: mine
secretKeys: {redisURL: REDIS, adminKey: ADMIN, encryptionKeys: KEYS}
config:
  http: {listen: "[::]:9000"}
  admin: {listen: 0.0.0.0:9001}
  egress: {ports: [], allow: [10.1.0.0/16, "fd00:1::/32"]}
  shutdown: {delay: 1m10.5s, grace: 1m}
  limits: {payloadBytes: 67108864, requestBytes: 1073741824}
  catalog: {types: [{name: order.shipped, description: An order left}]}
terminationGracePeriodSeconds: 150
api:
  replicas: 1
  resources: {requests: {cpu: 2}, limits: {cpu: null, memory: 700Mi}}
  podAnnotations: {prometheus.io/scrape: "true"}
  podLabels: {team: blue}
  nodeSelector: {pool: web}
  tolerations: [{key: web, operator: Exists, effect: NoSchedule}]
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: arch, operator: Exists}]}]}}}
  priorityClassName: high
worker:
  autoscaling: {enabled: true, minReplicas: 1, maxReplicas: 1, targetCPUUtilizationPercentage: 60}
service: {type: LoadBalancer, port: 80, annotations: {example.com/internal: "true"}}
ingress: {enabled: true, hosts: [a.example.com, b.example.com], annotations: {example.com/size: 8m}}
topologySpreadConstraints: []
serviceAccount: {create: false, name: outhook-account}
runAsUser: null
runAsGroup: null
extraVolumes: [{name: ca, secret: {secretName: authorities}}]
extraVolumeMounts: [{name: ca, mountPath: /etc/ca, readOnly: true}]
networkPolicy:
  adminFrom: []
  redis: {to: []}
  extraEgress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: tracing}}}], ports: [{protocol: TCP, port: 4318}]}]
`

// withKey has what "everything" cannot have beside what it has.
const withKey = `
fullnameOverride: hooks
image: {pullPolicy: Always}
serviceAccount: {name: hooks-account, annotations: {example.com/role: hooks}}
worker:
  keda: {enabled: true, serverAddress: "https://prometheus.example.com", authModes: bearer, authenticationRef: prometheus, oldestRunnableSeconds: 0.5, pendingPerWorker: 2000000}
`

func (k installation) render(t *testing.T) manifests {
	t.Helper()
	if k.release == "" {
		k.release = releaseName
	}
	return mustRender(t, k.release, k.values)
}

// of decodes what was rendered, and returns what is wrong with the objects by themselves.
func (k installation) of(t *testing.T, files manifests) (release, []string) {
	t.Helper()
	found, problems := files.decode(t)
	r := release{objects: found, manifests: files, secret: k.secret, keys: k.keys, reach: k.reach}
	if r.secret == "" {
		r.secret = "outhook"
	}
	if r.keys == nil {
		r.keys = map[string]string{"redis.url": "redis.url", "auth.adminKey": "auth.adminKey", "secrets.keys": "secrets.keys"}
	}
	return r, problems
}

// TestChart puts every case through every check.
func TestChart(t *testing.T) {
	for _, k := range cases(t) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r, problems := k.of(t, k.render(t))
			for _, problem := range problems {
				t.Errorf("types: %s", problem)
			}
			if len(problems) > 0 {
				return
			}
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel() // most of the time is spent on waiting for processes
					for _, problem := range c.problems(t, r) {
						t.Error(problem)
					}
				})
			}
		})
	}
}

// each puts every deployment through a check, and says of which it speaks.
func each(r release, problems func(d *appsv1.Deployment) []string) (found []string) {
	for _, d := range r.deployments {
		for _, problem := range problems(d) {
			found = append(found, role(d)+": "+problem)
		}
	}
	return found
}
