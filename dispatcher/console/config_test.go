package console

import "testing"

func TestFrameAncestors(t *testing.T) {
	for _, good := range [][]string{nil, {"none"}, {"self"}, {"self", "https://app.example.com"}, {"https://*.example.com:8443"}} {
		if err := CheckFrameAncestors("f", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range [][]string{{""}, {"*"}, {"https:"}, {"none", "self"}, {"self", "none"}, {"https://a.example.com; script-src *"}, {"'self'"}} {
		if err := CheckFrameAncestors("f", bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
