package dispatcher_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childRole) != "" {
		runChild()
		return
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil { // they wait for retries more than they work
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
