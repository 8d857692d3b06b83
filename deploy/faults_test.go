package deploy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Faults of the program that runs, each until its alerts have fired and, after it is mended, gone back. All the time two
// endpoints of a brand are down: that alone fires nothing.
func TestStagedFaultsOfTheProgram(t *testing.T) {
	t.Parallel()
	long(t)
	in := install(t)
	for _, id := range []string{"down-1", "down-2"} {
		in.endpoint(id, "/bad")
	}
	in.endpoint("good", "/good")
	for range 200 {
		in.accepted()
	}
	in.awaitText("outhook_breakers_open")
	in.awaitText("outhook_deliveries_waiting")
	p := startPrometheus(t, map[string][]string{"": in.targets()}, quick)
	p.awaitScrapes("", 3*settled)
	p.awaitFiring("", nil)
	for _, fault := range []struct {
		name  string
		stage func(*installation, *prometheus)
	}{
		{"all workers are killed with what they have in flight", killedWorkers},
		{"redis fills up to the publish watermark", filledRedis},
		{"redis does not answer", silentRedis},
	} {
		t.Run(fault.name, func(t *testing.T) {
			p := p.in(t)
			fault.stage(in, p)
			p.checkTexts("")
			p.awaitFiring("", nil)
		})
	}
}

// accepted publishes an event that has to be.
func (in *installation) accepted() {
	in.t.Helper()
	if status := in.publish(); status != http.StatusAccepted {
		in.t.Fatalf("publish: %d", status)
	}
}

// killedWorkers kills both while attempts hang at ten endpoints, and what is published waits for nobody. Started again, they
// re-drive what was in flight.
func killedWorkers(in *installation, p *prometheus) {
	in.hangs.Store(true)
	for i := range 10 {
		in.endpoint(fmt.Sprintf("slow-%d", i), "/hang")
	}
	for range 4 {
		in.accepted()
	}
	p.await("attempts that hang", func() bool { return len(p.query("sum(outhook_in_flight) >= 20")) > 0 })
	in.killWorkers()
	in.accepted()
	p.awaitAlso("", func() {}, "OuthookWorkersMissing/page", "OuthookWorkersMissing/warning", "OuthookProcessDown/warning",
		"OuthookDeliveriesLate/warning")
	in.hangs.Store(false)
	in.startWorkers()
	p.awaitAlso("", func() {}, "OuthookRedriven/warning")
}

// filledRedis puts a foreign value into Redis, and takes it away.
func filledRedis(in *installation, p *prometheus) {
	client := in.store.Admin(in.t)
	const key, chunk = "foreign", 1 << 20
	for n := 0; used(p, client) < maxMemory*9/10; n++ {
		if err := client.Set(p.t.Context(), fmt.Sprintf("%s-%d", key, n), strings.Repeat("x", chunk), 0).Err(); err != nil {
			p.t.Fatal(err)
		}
	}
	p.awaitAlso("", func() { in.publish() }, "OuthookRedisMemory/page", "OuthookRedisMemory/warning",
		"OuthookPublishRefused/page", "OuthookPublishRefused/warning")
	for n := range maxMemory / chunk {
		client.Del(p.t.Context(), fmt.Sprintf("%s-%d", key, n))
	}
	p.await("a publish that is accepted", func() bool { return in.publish() == http.StatusAccepted })
}

// used is how many bytes Redis has in use.
func used(p *prometheus, client redis.UniversalClient) int {
	p.t.Helper()
	var bytes int
	info, err := client.InfoMap(p.t.Context(), "memory").Result()
	if err == nil {
		_, err = fmt.Sscan(info["Memory"]["used_memory"], &bytes)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return bytes
}

// silentRedis keeps its connections open and answers nobody, until it goes on. Who is scraped waits for it, two seconds.
func silentRedis(in *installation, p *prometheus) {
	slow := startPrometheus(p.t, map[string][]string{"": in.targets()}, unhurried)
	in.store.Stop(p.t)
	slow.awaitAlso("", func() { in.publish() }, "OuthookSystemGaugesAbsent/page", "OuthookPublishRefused/page", "OuthookPublishRefused/warning")
	in.store.Continue(p.t)
	p.await("a publish that is accepted", func() bool { return in.publish() == http.StatusAccepted })
	slow.awaitFiring("", nil)
}
