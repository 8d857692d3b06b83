package charttest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// somewhere is a redis.url that nobody connects to.
const somewhere = "redis://redis.example.com:6379/0"

// configurationProblems: the program takes every variable and every line of the file, and none is there that it would not read.
func configurationProblems(t *testing.T, r release) []string {
	return each(r, func(d *appsv1.Deployment) (problems []string) {
		env, err := r.environment(t, d, r.fill(somewhere))
		if err != nil {
			return []string{err.Error()}
		}
		if _, err := asks(t, env, "config", "check"); err != nil {
			problems = append(problems, err.Error())
		}
		for _, variable := range env {
			if name, _, _ := strings.Cut(variable, "="); !strings.HasPrefix(name, "OUTHOOK_") && name != "GOMEMLIMIT" {
				problems = append(problems, name+" is no variable that the program or Go reads")
			}
		}
		return problems
	})
}

// configured is what the program makes of a deployment's environment; it is nil with a problem.
func (r release) configured(t *testing.T, d *appsv1.Deployment) (effective, []string) {
	t.Helper()
	env, err := r.environment(t, d, r.fill(somewhere))
	if err != nil {
		return nil, []string{err.Error()}
	}
	c, err := prints(t, env)
	if err != nil {
		return nil, []string{err.Error()}
	}
	return c, nil
}

// ladderProblems: attempt < task < shutdown.grace is the program's own rule, which "configuration" asks; what is left is that the
// pod lives longer than all of it takes, with a hook before SIGTERM if there is one.
func ladderProblems(t *testing.T, r release) []string {
	return each(r, func(d *appsv1.Deployment) []string {
		c, problems := r.configured(t, d)
		if c == nil {
			return problems
		}
		var sum time.Duration
		for _, key := range []string{"delay", "grace"} {
			took, err := time.ParseDuration(c.text("shutdown", key))
			if err != nil {
				return []string{err.Error()}
			}
			sum += took
		}
		spec := d.Spec.Template.Spec
		if hooks := spec.Containers[0].Lifecycle; hooks != nil && hooks.PreStop != nil {
			if hooks.PreStop.Sleep == nil {
				return []string{"nobody knows how long its preStop hook takes"}
			}
			sum += time.Duration(hooks.PreStop.Sleep.Seconds) * time.Second
		}
		if lives := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second; lives <= sum {
			return []string{fmt.Sprintf("it is killed after %v, and may take %v", lives, sum)}
		}
		return nil
	})
}

// portProblems: the container's ports are those on which the program listens, on all addresses, and the probes ask there.
func portProblems(t *testing.T, r release) []string {
	return each(r, func(d *appsv1.Deployment) []string {
		c, problems := r.configured(t, d)
		if c == nil {
			return problems
		}
		want := []string{"admin"}
		if role(d) == "api" {
			want = append(want, "http")
		}
		container := d.Spec.Template.Spec.Containers[0]
		if len(container.Ports) != len(want) {
			problems = append(problems, fmt.Sprintf("%d ports, want %v", len(container.Ports), want))
		}
		for _, name := range want {
			host, port, err := net.SplitHostPort(c.text(name, "listen"))
			if err != nil || !slices.Contains([]string{"", "0.0.0.0", "::"}, host) {
				problems = append(problems, fmt.Sprintf("%s.listen is %s, which cannot be reached from outside the pod", name, c.text(name, "listen")))
			}
			if found := containerPort(container, intstr.FromString(name)); strconv.Itoa(int(found)) != port {
				problems = append(problems, fmt.Sprintf("its port %s is %d, and it listens on %s", name, found, port))
			}
		}
		return append(problems, probeProblems(c, container)...)
	})
}

func probeProblems(c effective, container corev1.Container) (problems []string) {
	admin, err := c.port("admin")
	if err != nil {
		return []string{err.Error()}
	}
	for name, is := range map[string]struct {
		probe *corev1.Probe
		path  string
	}{
		"startup": {container.StartupProbe, "/healthz"}, "liveness": {container.LivenessProbe, "/healthz"}, "readiness": {container.ReadinessProbe, "/readyz"},
	} {
		switch {
		case is.probe == nil || is.probe.HTTPGet == nil:
			problems = append(problems, "no "+name+" probe")
		case is.probe.HTTPGet.Path != is.path || containerPort(container, is.probe.HTTPGet.Port) != admin:
			problems = append(problems, fmt.Sprintf("its %s probe asks %s at %s", name, is.probe.HTTPGet.Path, is.probe.HTTPGet.Port.String()))
		case name == "readiness" && is.probe.TimeoutSeconds < 2:
			problems = append(problems, "readiness takes up to a second, and its probe waits no longer")
		}
	}
	slices.Sort(problems)
	return problems
}

// containerPort is the number of a port that is named, or the number; 0 when there is none.
func containerPort(container corev1.Container, port intstr.IntOrString) int32 {
	for _, one := range container.Ports {
		if one.Protocol != "" && one.Protocol != corev1.ProtocolTCP {
			continue
		}
		if port.Type == intstr.String && one.Name == port.StrVal || port.Type == intstr.Int && one.ContainerPort == port.IntVal {
			return one.ContainerPort
		}
	}
	return 0
}

