package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// silent is a form of which nothing comes until it is over, and that tells when it is waited for.
type silent struct{ waited, over chan struct{} }

func (s silent) Read([]byte) (int, error) {
	s.waited <- struct{}{}
	<-s.over
	return 0, io.EOF
}

func TestABrandWithSlowFormsShutsOutNobodyElse(t *testing.T) {
	h, err := New(Config{Service: struct{ Service }{}, Identify: func(r *http.Request) (webhook.Identity, error) {
		return webhook.Identity{Brand: r.Header.Get("X-Brand")}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(brand string, body io.Reader) int {
		r := httptest.NewRequest(http.MethodPost, "/console/brands/"+brand+"/dead-letters", body)
		r.Header.Set("X-Brand", brand)
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		return answer.Code
	}
	slow, all := silent{make(chan struct{}), make(chan struct{})}, sync.WaitGroup{}
	for range pagesOfBrand {
		all.Go(func() { ask("acme", slow) })
	}
	for range pagesOfBrand {
		<-slow.waited
	}
	if got := ask("acme", nil); got != http.StatusTooManyRequests {
		t.Errorf("one more of the brand: %d", got)
	}
	if got := ask("globex", nil); got != http.StatusUnprocessableEntity {
		t.Errorf("another brand: %d", got)
	}
	close(slow.over)
	all.Wait()
	if got := ask("acme", nil); got != http.StatusUnprocessableEntity {
		t.Errorf("afterwards: %d", got)
	}
}
