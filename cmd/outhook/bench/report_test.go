package bench_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/cmd/outhook/bench"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
		known  bool
	}{
		{nil, 0, false},
		{[]float64{3}, 3, true},
		{[]float64{9, 1, 5}, 5, true},
		{[]float64{9, 1, 5, 100}, 7, true},
	} {
		if got, known := bench.Median(test.values...); got != test.want || known != test.known {
			t.Errorf("median of %v is %v, %v, want %v, %v", test.values, got, known, test.want, test.known)
		}
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		sorted []time.Duration
		share  float64
		want   time.Duration
	}{
		{nil, 0.5, 0},
		{hundred[:1], 0.99, 1},
		{hundred[:2], 0.5, 1},
		{hundred, 0.5, 50},
		{hundred, 0.95, 95},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := bench.Quantile(test.share, test.sorted...); got != test.want {
			t.Errorf("quantile %v of %d is %d, want %d", test.share, len(test.sorted), got, test.want)
		}
	}
}

func TestReport(t *testing.T) {
	report := bench.NewReport(map[string][]float64{"plain": {1000, 3000, 2000}, "batch": {5000, 100}, "go": nil}, "plain", "batch", "go")
	var table strings.Builder
	if err := report.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	want := `2 cores, A Model, linux/amd64, go1.26, Redis 7.0.15 (AOF everysec), load at start 0.50

throughput: 1 endpoint (medians of 3 runs; some of fewer)
                            deliveries/s  x plain  api
  (b) plain Asynq                   2000     1.00  n/a
  (d) outhook, batch route          2550     1.27  n/a
  (c) outhook, Go API                n/a      n/a  n/a
`
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	const wantJSON = `{"machine":{"cores":2,"model":"A Model","os":"linux/amd64","go":"go1.26","redis":"Redis 7.0.15 (AOF everysec)","load":0.5},` +
		`"repeat":3,"seconds":1.5,"groups":[{"scenario":"throughput","title":"1 endpoint","rows":[` +
		`{"name":"plain","runs":[{"perSecond":1000},{"perSecond":3000},{"perSecond":2000}],"median":{"perSecond":2000},"ratios":{"perSecondToPlain":1}},` +
		`{"name":"batch","runs":[{"perSecond":5000},{"perSecond":100}],"median":{"perSecond":2550},"ratios":{"perSecondToPlain":1.275}},` +
		`{"name":"go","runs":[],"median":{}}]}],"wrong":[],"notes":[]}`
	if diff := cmp.Diff(wantJSON, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestReportSaysWhatIsWrong(t *testing.T) {
	report := bench.NewReport(nil, "plain")
	report.Wrong, report.Notes = []string{"3 came TWICE"}, []string{"cut"}
	var table strings.Builder
	if err := report.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(table.String(), "\nNotes\n  - cut\n\nWRONG: these figures are worth nothing\n  - 3 came TWICE\n") {
		t.Errorf("the table ends with:\n%s", table.String())
	}
}
