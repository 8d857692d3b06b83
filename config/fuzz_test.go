package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.smobi.com/outhook/config"
)

// Whatever a file holds, Load answers; and what loads, prints to something that loads to the same.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatalf("seeds %s: %v", pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, config.Sources{File: yamlFile(t, string(data))})
	})
}

// The same for the text of variables; the number picks the key.
func FuzzVariable(f *testing.F) {
	keys := config.Keys()
	for i, k := range keys {
		f.Add(uint8(i), k.Default)
		f.Add(uint8(i), "[{name: a.b, description: \"\\u2028\", schema: {x: 1e400, y: [null, -0]}}]")
	}
	f.Fuzz(func(t *testing.T, pick uint8, text string) {
		roundTrip(t, config.Sources{Env: []string{keys[int(pick)%len(keys)].Env + "=" + text}})
	})
}

func roundTrip(t *testing.T, src config.Sources) {
	t.Helper()
	c, err := config.Load(src)
	if err != nil {
		return
	}
	c = withoutSecrets(c)
	first := text(t, c)
	again, err := config.Load(config.Sources{File: yamlFile(t, first)})
	if err != nil {
		t.Fatalf("what was printed does not load: %v\n%s", err, first)
	}
	if diff := cmp.Diff(first, text(t, again)); diff != "" {
		t.Errorf("prints differently after loading:\n%s", diff)
	}
	if !reflect.DeepEqual(c, again) {
		t.Errorf("loads to something else: %+v, was %+v", again, c)
	}
}

// withoutSecrets has nothing that Print would redact.
func withoutSecrets(c config.Config) config.Config {
	c.Auth.AdminKey = config.Secret{}
	c.Secrets.Keys = nil
	if target := c.Redis.URL.Target(); !target.Password.IsZero() || !target.SentinelPassword.IsZero() {
		c.Redis.URL = config.Default().Redis.URL
	}
	return c
}
