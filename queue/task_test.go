package queue_test

import (
	"fmt"
	"strings"
	"testing"

	"go.smobi.com/outhook/queue"
)

// subject is all that is read of a task, as text.
func subject(kind string, payload []byte) string {
	s, ok := queue.SubjectOf(kind, payload)
	switch {
	case !ok:
		return "unreadable"
	case s.Run != nil && s.Wakeup == nil:
		return fmt.Sprintf("run %d of %s", s.Run.Number, s.Run.Brand+":"+s.Run.EventID+":"+s.Run.EndpointID)
	case s.Run == nil && s.Wakeup != nil:
		w := s.Wakeup
		return fmt.Sprintf("%s: %d behind %s until %s", w.Endpoint, w.Waiting, w.Gate, w.At.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return "not one thing"
}

func TestSubjectOfWhatIsOursAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, payload, want string }{
		{"delivery", "1 acme evt_1 ep_1 3", "run 3 of acme:evt_1:ep_1"},
		{"delivery", "", "unreadable"},
		{"delivery", "2 acme evt_1 ep_1 3", "unreadable"},
		{"wake", "1 acme evt_1 ep_1 3", "unreadable"},
		{"endpoint:wake", "1 acme ep_1 breaker 1735689600123 41", "acme:ep_1: 41 behind breaker until 2025-01-01T00:00:00.123Z"},
		{"endpoint:wake", "1 acme ep_1 rateLimit -1 0", "acme:ep_1: 0 behind rateLimit until 1969-12-31T23:59:59.999Z"},
		{"endpoint:wake", "2 acme ep_1 breaker 1735689600123 41", "unreadable"},
		{"endpoint:wake", "1 acme ep_1 breaker soon 41", "unreadable"},
		{"endpoint:wake", "1 acme ep_1 breaker 1735689600123 x", "unreadable"},
		{"endpoint:wake", "1 acme ep_1 <b> 1735689600123 41", "unreadable"},
		{"endpoint:wake", "1 acme evt_1 ep_1 3", "unreadable"},
		{"delivery", "1 acme ep_1 breaker 1735689600123 41", "unreadable"},
		{"delivery", "1 acme evt_1 ep_1", "unreadable"},
		{"delivery", "1acme evt_1 ep_1 3", "unreadable"},
		{"delivery", "1 acme  ep_1 3", "unreadable"},
		{"delivery", "1 acme evt_1 ep_1 0", "unreadable"},
		{"delivery", "1 acme evt_1 ep_1 x", "unreadable"},
		{"delivery", "1 acme evt_1 <b> 3", "unreadable"},
		{"delivery", `{"to":"15552223333"}`, "unreadable"},
	} {
		if got := subject(test.kind, []byte(test.payload)); got != test.want {
			t.Errorf("%s %q: %q", test.kind, test.payload, got)
		}
	}
}

func FuzzSubjectOf(f *testing.F) {
	f.Add("delivery", []byte("1 acme evt_1 ep_1 3"))
	f.Add("delivery", []byte("1 acme evt_1 ep_1 99999999999999999999"))
	f.Add("endpoint:wake", []byte("1 acme ep_1 breaker 1735689600123 41"))
	f.Add("endpoint:wake", []byte("1 acme ep_1 breaker 9223372036854775807 -9"))
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		got := subject(kind, payload)
		if got == "unreadable" {
			return
		}
		for _, r := range got {
			if r < ' ' || r > '~' || strings.ContainsRune(`<>"'&`, r) {
				t.Errorf("%q of %q", got, payload)
			}
		}
	})
}
