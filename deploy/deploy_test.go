// Package deploy_test holds what is in this folder against the program that it deploys.
package deploy_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"go.smobi.com/outhook/queue/embedded/redistest"
)

func TestMain(m *testing.M) {
	_ = os.Unsetenv(redistest.EnvACL) // what compose starts has users of its own
	goleak.VerifyTestMain(m)
}

// given is what an operator has to set before compose starts anything.
func given() map[string]string {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return map[string]string{
		"OUTHOOK_AUTH_ADMIN_KEY": rand.Text() + rand.Text(),
		"OUTHOOK_SECRETS_KEYS":   "k1:" + base64.StdEncoding.EncodeToString(key),
	}
}

// interpolate replaces ${NAME}, ${NAME:-default} and ${NAME:?message} as compose does.
func interpolate(text string, variables map[string]string) (string, error) {
	var missing []string
	out := os.Expand(text, func(inside string) string {
		name, rest, _ := strings.Cut(inside, ":")
		if value := variables[name]; value != "" {
			return value
		}
		standard, ok := strings.CutPrefix(rest, "-")
		if !ok {
			missing = append(missing, inside)
		}
		return standard
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("not set: %s", strings.Join(missing, ", "))
	}
	return out, nil
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
