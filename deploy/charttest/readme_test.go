package charttest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// section is what the README says below a heading of second order.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../README.md"), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("no section %q", heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// The values that the README names are there.
func TestReadmeNamesValues(t *testing.T) {
	values := parse(t, read(t, "../chart/values.yaml"))
	table := regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(section(t, "Kubernetes"), -1)
	named := 0
	for _, row := range table {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			if path := strings.Split(name[1], "."); at(values, path[:len(path)-1]...)[path[len(path)-1]] == nil {
				t.Errorf("there is no value %s", name[1])
			}
			named++
		}
	}
	if named < 12 {
		t.Errorf("only %d values are named", named)
	}
}

// The times and thresholds that the README tells are those of the values.
func TestReadmeTellsTheLadder(t *testing.T) {
	text, values := section(t, "Kubernetes"), parse(t, read(t, "../chart/values.yaml"))
	var sum time.Duration
	for _, key := range []string{"grace", "delay"} {
		took, err := time.ParseDuration(fmt.Sprint(at(values, "config", "shutdown")[key]))
		if err != nil {
			t.Fatal(err)
		}
		sum += took
		if row := regexp.MustCompile("(?m)^\\|.*`config.shutdown." + key + "`[^|]*\\| (.*?) \\|").FindStringSubmatch(text); row == nil || row[1] != fmt.Sprintf("%.0f s", sum.Seconds()) {
			t.Errorf("%s is told as %q, and ends after %v", key, row, sum)
		}
	}
	for _, says := range []string{
		fmt.Sprintf("| `terminationGracePeriodSeconds` | %v s |", values["terminationGracePeriodSeconds"]),
		fmt.Sprintf("over %v s as many more", at(values, "worker", "keda")["oldestRunnableSeconds"]),
		strings.Replace(fmt.Sprintf("one for each %v pending", at(values, "worker", "keda")["pendingPerWorker"]), "1000", "1,000", 1),
	} {
		if !strings.Contains(text, says) {
			t.Errorf("it does not say %q", says)
		}
	}
}
