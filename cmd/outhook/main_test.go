package main

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// childMark makes this test program be outhook itself, so that tests have real processes without a build.
const childMark = "OUTHOOK_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// outcome is what a command did.
type outcome struct {
	code        int
	out, errOut string
}

// command runs outhook in this process, with nothing on stdin.
func command(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	return commandWith(t, "", env, args...)
}

func commandWith(t *testing.T, stdin string, env []string, args ...string) outcome {
	t.Helper()
	// The API's client keeps connections of the default transport.
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	var out, errOut bytes.Buffer
	code := run(t.Context(), args, env, strings.NewReader(stdin), &out, &errOut)
	return outcome{code, out.String(), errOut.String()}
}
