package deploy_test

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// compose is what the tests ask about compose.yaml.
type compose struct {
	Services map[string]service `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]any `yaml:"volumes"`
}

type service struct {
	Image           string            `yaml:"image"`
	User            string            `yaml:"user"`
	Command         []string          `yaml:"command"`
	Environment     map[string]string `yaml:"environment"`
	Ports           []string          `yaml:"ports"`
	Volumes         []string          `yaml:"volumes"`
	Networks        []string          `yaml:"networks"`
	Restart         string            `yaml:"restart"`
	StopGracePeriod time.Duration     `yaml:"stop_grace_period"`
	ReadOnly        bool              `yaml:"read_only"`
	CapDrop         []string          `yaml:"cap_drop"`
	SecurityOpt     []string          `yaml:"security_opt"`
	MemLimit        string            `yaml:"mem_limit"`
	DependsOn       map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Build struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Healthcheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	Deploy struct {
		Replicas int `yaml:"replicas"`
	} `yaml:"deploy"`
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var file compose
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// ours are the services that run outhook.
func (c compose) ours() map[string]service {
	found := map[string]service{}
	for name, s := range c.Services {
		if strings.HasPrefix(s.Image, "outhook:") {
			found[name] = s
		}
	}
	return found
}

// env is the environment as the process would find it.
func (s service) env(t *testing.T) []string {
	t.Helper()
	var env []string
	variables := given()
	for name, text := range s.Environment {
		value, err := interpolate(text, variables)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		env = append(env, name+"="+value)
	}
	return env
}

func (s service) config(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{Env: s.env(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestComposeHasItsServices(t *testing.T) {
	file := readCompose(t)
	ours := file.ours()
	if len(file.Services) != 5 || len(ours) != 2 {
		t.Fatalf("%d services, %d of them ours; want redis, api, worker, prometheus and grafana", len(file.Services), len(ours))
	}
	if got := ours["api"].Command; !slices.Equal(got, []string{"serve", "--role", "api"}) {
		t.Errorf("api runs %q", got)
	}
	if got := ours["worker"].Command; !slices.Equal(got, []string{"serve", "--role", "worker"}) {
		t.Errorf("worker runs %q", got)
	}
	if ours["worker"].Deploy.Replicas != 2 {
		t.Errorf("%d workers, want 2", ours["worker"].Deploy.Replicas)
	}
	for name, s := range ours {
		if s.Build.Context != ".." || s.Build.Dockerfile != "deploy/Dockerfile" {
			t.Errorf("%s is built from %s in %s", name, s.Build.Dockerfile, s.Build.Context)
		}
		if s.DependsOn["redis"].Condition != "service_healthy" {
			t.Errorf("%s does not wait for a healthy redis", name)
		}
	}
}

// Every OUTHOOK_ variable that the file sets or takes is a key of the configuration.
func TestComposeVariablesAreKeys(t *testing.T) {
	var keys []string
	for _, k := range config.Keys() {
		keys = append(keys, k.Env)
	}
	found := regexp.MustCompile(`OUTHOOK_[A-Z0-9_]+`).FindAllString(read(t, "compose.yaml"), -1)
	if len(found) < 4 {
		t.Fatalf("only %q are in the file", found)
	}
	for _, name := range found {
		if !slices.Contains(keys, name) {
			t.Errorf("%s is no key of the configuration", name)
		}
	}
}

func TestComposeConfigures(t *testing.T) {
	for name, s := range readCompose(t).ours() {
		c := s.config(t)
		if err := c.CheckServe(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if least := c.Shutdown.Delay + c.Shutdown.Grace; s.StopGracePeriod <= least {
			t.Errorf("%s is killed after %v, and may take %v", name, s.StopGracePeriod, least)
		}
		if host, _, _ := net.SplitHostPort(c.Admin.Listen); host != "" {
			t.Errorf("%s: admin.listen %s cannot be reached from other containers", name, c.Admin.Listen)
		}
		if target := c.Redis.URL.Target(); !slices.Equal(target.Hosts, []string{"redis:6379"}) || !target.Password.IsZero() {
			t.Errorf("%s: redis.url names %q, or has a password that would stand in the file", name, target.Hosts)
		}
	}
}

// A secret comes from outside or compose refuses to start.
func TestComposeAsksForSecrets(t *testing.T) {
	for name, s := range readCompose(t).ours() {
		for _, k := range config.Keys() {
			if !k.Secret || k.Default != "" {
				continue
			}
			text := s.Environment[k.Env]
			if !strings.HasPrefix(text, "${"+k.Env+":?") || !strings.HasSuffix(text, "}") || strings.Count(text, "}") != 1 {
				t.Errorf("%s: %s is %q, want ${%s:?message}", name, k.Env, text, k.Env)
			}
			if value, err := interpolate(text, nil); err == nil {
				t.Errorf("%s: %s would be %q when nobody sets it", name, k.Env, value)
			}
		}
	}
}

func TestComposeGivesNoRights(t *testing.T) {
	for name, s := range readCompose(t).Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s has rights that it does not need", name)
		}
		if s.MemLimit == "" || s.Restart == "" || s.StopGracePeriod == 0 {
			t.Errorf("%s has no memory limit, restart policy or grace period", name)
		}
	}
}

// The ports of the API and the operators, on this machine only; of outhook and Redis nothing else is reached from outside.
func TestComposePublishes(t *testing.T) {
	file := readCompose(t)
	api := file.Services["api"].config(t)
	var want []string
	for _, listen := range []string{api.HTTP.Listen, api.Admin.Listen} {
		_, port, err := net.SplitHostPort(listen)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, "127.0.0.1:"+port+":"+port)
	}
	if got := file.Services["api"].Ports; !slices.Equal(got, want) {
		t.Errorf("api publishes %q, want %q", got, want)
	}
	for _, name := range []string{"redis", "worker"} {
		if ports := file.Services[name].Ports; len(ports) > 0 {
			t.Errorf("%s publishes %q", name, ports)
		}
	}
	if got := file.Services["redis"].Networks; len(got) != 1 || !file.Networks[got[0]].Internal {
		t.Errorf("redis is on %q, want one internal network", got)
	}
}

func TestComposeRedisHasItsVolume(t *testing.T) {
	file := readCompose(t)
	s := file.Services["redis"]
	if _, ok := file.Volumes["redis"]; !ok || !slices.Equal(s.Volumes, []string{"redis:/data"}) {
		t.Errorf("redis has the volumes %q, want redis at /data", s.Volumes)
	}
	if s.User == "" || s.User == "root" || len(s.Healthcheck.Test) == 0 {
		t.Errorf("redis runs as %q and is checked by %q", s.User, s.Healthcheck.Test)
	}
}

// A real server takes the command line, and does what the README asks of Redis.
func TestComposeRedisKeeps(t *testing.T) {
	s := readCompose(t).Services["redis"]
	if len(s.Command) == 0 || s.Command[0] != "redis-server" {
		t.Fatalf("redis runs %q", s.Command)
	}
	client := redistest.Start(t, s.Command[1:]...).Client(t)
	for setting, want := range map[string]string{
		"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": "",
	} {
		got, err := client.ConfigGet(t.Context(), setting).Result()
		if err != nil || got[setting] != want {
			t.Errorf("%s is %q, want %q (error %v)", setting, got[setting], want, err)
		}
	}
	if got := client.ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got == "" || got == "0" {
		t.Errorf("maxmemory is %q: the container would be killed where Redis could refuse", got)
	}
}
