// Package composetest has compose.yaml and the dashboard read by the libraries of those who read them in earnest. It is a
// module of its own, so that the product does not require what it needs. What they say is held against the program by the
// tests of the folder above.
package composetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeFile = "../compose.yaml"

// given is what the first lines of the file ask for.
var given = []string{"OUTHOOK_AUTH_ADMIN_KEY=" + strings.Repeat("k", 64), "OUTHOOK_SECRETS_KEYS=k1:" + strings.Repeat("A", 43) + "="}

// load reads a file as docker compose does, with these variables and no others.
func load(file string, env ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(env), cli.WithResolvedPaths(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func loaded(t *testing.T) *types.Project {
	t.Helper()
	project, err := load(composeFile, given...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeTakesTheFile(t *testing.T) {
	project := loaded(t)
	if project.Name != "outhook" || len(project.Services) != 5 {
		t.Errorf("project %s has the services %q", project.Name, project.ServiceNames())
	}
	if worker := project.Services["worker"]; worker.GetScale() != 2 {
		t.Errorf("%d workers", worker.GetScale())
	}
	for name, s := range project.Services {
		if err := s.DependsOn; name != "redis" && name != "prometheus" && len(err) == 0 {
			t.Errorf("%s waits for nobody", name)
		}
	}
}

// The variables that nobody else can know are asked for.
func TestComposeAsksForWhatIsMissing(t *testing.T) {
	for i, variable := range given {
		name, _, _ := strings.Cut(variable, "=")
		if _, err := load(composeFile, given[1-i]); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: error %v", name, err)
		}
	}
}

// What is mounted from this folder is there, or the engine would make an empty directory of its name.
func TestMountsAreThere(t *testing.T) {
	mounted := 0
	for name, s := range loaded(t).Services {
		for _, volume := range s.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			mounted++
			if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
				t.Errorf("%s mounts %s, read-only %t: %v", name, volume.Source, volume.ReadOnly, err)
			}
		}
	}
	if mounted != 2 {
		t.Errorf("%d folders are mounted, want those of Prometheus and Grafana", mounted)
	}
}

func TestPortsAreOfThisMachineAlone(t *testing.T) {
	taken := map[string]string{}
	for name, s := range loaded(t).Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" || taken[port.Published] != "" {
				t.Errorf("%s publishes %s at %q, where %q is", name, port.Published, port.HostIP, taken[port.Published])
			}
			taken[port.Published] = name
		}
	}
	if len(taken) != 4 {
		t.Errorf("published are %v", taken)
	}
}

// The library refuses what would not run: one mistake of each kind, made in the file as it is.
func TestMistakesAreFound(t *testing.T) {
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, mistake := range map[string][2]string{
		"an unknown key":       {"    mem_limit: 2g", "    memory_limit: 2g"},
		"a wrong type":         {"replicas: 2", "replicas: two"},
		"an unknown network":   {"networks: [redis] #", "networks: [store] #"},
		"an unknown volume":    {`["redis:/data"]`, `["data:/data"]`},
		"an unknown service":   {"depends_on: {prometheus:", "depends_on: {prom:"},
		"a port out of range":  {"127.0.0.1:3000:3000", "127.0.0.1:3000:300000"},
		"a condition of none":  {"condition: service_started", "condition: service_begun"},
		"a duration of no use": {"interval: 2s", "interval: soon"},
	} {
		if strings.Count(string(text), mistake[0]) != 1 {
			t.Errorf("%s: %q stands in the file %d times", name, mistake[0], strings.Count(string(text), mistake[0]))
		}
		file := filepath.Join(t.TempDir(), "compose.yaml")
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), mistake[0], mistake[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(file, given...); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
