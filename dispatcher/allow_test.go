package dispatcher_test

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
)

// Who reads the log of a start sees that the guard has a door.
func TestAllowedRangesAreLogged(t *testing.T) {
	for _, ranges := range []string{"", "10.20.0.0/16"} {
		var log strings.Builder
		cfg := dispatchertest.Config()
		cfg.Redis, cfg.Logger, cfg.Egress.Allow = dispatchertest.Embedded(t), slog.New(slog.NewTextHandler(&log, nil)), nil
		if ranges != "" {
			cfg.Egress.Allow = []netip.Prefix{netip.MustParsePrefix(ranges)}
		}
		if _, err := dispatcher.New(cfg); err != nil {
			t.Fatal(err)
		}
		if said := log.String(); strings.Contains(said, "egress_allow") != (ranges != "") || !strings.Contains(said, ranges) {
			t.Errorf("allow %q: logged %q", ranges, said)
		}
	}
}
