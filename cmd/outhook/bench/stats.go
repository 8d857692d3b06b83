package bench

import (
	"slices"
	"time"
)

// median of values, the mean of the middle two; false of none.
func median(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle], true
	}
	return (sorted[middle-1] + sorted[middle]) / 2, true
}

// quantile is the smallest value that at least this share of the sorted ones do not exceed; 0 of none.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(share*float64(len(sorted)) + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// metrics are the figures of one run by name; what is not known is not there.
type metrics map[string]float64

// medians of each figure over the runs that have it.
func medians(runs []metrics) metrics {
	all := map[string][]float64{}
	for _, run := range runs {
		for name, value := range run {
			all[name] = append(all[name], value)
		}
	}
	out := metrics{}
	for name, values := range all {
		out[name], _ = median(values)
	}
	return out
}

// ratio of two figures; false when one is not known or there is nothing to divide by.
func ratio(of, to metrics, name string) (float64, bool) {
	a, known := of[name]
	b, base := to[name]
	if !known || !base || b == 0 {
		return 0, false
	}
	return a / b, true
}
