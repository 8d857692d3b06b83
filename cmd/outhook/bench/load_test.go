package bench_test

import (
	"encoding/json"
	"strings"
	"testing"

	"go.smobi.com/outhook/cmd/outhook/bench"
)

// TestLoadIsEven wants each endpoint to get the same, each event once an endpoint, and one brand a batch.
func TestLoadIsEven(t *testing.T) {
	for _, test := range []struct{ brands, kinds, fanout, events, batch int }{
		{1, 1, 1, 100, 1}, {1, 1, 10, 100, 10}, {10, 10, 1, 1000, 1}, {10, 10, 1, 10_000, 100}, {30, 10, 1, 1500, 50},
	} {
		all, counted := bench.Deliveries(test.brands, test.kinds, test.fanout, test.events, test.batch)
		if want := test.events * test.fanout; len(all) != want || counted != want {
			t.Errorf("%+v: %d deliveries, counted %d, want %d", test, len(all), counted, want)
		}
		byEndpoint, brandOf, seen := map[int]int{}, map[int]string{}, map[bench.Planned]bool{}
		for _, d := range all {
			byEndpoint[d.Endpoint]++
			if brand, known := brandOf[d.Batch]; known && brand != d.Brand {
				t.Fatalf("%+v: batch %d has brands %s and %s", test, d.Batch, brand, d.Brand)
			}
			if brandOf[d.Batch] = d.Brand; seen[d] {
				t.Fatalf("%+v: twice: %+v", test, d)
			}
			seen[d] = true
		}
		each := test.events / test.brands / test.kinds
		if len(byEndpoint) != test.brands*test.kinds*test.fanout {
			t.Errorf("%+v: %d endpoints get something", test, len(byEndpoint))
		}
		for endpoint, n := range byEndpoint {
			if n != each {
				t.Errorf("%+v: endpoint %d gets %d, want %d", test, endpoint, n, each)
			}
		}
	}
}

func TestGrowthHasAsManyEndpointsAsItSays(t *testing.T) {
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		if got, brands, kinds := bench.Scattered(n); got != n || kinds > 100 {
			t.Errorf("%d: %d endpoints, %d brands with %d kinds", n, got, brands, kinds)
		}
	}
}

func TestBody(t *testing.T) {
	for _, example := range []string{`{"a":1}`, " {\"a\":{\"b\":[]}}\n"} {
		body := bench.Body(example)
		var fields map[string]any
		if err := json.Unmarshal(body, &fields); err != nil || fields["a"] == nil || len(body) != 350 {
			t.Errorf("%q becomes %d bytes: %s: %v", example, len(body), body, err)
		}
	}
}

func TestCommandsAreSortedByCost(t *testing.T) {
	got := bench.Commands(map[string]string{
		"cmdstat_get": "calls=10,usec=5,usec_per_call=0.50", "cmdstat_evalsha": "calls=1,usec=50,usec_per_call=50.00", "other": "x",
	})
	if len(got) != 2 || got[0] != "evalsha" || got[1] != "get" {
		t.Errorf("commands %v", got)
	}
}

// Each queue has as many workers as the others, or one less, and each worker some of them.
func TestPartsOfQueues(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 8, 16} {
		workers := map[string]int{}
		for i := range n {
			part := strings.Split(bench.PartOf(i, n), ",")
			if least := max(1, 8/n); len(part) < least || len(part) > least+1 {
				t.Errorf("%d of %d works %v", i, n, part)
			}
			for _, queue := range part {
				workers[queue]++
			}
		}
		for queue, of := range workers {
			if of != max(1, n/8) {
				t.Errorf("%d workers: %s is worked by %d", n, queue, of)
			}
		}
		if len(workers) != 8 {
			t.Errorf("%d workers: queues %v", n, workers)
		}
	}
}