// rightsProblems: it runs as the image's user, with no right, no token, and nothing to write to.
func rightsProblems(t *testing.T, r release) []string {
	image := regexp.MustCompile(`(?m)^USER ([0-9]+):([0-9]+)$`).FindStringSubmatch(read(t, "../Dockerfile"))
	problems := each(r, func(d *appsv1.Deployment) (problems []string) {
		spec := d.Spec.Template.Spec
		pod, container := spec.SecurityContext, spec.Containers[0].SecurityContext
		expect := func(ok bool, problem string) {
			if !ok {
				problems = append(problems, problem)
			}
		}
		expect(isFalse(spec.AutomountServiceAccountToken), "it has a token of the cluster")
		expect(!spec.HostNetwork && !spec.HostPID && !spec.HostIPC, "it shares something with its node")
		expect(pod != nil && isTrue(pod.RunAsNonRoot), "it may run as root")
		expect(pod != nil && pod.SeccompProfile != nil && pod.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "it may call anything of the kernel")
		expect(pod != nil && isUser(pod.RunAsUser, image[1]) && isUser(pod.RunAsGroup, image[2]), "it does not run as the image's user")
		expect(container != nil && isFalse(container.AllowPrivilegeEscalation), "it may become somebody else")
		expect(container != nil && isTrue(container.ReadOnlyRootFilesystem), "it may write to its image")
		expect(container != nil && container.Capabilities != nil && slices.Equal(container.Capabilities.Drop, []corev1.Capability{"ALL"}) &&
			len(container.Capabilities.Add) == 0, "it has capabilities")
		expect(len(r.accounts) == 0 || spec.ServiceAccountName == r.accounts[0].Name, "its account "+spec.ServiceAccountName+" is nowhere")
		return problems
	})
	for _, account := range r.accounts {
		if !isFalse(account.AutomountServiceAccountToken) {
			problems = append(problems, "the account gives its token to every pod")
		}
	}
	return problems
}

func isTrue(b *bool) bool  { return b != nil && *b }
func isFalse(b *bool) bool { return b != nil && !*b }

// isUser is also true where the cluster chooses.
func isUser(id *int64, want string) bool { return id == nil || strconv.FormatInt(*id, 10) == want }

// memoryProblems: there is a limit that is no less than the request, and Go collects before it is reached.
func memoryProblems(_ *testing.T, r release) []string {
	return each(r, func(d *appsv1.Deployment) []string {
		container := d.Spec.Template.Spec.Containers[0]
		limit, ok := container.Resources.Limits[corev1.ResourceMemory]
		if !ok {
			return []string{"it may take all memory of its node"}
		}
		var problems []string
		for name, request := range container.Resources.Requests {
			if most, ok := container.Resources.Limits[name]; ok && request.Cmp(most) > 0 {
				problems = append(problems, fmt.Sprintf("it asks for more %s than it may have", name))
			}
		}
		i := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == "GOMEMLIMIT" })
		if i < 0 {
			return append(problems, "it has no GOMEMLIMIT")
		}
		mebibytes, err := strconv.ParseInt(strings.TrimSuffix(container.Env[i].Value, "MiB"), 10, 64)
		if share := float64(mebibytes<<20) / float64(limit.Value()); err != nil || share < 0.85 || share > 0.95 {
			problems = append(problems, fmt.Sprintf("its GOMEMLIMIT is %s of %s", container.Env[i].Value, limit.String()))
		}
		return problems
	})
}

// rolloutProblems: never fewer pods than wanted while they are replaced, and another configuration replaces them.
func rolloutProblems(_ *testing.T, r release) []string {
	if len(r.configMaps) != 1 {
		return []string{fmt.Sprintf("%d ConfigMaps", len(r.configMaps))}
	}
	sum := sha256.Sum256([]byte(strings.TrimSuffix(r.configMaps[0].Data["outhook.yaml"], "\n")))
	return each(r, func(d *appsv1.Deployment) (problems []string) {
		if d.Spec.Template.Annotations["checksum/config"] != hex.EncodeToString(sum[:]) {
			problems = append(problems, "another configuration does not replace its pods")
		}
		rolling := d.Spec.Strategy.RollingUpdate
		if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType || rolling == nil || rolling.MaxUnavailable.String() != "0" || rolling.MaxSurge.IntValue() < 1 {
			problems = append(problems, "it has fewer pods while they are replaced")
		}
		return problems
	})
}

// secretProblems: what the program prints as redacted comes from the Secret that the values name, and stands in no manifest.
func secretProblems(t *testing.T, r release) []string {
	return each(r, func(d *appsv1.Deployment) (problems []string) {
		container := d.Spec.Template.Spec.Containers[0]
		for name, key := range map[string]string{
			"OUTHOOK_REDIS_URL": "redis.url", "OUTHOOK_AUTH_ADMIN_KEY": "auth.adminKey", "OUTHOOK_SECRETS_KEYS": "secrets.keys",
		} {
			i := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == name })
			switch {
			case i < 0:
				problems = append(problems, "it lacks "+name)
			case container.Env[i].ValueFrom == nil || container.Env[i].ValueFrom.SecretKeyRef == nil:
				problems = append(problems, name+" stands in the manifest")
			default:
				ref := container.Env[i].ValueFrom.SecretKeyRef
				if ref.Name != r.secret || ref.Key != r.keys[key] {
					problems = append(problems, fmt.Sprintf("%s comes from %s of the Secret %s", name, ref.Key, ref.Name))
				}
				if optional := key == "auth.adminKey"; isTrue(ref.Optional) != optional {
					problems = append(problems, fmt.Sprintf("%s may be missing: %t", name, !optional))
				}
			}
		}
		slices.Sort(problems)
		return problems
	})
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// startProblems: see [release.starts].
func startProblems(t *testing.T, r release) []string {
	return each(r, func(d *appsv1.Deployment) []string { return r.starts(t, d) })
}
