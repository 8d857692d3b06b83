package egress_test

import (
	"flag"
	"io"
	"log"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait for deadlines more than they work
		panic(err)
	}
	log.SetOutput(io.Discard) // net/http repeats there what receivers send; so does outhook
	goleak.VerifyTestMain(m)
}
