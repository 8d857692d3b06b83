package dispatcher_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// query is what no line of the doctor may hold.
const query = "token=that-nobody-sees"

// easily has a breaker open at the first failure, and stay open.
func easily(c *dispatcher.Config) { c.Breaker.Failures = 1 }

// failsWith creates endpoints at the URLs, id by id, and returns once each has failed at an event of its brand, e1.
func failsWith(t *testing.T, d *dispatchertest.Dispatcher, brand string, urls ...string) {
	t.Helper()
	for i, url := range urls {
		e := webhook.Endpoint{ID: fmt.Sprint("ep", i), Brand: brand, URL: url + "/?" + query, Purpose: webhook.PurposeStatus}
		if _, _, err := d.CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Publish(t.Context(), eventOf(brand, "e1")); err != nil {
		t.Fatal(err)
	}
	dispatchertest.Eventually(t, func() bool {
		found, err := d.Attempts(t.Context(), webhook.AttemptQuery{Brand: brand, EventID: "e1", Slice: webhook.Slice{Limit: 100}})
		return err == nil && len(found.Items) >= len(urls)
	})
}

func answersWith(t *testing.T, status int) string {
	t.Helper()
	return urlOf(t, httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })))
}

func urlOf(t *testing.T, s *httptest.Server) string {
	t.Helper()
	t.Cleanup(s.Close)
	return s.URL
}

func TestDoctorSeesFailingBrands(t *testing.T) {
	t.Parallel()
	redistest.NotCluster(t, "the doctor tells the addresses of its nodes")
	d := onServer(t, redistest.Start(t), easily)
	good := answersWith(t, 204)
	failsWith(t, d, "well", good, good, good, good)
	says(t, d, wantOK("failing endpoints", "none of 4 endpoints"))
	failsWith(t, d, "acme", answersWith(t, 500))
	failsWith(t, d, "beta", answersWith(t, 410), good)
	findings := says(t, d, wantWarn("failing endpoints", "2 of 7 endpoints, 2 brands", "acme:ep0 (breaker open for another", "1 open",
		"beta:ep0 (disabled", "answered 410 Gone", "outhook attempt list --brand acme --endpoint ep0", "outhook endpoint enable ep0 --brand beta"),
		wantOK("certificates", "no failing endpoint has one"))
	if text := told(findings); strings.Contains(text, query) || strings.Contains(text, "127.0.0.1") {
		t.Errorf("too much is told:\n%s", text)
	}
}

// TestDoctorSuspectsOurWayOut when most of all fails at once.
func TestDoctorSuspectsOurWayOut(t *testing.T) {
	t.Parallel()
	d := onServer(t, redistest.Start(t), easily)
	failing := answersWith(t, 503)
	failsWith(t, d, "acme", slices.Repeat([]string{failing}, 6)...)
	says(t, d, wantBad("failing endpoints", "6 of 6 endpoints, 1 brand", "and 1 more", "the cause may be on this side", "egress"))
}

func TestDoctorSeesCertificates(t *testing.T) {
	t.Parallel()
	redistest.NotCluster(t, "the doctor tells the addresses of its nodes")
	failing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	trusted, gone := httptest.NewTLSServer(failing), httptest.NewTLSServer(failing)
	goneURL := gone.URL
	gone.Close()
	redisServer := redistest.Start(t)
	d := onServer(t, redisServer, easily, func(c *dispatcher.Config) {
		c.Egress.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Certificate().Raw})
	})
	trustedURL := urlOf(t, trusted)
	failsWith(t, d, "acme", trustedURL, trustedURL, goneURL)
	findings := says(t, d, wantOK("certificates", "1 of 2 hosts of failing endpoints have a good one"),
		wantWarn("certificates", "not seen", "acme:ep2 (connect: "))
	stranger := onServer(t, redisServer, func(c *dispatcher.Config) { c.Serve = []string{"bulk-0"} })
	findings = append(findings, says(t, stranger, wantWarn("certificates", "acme:ep0: the certificate is signed by an unknown authority", "outhook endpoint test ep0 --brand acme"))...)
	if text := told(findings); strings.Contains(text, query) || strings.Contains(text, "127.0.0.1") {
		t.Errorf("too much is told:\n%s", text)
	}
}

// TestDoctorLooksAtSomeCertificates, and says so.
func TestDoctorLooksAtSomeCertificates(t *testing.T) {
	t.Parallel()
	d := onServer(t, redistest.Start(t), easily)
	var urls []string
	for i := range 23 {
		urls = append(urls, fmt.Sprintf("https://127.0.0.1:%d", i+1))
	}
	failsWith(t, d, "acme", urls...)
	says(t, d, wantWarn("certificates", "not seen", "and 15 more"))
}

func TestDoctorOnEncryptionKeys(t *testing.T) {
	t.Parallel()
	old, next, other := newKey("k1"), newKey("k2"), newKey("k1")
	on := redistest.Start(t)
	say := func(w wants, keys ...string) {
		t.Helper()
		says(t, sealingWith(t, on, keys...), w)
	}
	say(wantOK("encryption keys", "k1 seals, and is needed by 0 endpoints; k2 by none"), old, next)
	for _, id := range []string{"a", "b"} {
		e := webhook.Endpoint{ID: id, Brand: "acme", URL: "https://example.com/", Purpose: webhook.PurposeStatus, Headers: map[string]string{"X-Team": "core"}}
		if _, _, err := sealingWith(t, on, old).CreateEndpoint(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	say(wantOK("encryption keys", "k2 seals", "k1 is needed by 2 endpoints", "outhook secret reencrypt"), next, old)
	say(wantBad("encryption keys", `key "k1" is missing`, "2 endpoints", "secrets.keys"), next)
	say(wantBad("encryption keys", `key "k1" is not the one that sealed`), other)
	if _, err := sealingWith(t, on, next, old).ReencryptSecrets(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	say(wantOK("encryption keys", "k2 seals, and is needed by 2 endpoints; k1 by none: it can go from secrets.keys"), next, old)
	if err := sealingWith(t, on, next).CheckKeys(t.Context()); err != nil {
		t.Errorf("k1 cannot go: %v", err)
	}
}

// TestDoctorOnWrongKeyWithoutCanary goes by what is stored.
func TestDoctorOnWrongKeyWithoutCanary(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, _ := lostDelivery(t, server, untouched)
	rdb := server.Admin(t)
	if n := rdb.Del(t.Context(), redistest.Keys(t, rdb, "oh:*:canaries")...).Val(); n != 1 {
		t.Fatalf("%d canaries", n)
	}
	says(t, d, wantOK("encryption keys"))
	says(t, sealingWith(t, server, newKey("test")), wantBad("encryption keys", `key "test" is not the one`))
}

func TestDoctorOnWhatItCannotRead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d, _ := lostDelivery(t, server, untouched)
	rdb := server.Admin(t)
	if err := rdb.HSet(t.Context(), redistest.Keys(t, rdb, "*:p:acme:ep")[0], "settings", "9{}").Err(); err != nil {
		t.Fatal(err)
	}
	says(t, d, wantWarn("encryption keys", "this version cannot read them: acme:ep"))
}
