package bench

import "fmt"

var fanoutColumns = []column{
	{metric: "perSecond", head: "deliveries/s"},
	{metric: "perSecond", head: "x plain", decimals: 2, against: roadPlain},
	{metric: "cpuBoth", head: "CPU s/1,000: both", decimals: 3},
	{metric: "cpuRedis", head: "redis", decimals: 3},
	{metric: "peakMiBRedis", head: "peak MiB: redis"},
}

func fanout(b *bench) []*group {
	var groups []*group
	for _, n := range []int{1, 10, maxFanout} {
		g := newGroup("fan-out", fmt.Sprintf("each event to %d endpoints", n), fanoutColumns...)
		l := layout{Brands: 1, Kinds: 1, Fanout: n, Connections: min(mostOfAll/2, n*mostOfOne)} // one host
		for _, r := range []road{roadPlain, roadBatch} {
			b.addFlatOut(g, r, l, max(1, b.cfg.Events/n))
		}
		groups = append(groups, g)
	}
	return groups
}
