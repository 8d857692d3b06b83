package deploy_test

import (
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// prometheusConfig is what the tests ask about prometheus/prometheus.yaml.
type prometheusConfig struct {
	Global struct {
		ScrapeInterval string `yaml:"scrape_interval"`
	} `yaml:"global"`
	RuleFiles     []string `yaml:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		StaticConfigs []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
		DNS []struct {
			Names []string `yaml:"names"`
			Type  string   `yaml:"type"`
			Port  int      `yaml:"port"`
		} `yaml:"dns_sd_configs"`
	} `yaml:"scrape_configs"`
}

func parse[T any](t *testing.T, name string) (parsed T) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, name)), &parsed); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return parsed
}

// targets are the addresses that Prometheus scrapes, by job.
func (c prometheusConfig) targets() map[string][]string {
	found := map[string][]string{}
	for _, scrape := range c.ScrapeConfigs {
		for _, static := range scrape.StaticConfigs {
			found[scrape.JobName] = append(found[scrape.JobName], static.Targets...)
		}
		for _, dns := range scrape.DNS {
			for _, name := range dns.Names {
				found[scrape.JobName] = append(found[scrape.JobName], net.JoinHostPort(name, strconv.Itoa(dns.Port)))
			}
		}
	}
	return found
}

// Every process of ours is scraped where it serves its metrics, under a job that the alerts know, and can be reached.
func TestComposeScrapesEveryProcess(t *testing.T) {
	file := readCompose(t)
	var scraped []string
	for job, targets := range parse[prometheusConfig](t, "prometheus/prometheus.yaml").targets() {
		if !strings.Contains(job, "outhook") {
			t.Errorf("job %s: no alert looks at its up", job)
		}
		for _, target := range targets {
			name, port, err := net.SplitHostPort(target)
			if err != nil {
				t.Fatal(err)
			}
			s, ok := file.ours()[name]
			if !ok {
				t.Errorf("%s is none of our services", name)
				continue
			}
			scraped = append(scraped, name)
			if _, want, _ := net.SplitHostPort(s.config(t).Admin.Listen); port != want {
				t.Errorf("%s is scraped at %s, and listens at %s", name, port, want)
			}
			if !shareNetwork(s, file.Services["prometheus"]) {
				t.Errorf("%s is on no network of prometheus", name)
			}
		}
	}
	for name := range file.ours() {
		if !slices.Contains(scraped, name) {
			t.Errorf("%s is not scraped", name)
		}
	}
}

// A service of several containers is found by all of its addresses.
func TestComposeScrapesEveryReplica(t *testing.T) {
	for _, scrape := range parse[prometheusConfig](t, "prometheus/prometheus.yaml").ScrapeConfigs {
		for _, static := range scrape.StaticConfigs {
			for _, target := range static.Targets {
				name, _, _ := net.SplitHostPort(target)
				if n := readCompose(t).Services[name].Deploy.Replicas; n > 1 {
					t.Errorf("%s has %d replicas and one static target", name, n)
				}
			}
		}
		for _, dns := range scrape.DNS {
			if dns.Type != "A" {
				t.Errorf("%s asks for %s records: the engine's DNS has addresses alone", scrape.JobName, dns.Type)
			}
		}
	}
}

func shareNetwork(a, b service) bool {
	return slices.ContainsFunc(a.Networks, func(name string) bool { return slices.Contains(b.Networks, name) })
}

// Nobody but this machine reaches any port, and images do not change by themselves.
func TestComposePinsAndPublishesOnLoopback(t *testing.T) {
	file := readCompose(t)
	for name, s := range file.Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s to everybody", name, port)
			}
		}
		if !strings.HasPrefix(s.Image, "outhook:") && !regexp.MustCompile(`:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$`).MatchString(s.Image) {
			t.Errorf("%s is of %s, which is no version", name, s.Image)
		}
	}
	for name, want := range map[string]string{"prometheus": "127.0.0.1:9090:9090", "grafana": "127.0.0.1:3000:3000"} {
		if got := file.Services[name].Ports; !slices.Equal(got, []string{want}) {
			t.Errorf("%s publishes %q, want %s", name, got, want)
		}
	}
}

// inside answers which file of this folder a service sees at that path, by its mounts.
func (s service) inside(t *testing.T, at string) string {
	t.Helper()
	for _, volume := range s.Volumes {
		parts := strings.Split(volume, ":")
		if rest, ok := strings.CutPrefix(at, parts[1]); ok && strings.HasPrefix(parts[0], "./") {
			if len(parts) != 3 || parts[2] != "ro" {
				t.Errorf("%s may be written to", volume)
			}
			return filepath.Join(parts[0], filepath.FromSlash(rest))
		}
	}
	t.Fatalf("nothing is mounted at %s", at)
	return ""
}

// Prometheus starts with the configuration of this folder, with the rules, and keeps what it has on its volume.
func TestComposePrometheusReadsItsFiles(t *testing.T) {
	s := readCompose(t).Services["prometheus"]
	flags := map[string]string{}
	for _, word := range s.Command {
		name, value, _ := strings.Cut(word, "=")
		flags[name] = value
	}
	file := s.inside(t, flags["--config.file"])
	if file != filepath.FromSlash("prometheus/prometheus.yaml") {
		t.Errorf("it reads %s", file)
	}
	if rules := parse[prometheusConfig](t, file).RuleFiles; !slices.Equal(rules, []string{"alerts.yaml"}) {
		t.Errorf("it reads the rules %q", rules)
	}
	if !slices.Contains(s.Volumes, "prometheus:"+flags["--storage.tsdb.path"]) {
		t.Errorf("it keeps what it has in %s, and has the volumes %q", flags["--storage.tsdb.path"], s.Volumes)
	}
}

// provisioning are the two files that tell Grafana where its data and its dashboards are.
type provisioning struct {
	Datasources []struct {
		Type      string `yaml:"type"`
		URL       string `yaml:"url"`
		IsDefault bool   `yaml:"isDefault"`
		JSONData  struct {
			TimeInterval string `yaml:"timeInterval"`
		} `yaml:"jsonData"`
	} `yaml:"datasources"`
	Providers []struct {
		Type    string `yaml:"type"`
		Options struct {
			Path string `yaml:"path"`
		} `yaml:"options"`
	} `yaml:"providers"`
}

func TestComposeGrafanaReadsItsFiles(t *testing.T) {
	s := readCompose(t).Services["grafana"]
	folder := s.inside(t, s.Environment["GF_PATHS_PROVISIONING"])
	providers := parse[provisioning](t, filepath.Join(folder, "dashboards", "outhook.yaml")).Providers
	if len(providers) != 1 || providers[0].Type != "file" {
		t.Fatalf("dashboards come from %v", providers)
	}
	for _, at := range []string{path.Join(providers[0].Options.Path, "outhook.json"), s.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]} {
		if file := s.inside(t, at); file != filepath.FromSlash(dashboardFile) {
			t.Errorf("%s is %s", at, file)
		}
	}
	if _, err := os.Stat(dashboardFile); err != nil {
		t.Error(err)
	}
}

// Grafana asks the Prometheus of the file, and knows how often that one scrapes: a rate over less has no data.
func TestComposeGrafanaAsksPrometheus(t *testing.T) {
	file := readCompose(t)
	sources := parse[provisioning](t, "grafana/provisioning/datasources/prometheus.yaml").Datasources
	if len(sources) != 1 || sources[0].Type != "prometheus" || !sources[0].IsDefault {
		t.Fatalf("datasources are %v, want one Prometheus, the default", sources)
	}
	source, err := url.Parse(sources[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	asked, ok := file.Services[source.Hostname()]
	if !ok || !slices.Equal(asked.Ports, []string{"127.0.0.1:" + source.Port() + ":" + source.Port()}) || !shareNetwork(asked, file.Services["grafana"]) {
		t.Errorf("it asks %s, which is no service that it reaches", source)
	}
	if every := parse[prometheusConfig](t, "prometheus/prometheus.yaml").Global.ScrapeInterval; sources[0].JSONData.TimeInterval != every {
		t.Errorf("it takes %s for the time between scrapes, which is %s", sources[0].JSONData.TimeInterval, every)
	}
}

// Who looks needs no password, and so there must be nobody who may change things.
func TestComposeGrafanaHasNoAdmin(t *testing.T) {
	env := readCompose(t).Services["grafana"].Environment
	for name, want := range map[string]string{
		"GF_AUTH_ANONYMOUS_ENABLED": "true", "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer", "GF_AUTH_BASIC_ENABLED": "false",
		"GF_AUTH_DISABLE_LOGIN_FORM": "true", "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %s", name, env[name], want)
		}
	}
}
