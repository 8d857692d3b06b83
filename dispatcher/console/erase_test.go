package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// oneErasure has one job, which erases acme.
type oneErasure struct {
	Service
	cancelled bool
}

func (o *oneErasure) job() webhook.Job {
	return webhook.Job{ID: "job_1", JobSpec: webhook.JobSpec{Kind: webhook.JobErase, Brand: "acme"}, State: webhook.JobRunning}
}

func (o *oneErasure) Job(context.Context, string) (webhook.Job, error) { return o.job(), nil }

func (o *oneErasure) Jobs(context.Context, webhook.JobQuery) (webhook.Page[webhook.Job], error) {
	return webhook.Page[webhook.Job]{Items: []webhook.Job{o.job()}}, nil
}

func (o *oneErasure) CancelJob(context.Context, string) (webhook.Job, error) {
	o.cancelled = true
	return o.job(), nil
}

// As in the API: only operators see and end the erasure of a brand, which only they begin.
func TestErasureIsForOperators(t *testing.T) {
	for _, brand := range []string{"acme", ""} {
		o := &oneErasure{}
		h, err := New(Config{Service: o, Identify: func(*http.Request) (webhook.Identity, error) { return webhook.Identity{Brand: brand}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(method, path string) *httptest.ResponseRecorder {
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, httptest.NewRequest(method, "/console/brands/acme/jobs"+path, nil))
			return answer
		}
		operator := brand == ""
		if got := strings.Contains(ask(http.MethodGet, "").Body.String(), "job_1"); got != operator {
			t.Errorf("listed for %q: %v", brand, got)
		}
		if got := ask(http.MethodGet, "/job_1").Code == http.StatusOK; got != operator {
			t.Errorf("shown to %q: %v", brand, got)
		}
		if got := ask(http.MethodPost, "/job_1/cancel").Code == http.StatusSeeOther; got != operator || o.cancelled != operator {
			t.Errorf("ended by %q: %v", brand, o.cancelled)
		}
	}
}
