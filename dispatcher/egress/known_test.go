package egress_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.smobi.com/outhook/dispatcher/egress"
)

func TestAKnownURLIsNotParsedAgain(t *testing.T) {
	client := newClient(t, egress.Config{})
	const url = "https://Example.com:443?token=s3cret"
	if got, err := client.Destination(url); err != nil || got.String() != "https://example.com/?token=s3cret" {
		t.Fatalf("got %v, %v", got, err)
	}
	allocations := testing.AllocsPerRun(10, func() {
		_, _ = client.Destination(url)
		_ = client.RedactURL(url)
	})
	if allocations != 0 {
		t.Errorf("%v allocations for a URL that is known", allocations)
	}
}

func TestARefusedURLStaysRefused(t *testing.T) {
	client := newClient(t, egress.Config{})
	for _, url := range []string{"", "http://example.com/", "https://user:s3cret@example.com/", "https://127.0.0.1/", "https://example.com:22/"} {
		want := client.CheckURL(url)
		for range 2 {
			if _, err := client.Destination(url); err == nil || err.Error() != want.Error() {
				t.Errorf("%q: got %v, want %v", url, err, want)
			}
		}
	}
	if n := client.Known(); n != 0 {
		t.Errorf("%d are kept", n)
	}
}

func TestKnownURLsAreBounded(t *testing.T) {
	client := newClient(t, egress.Config{})
	for i := range 2 * egress.MaxKnown {
		url := fmt.Sprintf("https://example.com/%d", i)
		for range 2 { // parsed and known
			if got, err := client.Destination(url); err != nil || got.String() != url {
				t.Fatalf("%s goes to %v, %v", url, got, err)
			}
		}
		if want := min(i+1, egress.MaxKnown); client.Known() != want {
			t.Fatalf("%d of %d are kept, want %d", client.Known(), i+1, want)
		}
	}
}

func TestAKnownURLIsRedactedLikeAnother(t *testing.T) {
	for _, url := range []string{
		"https://example.com/hook", "https://example.com/hook?token=s3cret", "https://example.com/?", "https://example.com?s3cret",
		"HTTPS://Example.com:443/%2f?a=b", "https://user:s3cret@example.com/", "https://example.com/#s3cret", "%zz?s3cret", "",
	} {
		client := newClient(t, egress.Config{})
		before := client.RedactURL(url)
		_, _ = client.Destination(url)
		if after, want := client.RedactURL(url), egress.RedactURL(url); before != want || after != want {
			t.Errorf("%q is shown as %q and, once known, as %q, want %q", url, before, after, want)
		}
	}
}

// Its fields are compared here, and -race sees who writes to them.
func TestAttemptsShareAURLAndLeaveItAsItIs(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.RedirectHandler("/elsewhere?a=b", http.StatusTemporaryRedirect))
			server.Config.ErrorLog, server.EnableHTTP2 = log.New(io.Discard, "", 0), http2
			server.StartTLS()
			t.Cleanup(server.Close)
			cfg := loopback()
			cfg.CABundle = pemOf(server.Certificate())
			client, url := newClient(t, cfg), server.URL+"/a%2Fb?token=s3cret"
			shared, err := client.Destination(url)
			if err != nil {
				t.Fatal(err)
			}
			before := *shared
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					if got := client.Send(t.Context(), post(url)); got.Status != http.StatusTemporaryRedirect {
						t.Errorf("got %+v", got)
					}
				})
			}
			wg.Wait()
			if after, _ := client.Destination(url); after != shared || *after != before {
				t.Errorf("was %+v and became %+v", before, *after)
			}
		})
	}
}
