package queue_test

import (
	"strings"
	"testing"

	"go.smobi.com/outhook/queue"
)

func TestDescribeShowsIDsAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, payload, want string }{
		{"delivery", "1 acme evt_1 ep_1 3", "delivery brand=acme event=evt_1 endpoint=ep_1 run=3"},
		{"delivery", "", "unreadable, 0 bytes"},
		{"delivery", "2 acme evt_1 ep_1 3", "unreadable, 19 bytes"},
		{"wake", "1 acme evt_1 ep_1 3", "unreadable, 19 bytes"},
		{"endpoint:wake", "1 acme ep_1 breaker 1735689600123 41", "endpoint:wake brand=acme endpoint=ep_1 waiting=41 gate=breaker until=2025-01-01T00:00:00.123Z"},
		{"endpoint:wake", "1 acme ep_1 rateLimit -1 0", "endpoint:wake brand=acme endpoint=ep_1 waiting=0 gate=rateLimit until=1969-12-31T23:59:59.999Z"},
		{"endpoint:wake", "2 acme ep_1 breaker 1735689600123 41", "unreadable, 36 bytes"},
		{"endpoint:wake", "1 acme ep_1 breaker soon 41", "unreadable, 27 bytes"},
		{"endpoint:wake", "1 acme ep_1 breaker 1735689600123 x", "unreadable, 35 bytes"},
		{"endpoint:wake", "1 acme ep_1 <b> 1735689600123 41", "unreadable, 32 bytes"},
		{"endpoint:wake", "1 acme evt_1 ep_1 3", "unreadable, 19 bytes"},
		{"delivery", "1 acme ep_1 breaker 1735689600123 41", "unreadable, 36 bytes"},
		{"delivery", "1 acme evt_1 ep_1", "unreadable, 17 bytes"},
		{"delivery", "1acme evt_1 ep_1 3", "unreadable, 18 bytes"},
		{"delivery", "1 acme  ep_1 3", "unreadable, 14 bytes"},
		{"delivery", "1 acme evt_1 ep_1 0", "unreadable, 19 bytes"},
		{"delivery", "1 acme evt_1 ep_1 x", "unreadable, 19 bytes"},
		{"delivery", "1 acme evt_1 <b> 3", "unreadable, 18 bytes"},
		{"delivery", `{"to":"15552223333"}`, "unreadable, 20 bytes"},
	} {
		if got := queue.Describe(test.kind, []byte(test.payload)); got != test.want {
			t.Errorf("%s %q: %q", test.kind, test.payload, got)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add("delivery", []byte("1 acme evt_1 ep_1 3"))
	f.Add("delivery", []byte("1 acme evt_1 ep_1 99999999999999999999"))
	f.Add("endpoint:wake", []byte("1 acme ep_1 breaker 1735689600123 41"))
	f.Add("endpoint:wake", []byte("1 acme ep_1 breaker 9223372036854775807 -9"))
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		got := queue.Describe(kind, payload)
		if strings.HasPrefix(got, "unreadable, ") {
			return
		}
		for _, r := range got {
			if r < ' ' || r > '~' || strings.ContainsRune(`<>"'&`, r) {
				t.Errorf("%q of %q", got, payload)
			}
		}
	})
}
