package httpapi_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// fail makes wrong tries from an address, and returns how many were asked for.
func fail(t *testing.T, s *keyStore, a *httpapi.Authenticator, address string, tries int) int {
	t.Helper()
	before := s.total()
	for i := range tries {
		_, err := a.Identify(from(address, fmt.Sprintf("wrong-%d", i)))
		if !errors.Is(err, webhook.ErrUnauthorized) && !errors.Is(err, webhook.ErrBusy) {
			t.Fatalf("error %v", err)
		}
	}
	return s.total() - before
}

func TestWrongKeysAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		_, _ = a.Identify(from(client, "good-known"))
		if n := fail(t, s, a, client, 30); n != 20 {
			t.Errorf("asked for %d of 30", n)
		}
		_, err := a.Identify(from(client, "good-new"))
		wantIs(t, err, webhook.ErrBusy)
		for range 5 { // remembered, and then known to have been good
			if _, err := a.Identify(from(client, "good-known")); err != nil {
				t.Errorf("the good key: %v", err)
			}
			time.Sleep(time.Second)
		}
		if n := fail(t, s, a, client, 30); n != 5 {
			t.Errorf("asked for %d after 5 s", n)
		}
		s.set(func(s *keyStore) { s.revoked["good-known"] = true })
		time.Sleep(10 * time.Second)
		fail(t, s, a, client, 10)
		_, err = a.Identify(from(client, "good-known"))
		wantIs(t, err, webhook.ErrUnauthorized)
		_, err = a.Identify(from(client, "good-known"))
		wantIs(t, err, webhook.ErrBusy) // it is wrong like any other now
		time.Sleep(time.Hour)
		if n := fail(t, s, a, client, 30); n != 20 {
			t.Errorf("asked for %d after an hour", n)
		}
	})
}

func TestGoodKeysSpendNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		for i := range 100 {
			if _, err := a.Identify(from(client, fmt.Sprintf("good-%d", i))); err != nil {
				t.Fatalf("key %d: %v", i, err)
			}
		}
		if n := fail(t, s, a, client, 30); n != 20 {
			t.Errorf("asked for %d of 30", n)
		}
	})
}

// A key that is expected is looked up whatever else happens: wrong keys, and more good ones than are remembered.
func TestAnExpectedKeyIsNeverForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		a.Expect(sha256.Sum256([]byte("good-first")))
		for i := range 10_050 {
			_, _ = a.Identify(from(client, fmt.Sprintf("good-%d", i)))
		}
		fail(t, s, a, client, 30)
		if who, err := a.Identify(from(client, "good-first")); err != nil || who.Brand != "first" {
			t.Errorf("%+v %v", who, err)
		}
		s.set(func(s *keyStore) { s.revoked["good-first"] = true })
		time.Sleep(5 * time.Second)
		fail(t, s, a, client, 30)
		_, err := a.Identify(from(client, "good-first"))
		wantIs(t, err, webhook.ErrUnauthorized)
		s.set(func(s *keyStore) { clear(s.revoked) })
		if _, err := a.Identify(from(client, "good-first")); err != nil {
			t.Errorf("good again: %v", err)
		}
	})
}

func TestTriesAtTheSameTimeAreLimitedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		s.delay = time.Second
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() { _, _ = a.Identify(from(client, fmt.Sprintf("wrong-%d", i))) })
		}
		wg.Wait()
		if n := s.total(); n != 20 {
			t.Errorf("asked for %d of 100", n)
		}
	})
}

func TestClientsAreAddresses(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		same                bool
	}{
		{"another port", "192.0.2.1:1", "192.0.2.1:2", true},
		{"another IPv4 address", "192.0.2.1:1", "192.0.2.2:1", false},
		{"IPv4 in IPv6", "192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"the same /64", "[2001:db8::1]:1", "[2001:db8::ffff:ffff:ffff:ffff]:1", true},
		{"another /64", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"another zone", "[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		{"no addresses", "@", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, a := newAuthenticator()
				fail(t, s, a, c.first, 20)
				r := from(c.second, "good-acme")
				r.Header.Set("X-Forwarded-For", "198.51.100.7")
				r.Header.Set("Forwarded", "for=198.51.100.7")
				if _, err := a.Identify(r); errors.Is(err, webhook.ErrBusy) != c.same {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

// TestAddressesAreForgottenWhenTheyAreFullAgain has more addresses than are
// kept: the one that spent everything stays limited.
func TestAddressesAreForgottenWhenTheyAreFullAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		fail(t, s, a, client, 20)
		for i := range 25_000 {
			if i%9_000 == 0 {
				time.Sleep(time.Second)
			}
			fail(t, s, a, fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), 1)
		}
		if n := fail(t, s, a, client, 20); n != 3 {
			t.Errorf("asked for %d after 3 s", n)
		}
	})
}
