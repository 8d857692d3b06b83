package dispatcher_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/egress"
	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
)

// world is outhook with the configuration's defaults, between its traps.
type world struct {
	traps *traps
	names *nameServer
	api   http.Handler
	// store writes past the rules.
	store *redisstore.Store
	log   *netLog
	// told is what the API answered about each target.
	told [][]string
}

func startWorld(t *testing.T, resolver string, targets []target) *world {
	t.Helper()
	bundle, config := authority(t)
	w := &world{traps: startTraps(t, config), names: startNames(t), log: &netLog{}, told: make([][]string, len(targets))}
	for _, t := range slices.Concat(targets, controlNames()) {
		w.names.learn(t)
	}
	log.SetOutput(w.log) // net/http's
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	d := dispatchertest.Start(t, func(c *dispatcher.Config) {
		if _, err := exec.LookPath("redis-server"); err == nil { // under -race several times faster
			c.Redis = redistest.Start(t).Client(t)
		}
		c.Egress = egress.Config{CABundle: bundle}
		if resolver == "cgo" {
			c.Egress.Resolver = &net.Resolver{}
		}
		c.Retry = webhook.Schedule{MaxAttempts: 1} // the first attempt says all
		c.Catalog.Validation = catalog.ValidationOff
		c.Logger = slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.api = d.Handler(func(r *http.Request) (string, bool) {
		brand, _, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/brands/"), "/")
		return brand, found
	})
	var err error
	w.store, err = redisstore.New(redisstore.Config{Redis: d.Redis, Keys: d.Secrets, QueueFor: func(webhook.EndpointRef) string { return "live-0" }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// mustNotTell fails when an address that a name resolved to, or that was blocked, was said to a brand or logged.
func (w *world) mustNotTell(t *testing.T, targets []target) {
	t.Helper()
	logged := w.log.String()
	if !strings.Contains(logged, `"msg":"attempt"`) {
		t.Error("nothing was logged at debug")
	}
	for i, target := range targets {
		answers := strings.ReplaceAll(strings.Join(w.told[i], "\n"), controls[i%len(controls)], "") // as we named them
		for _, step := range target.lookups {
			for _, addr := range step {
				if found := mention(answers, addr); found != "" {
					t.Errorf("%s: an answer of the API names %s: %s", target.url, addr, found)
				}
			}
		}
	}
	for _, addr := range specialAddresses() {
		if found := mention(logged, addr.String()); found != "" && !addr.IsLoopback() { // where Redis is
			t.Errorf("the log names %s: %s", addr, found)
		}
	}
}

// mention finds an address, in brackets or not, but not as a part of another
// one, and returns it with what stands around it.
func mention(where, addr string) string {
	addr = netip.MustParseAddr(addr).Unmap().String()
	if !strings.Contains(where, addr) {
		return ""
	}
	return regexp.MustCompile(`(.{0,40}[^\w:.-]|^)` + regexp.QuoteMeta(addr) + `([^\w:.-]|:\d|\.\D|$)`).FindString(where)
}

// authority makes a bundle, and a certificate of its for whatever may be reached.
func authority(t *testing.T) (bundle []byte, config *tls.Config) {
	t.Helper()
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: root.NotBefore, NotAfter: root.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"*" + hostileZone}, IPAddresses: []net.IP{net.ParseIP(allowed4), net.ParseIP(allowed6)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	bundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	// The cheapest exchange: there are a thousand handshakes.
	return bundle, &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}, Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
}

// netLog is a log for several goroutines.
type netLog struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (w *netLog) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Write(p)
}

func (w *netLog) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
