package charttest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// effective is a configuration as outhook config print says it: by section and key.
type effective map[string]map[string]any

func (e effective) text(section, key string) string { return fmt.Sprint(e[section][key]) }

func (e effective) port(section string) (int32, error) {
	_, port, err := net.SplitHostPort(e.text(section, "listen"))
	if err != nil {
		return 0, err
	}
	number, err := net.LookupPort("tcp", port)
	return int32(number), err
}

// asks runs the program in this environment and nothing else, and returns what it prints, or what it complains of.
func asks(t *testing.T, env []string, words ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, words...)
	cmd.Dir, cmd.Env = t.TempDir(), append([]string{}, env...) // nil would be that of the test
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("outhook %s: %w: %s", strings.Join(words, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// prints is the configuration that the program makes of an environment.
func prints(t *testing.T, env []string) (effective, error) {
	t.Helper()
	out, err := asks(t, env, "config", "print")
	if err != nil {
		return nil, err
	}
	var found effective
	if err := yaml.Unmarshal([]byte(out), &found); err != nil {
		t.Fatal(err)
	}
	return found, nil
}

// fill is what an operator puts into the Secret that the values tell of.
func (r release) fill(redis string) map[string]string {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return map[string]string{
		r.keys["redis.url"]:     redis,
		r.keys["auth.adminKey"]: rand.Text() + rand.Text(),
		r.keys["secrets.keys"]:  "k1:" + base64.StdEncoding.EncodeToString(key),
	}
}

// environment is what the container of a deployment finds: its variables, with the Secret's values, those that the kubelet adds
// for Services, and the files of its ConfigMaps, below a folder of this test.
func (r release) environment(t *testing.T, d *appsv1.Deployment, secret map[string]string) ([]string, error) {
	t.Helper()
	spec := d.Spec.Template.Spec
	env := r.serviceLinks(spec)
	root := t.TempDir()
	if err := r.mount(root, spec); err != nil {
		return nil, err
	}
	for _, variable := range spec.Containers[0].Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil {
			var err error
			if value, err = r.refers(from, secret); err != nil {
				return nil, fmt.Errorf("%s: %w", variable.Name, err)
			}
		}
		if variable.Name == "OUTHOOK_CONFIG" {
			value = filepath.Join(root, value)
		}
		env = append(env, variable.Name+"="+value)
	}
	return env, nil
}

func (r release) refers(from *corev1.EnvVarSource, secret map[string]string) (string, error) {
	ref := from.SecretKeyRef
	if ref == nil {
		return "", fmt.Errorf("it comes from something else than a Secret")
	}
	value, there := secret[ref.Key]
	if ref.Name != r.secret || !there {
		return "", fmt.Errorf("nobody was told of the key %s in a Secret %s", ref.Key, ref.Name)
	}
	return value, nil
}

// serviceLinks are what the kubelet adds unless the pod says otherwise.
func (r release) serviceLinks(spec corev1.PodSpec) (env []string) {
	if spec.EnableServiceLinks != nil && !*spec.EnableServiceLinks {
		return nil
	}
	for _, s := range r.services {
		name := strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
		env = append(env, name+"_SERVICE_HOST=10.0.0.1", name+"_PORT=tcp://10.0.0.1:8080")
	}
	return env
}

// mount writes the files of all ConfigMaps that the container has.
func (r release) mount(root string, spec corev1.PodSpec) error {
	for _, mount := range spec.Containers[0].VolumeMounts {
		i := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if i < 0 {
			return fmt.Errorf("the volume %s is nowhere", mount.Name)
		}
		if spec.Volumes[i].ConfigMap == nil {
			continue
		}
		name := spec.Volumes[i].ConfigMap.Name
		j := slices.IndexFunc(r.configMaps, func(c *corev1.ConfigMap) bool { return c.Name == name })
		if j < 0 {
			return fmt.Errorf("the ConfigMap %s is nowhere", name)
		}
		if err := write(filepath.Join(root, mount.MountPath), r.configMaps[j].Data); err != nil {
			return err
		}
	}
	return nil
}

func write(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	return nil
}
