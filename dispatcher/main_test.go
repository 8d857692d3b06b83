package dispatcher_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childRole) != "" {
		runChild()
		return
	}
	goleak.VerifyTestMain(m)
}
