//go:build !linux

package deploy_test

import "testing"

func testAlone(t *testing.T, _ string, _ service) { t.Skip("the image is of linux") }
