package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// keyStore knows the keys "good-…"; what a test stages, it puts into its fields.
type keyStore struct {
	mu      sync.Mutex
	asked   map[string]int
	revoked map[string]bool
	err     error
	// delay is how long an answer takes.
	delay time.Duration
}

func newAuthenticator() (*keyStore, *httpapi.Authenticator) {
	s := &keyStore{asked: map[string]int{}, revoked: map[string]bool{}}
	return s, httpapi.NewAuthenticator(s.ask)
}

func (s *keyStore) ask(ctx context.Context, key string) (webhook.Identity, error) {
	s.mu.Lock()
	s.asked[key]++
	err, delay, good := s.err, s.delay, len(key) > 5 && key[:5] == "good-" && !s.revoked[key]
	s.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return webhook.Identity{}, fmt.Errorf("look up key: %w: %w", webhook.ErrUnavailable, ctx.Err())
		}
	}
	switch {
	case err != nil:
		return webhook.Identity{}, err
	case !good:
		return webhook.Identity{}, fmt.Errorf("look up key: %w", webhook.ErrUnauthorized)
	}
	return webhook.Identity{Brand: key[5:]}, nil
}

func (s *keyStore) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, count := range s.asked {
		n += count
	}
	return n
}

func (s *keyStore) set(change func(*keyStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// from returns a request from an address with a key.
func from(address, key string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = address
	r.Header.Set("Authorization", "Bearer "+key)
	return r
}

const client = "192.0.2.1:4000"

func TestKeysThatAreNone(t *testing.T) {
	s, a := newAuthenticator()
	for _, c := range []struct {
		name    string
		headers []string
		want    bool
	}{
		{"right", []string{"Bearer good-acme"}, true},
		{"scheme in another case", []string{"bEARER good-acme"}, true},
		{"twice", []string{"Bearer good-acme", "Bearer good-acme"}, false},
		{"wrong one beside", []string{"Bearer good-acme", "Bearer x"}, false},
		{"space after", []string{"Bearer good-acme "}, false},
		{"two spaces", []string{"Bearer  good-acme"}, false},
		{"two in one", []string{"Bearer good-acme, Bearer good-acme"}, false},
		{"not ASCII", []string{"Bearer good-acmé"}, false},
		{"control character", []string{"Bearer good-acme\x00"}, false},
		{"another scheme", []string{"Basic good-acme"}, false},
		{"no scheme", []string{"good-acme"}, false},
		{"nothing", []string{"Bearer "}, false},
		{"none", nil, false},
	} {
		r := httptest.NewRequest("GET", "/?key=good-acme&access_token=good-acme&token=good-acme", nil)
		r.Header["Authorization"] = c.headers
		who, err := a.Identify(r)
		if (err == nil) != c.want || (who.Brand == "acme") != c.want {
			t.Errorf("%s: %+v %v, want %v", c.name, who, err, c.want)
		}
		if err != nil {
			wantIs(t, err, webhook.ErrUnauthorized)
		}
	}
	if n := s.total(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestGoodKeysAreRememberedForThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		s.delay = time.Second
		check := func(asked int, target error) {
			t.Helper()
			_, err := a.Identify(from(client, "good-acme"))
			if !errors.Is(err, target) || s.total() != asked {
				t.Errorf("error %v, asked %d times, want %v and %d", err, s.total(), target, asked)
			}
		}
		check(1, nil) // takes the first of the three seconds
		s.set(func(s *keyStore) { s.revoked["good-acme"] = true })
		time.Sleep(2*time.Second - time.Nanosecond)
		check(1, nil)
		time.Sleep(time.Nanosecond)
		check(2, webhook.ErrUnauthorized)
		check(3, webhook.ErrUnauthorized)
		s.set(func(s *keyStore) { clear(s.revoked) })
		check(4, nil)
	})
}

func TestFailuresAreNotRemembered(t *testing.T) {
	s, a := newAuthenticator()
	s.err = webhook.ErrUnavailable
	for range 50 { // which is no try either
		_, err := a.Identify(from(client, "good-acme"))
		wantIs(t, err, webhook.ErrUnavailable)
	}
	s.set(func(s *keyStore) { s.err = nil })
	if who, err := a.Identify(from(client, "good-acme")); err != nil || who.Brand != "acme" {
		t.Errorf("%+v %v", who, err)
	}
}

func TestOneLookupForAllWhoPresentAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		s.delay = time.Second
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		identify := func(r *http.Request) {
			wg.Go(func() {
				if who, err := a.Identify(r); err != nil || who.Brand != "acme" {
					t.Errorf("%+v %v", who, err)
				}
			})
		}
		identify(from(client, "good-acme").WithContext(ctx))
		synctest.Wait()
		cancel() // must not fail the others
		for i := range 100 {
			identify(from(fmt.Sprintf("192.0.2.%d:1", i), "good-acme"))
		}
		wg.Wait()
		if n := s.total(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestALookupEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		s.delay = time.Hour
		began := time.Now()
		_, err := a.Identify(from(client, "good-acme"))
		wantIs(t, err, webhook.ErrUnavailable)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("after %s", took)
		}
	})
}

func TestMoreKeysThanAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newAuthenticator()
		for range 2 {
			for i := range 10_050 {
				if who, err := a.Identify(from(client, fmt.Sprintf("good-%d", i))); err != nil || who.Brand != fmt.Sprint(i) {
					t.Fatalf("key %d: %+v %v", i, who, err)
				}
			}
		}
		if n := s.total(); n <= 10_050 || n > 2*10_050 {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestTheAPILimitsWrongKeys is the whole way, once.
func TestTheAPILimitsWrongKeys(t *testing.T) {
	_, auth := newAuthenticator()
	a := start(t, func(c *httpapi.Config) { c.Identify = auth.Identify })
	limited := 0
	for range 30 {
		got := a.send(t, "GET", keysPath, "", "Authorization", "Bearer wrong")
		if got.status == http.StatusTooManyRequests {
			limited++
			if checkProblem(t, got, 429, "", ""); got.header.Get("Retry-After") != "1" {
				t.Errorf("headers %v", got.header)
			}
		}
	}
	if limited == 0 {
		t.Error("nothing was limited")
	}
}
