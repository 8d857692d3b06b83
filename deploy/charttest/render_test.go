package charttest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	kedav1alpha1 "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// manifests are what a release renders, by the name of its template.
type manifests map[string]string

const (
	releaseName = "outhook"
	namespace   = "smobi"
)

// render does what helm template does: values against their schema, then the templates.
func render(t *testing.T, release, values string) (manifests, error) {
	t.Helper()
	chart, err := loader.LoadDir("../chart")
	if err != nil {
		t.Fatal(err)
	}
	given, err := common.ReadValues([]byte(values))
	if err != nil {
		t.Fatalf("%v in\n%s", err, values)
	}
	all, err := util.ToRenderValues(chart, given, common.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	found := manifests{}
	for name, text := range files {
		if name := path.Base(name); strings.HasSuffix(name, ".yaml") || name == "NOTES.txt" {
			found[name] = text
		}
	}
	return found, nil
}

func mustRender(t *testing.T, release, values string) manifests {
	t.Helper()
	files, err := render(t, release, values)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// decoder knows the types of Kubernetes, KEDA and the Prometheus operator, and no field that they do not have.
func decoder(t *testing.T) runtime.Decoder {
	t.Helper()
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, kedav1alpha1.AddToScheme, monitoringv1.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	return serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
}

// decode returns all objects, or what is wrong with them.
func (m manifests) decode(t *testing.T) (objects, []string) {
	t.Helper()
	var found objects
	var problems []string
	strict := decoder(t)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if name == "NOTES.txt" {
			continue
		}
		for reader := utilyaml.NewYAMLReader(newLines(m[name])); ; {
			text, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(strings.TrimPrefix(string(text), "---")) == "" {
				continue
			}
			object, kind, err := strict.Decode(text, nil, nil)
			if err != nil {
				problems = append(problems, fmt.Sprintf("%s: %v", name, err))
				continue
			}
			problems = append(problems, found.add(object, kind.Kind)...)
		}
	}
	return found, problems
}
