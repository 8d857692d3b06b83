package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestErrorsOfTheService(t *testing.T) {
	a := start(t)
	for _, c := range []struct {
		err    error
		status int
		is     error
	}{
		{webhook.Invalid("headers.X-Team", "is reserved"), 422, webhook.ErrInvalid},
		{fmt.Errorf("publish: %w", webhook.ErrInvalid), 422, webhook.ErrInvalid},
		{fmt.Errorf("publish: %w", webhook.ErrConflict), 409, webhook.ErrConflict},
		{fmt.Errorf("create: %w", webhook.ErrLimit), 409, webhook.ErrLimit},
		{webhook.ErrDeleted, 409, webhook.ErrConflict},
		{fmt.Errorf("test: %w", webhook.ErrBusy), 429, webhook.ErrBusy},
		{fmt.Errorf("get: %w", webhook.ErrNotFound), 404, webhook.ErrNotFound},
		{fmt.Errorf("admit: %w", webhook.ErrUnavailable), 503, webhook.ErrUnavailable},
		{fmt.Errorf("publish: %w", webhook.ErrFull), 503, webhook.ErrUnavailable},
		{context.DeadlineExceeded, 503, webhook.ErrUnavailable},
		{context.Canceled, 503, webhook.ErrUnavailable},
	} {
		a.service.err = c.err
		for name, err := range a.callAll(t) {
			p, ok := errors.AsType[*httpapi.Problem](err)
			if !ok || p.Status != c.status {
				t.Errorf("%s: %v gives %v, want status %d", name, c.err, err, c.status)
			}
			for _, sentinel := range []error{
				webhook.ErrInvalid, webhook.ErrConflict, webhook.ErrLimit, webhook.ErrNotFound, webhook.ErrBusy, webhook.ErrUnavailable,
			} {
				if errors.Is(err, sentinel) != (sentinel == c.is) {
					t.Errorf("%s: %v is %v: %v", name, err, sentinel, sentinel != c.is)
				}
			}
		}
		if a.log.Len() != 0 {
			t.Errorf("%v is logged: %s", c.err, a.log)
		}
	}
}

// callAll calls every method of the client that the service may refuse once.
func (a api) callAll(t *testing.T) map[string]error {
	t.Helper()
	ctx, errs := t.Context(), map[string]error{}
	_, errs["Publish"] = a.Publish(ctx, "acme", status(`{}`))
	_, errs["PublishBatch"] = a.PublishBatch(ctx, "acme", []httpapi.PublishRequest{status(`{}`)})
	_, _, errs["CreateEndpoint"] = a.CreateEndpoint(ctx, "acme", httpapi.EndpointRequest{URL: "https://example.com/"})
	_, errs["Endpoints"] = a.Endpoints(ctx, "acme", httpapi.Page{})
	_, errs["Endpoint"] = a.Endpoint(ctx, "acme", "ep-1")
	_, errs["UpdateEndpoint"] = a.UpdateEndpoint(ctx, "acme", "ep-1", httpapi.EndpointPatch{})
	errs["DeleteEndpoint"] = a.DeleteEndpoint(ctx, "acme", "ep-1")
	_, errs["EnableEndpoint"] = a.EnableEndpoint(ctx, "acme", "ep-1")
	_, errs["DisableEndpoint"] = a.DisableEndpoint(ctx, "acme", "ep-1")
	_, errs["RotateSecret"] = a.RotateSecret(ctx, "acme", "ep-1", httpapi.RotateRequest{})
	_, errs["TestEndpoint"] = a.TestEndpoint(ctx, "acme", "ep-1", "")
	_, errs["CheckURL"] = a.CheckURL(ctx, "acme", "https://example.com/")
	_, errs["Events"] = a.Events(ctx, "acme", httpapi.EventQuery{})
	_, errs["Event"] = a.Event(ctx, "acme", "evt-1")
	_, errs["Explain"] = a.Explain(ctx, "acme", "evt-1")
	_, errs["Attempts"] = a.Attempts(ctx, "acme", httpapi.AttemptQuery{EventID: "evt-1"})
	_, errs["DeadLetters"] = a.DeadLetters(ctx, "acme", httpapi.DeadLetterQuery{})
	_, errs["CreateKey"] = a.CreateKey(ctx, httpapi.KeyRequest{})
	_, errs["Keys"] = a.Keys(ctx, httpapi.Page{})
	errs["RevokeKey"] = a.RevokeKey(ctx, "key_1")
	_, errs["ResendEvent"] = a.ResendEvent(ctx, "acme", "evt-1", "")
	_, errs["CancelEvent"] = a.CancelEvent(ctx, "acme", "evt-1", "ep-1")
	_, errs["SignedRequest"] = a.SignedRequest(ctx, "acme", "evt-1", "ep-1")
	_, errs["ResendDeadLetters"] = a.ResendDeadLetters(ctx, "acme", httpapi.ResendDeadLettersRequest{})
	_, errs["DeleteDeadLetters"] = a.DeleteDeadLetters(ctx, "acme", httpapi.DeadLettersRequest{})
	_, errs["Recover"] = a.Recover(ctx, "acme", "ep-1", httpapi.RecoverRequest{Since: httpapi.Time{Time: epoch}})
	_, errs["a dry run"] = a.Recover(ctx, "acme", "ep-1", httpapi.RecoverRequest{Since: httpapi.Time{Time: epoch}, DryRun: true})
	_, errs["EraseBrand"] = a.EraseBrand(ctx, "acme")
	_, errs["Jobs"] = a.Jobs(ctx, httpapi.JobQuery{})
	_, errs["Job"] = a.Job(ctx, "job_1")
	_, errs["CancelJob"] = a.CancelJob(ctx, "job_1")
	_, errs["BrandHealth"] = a.BrandHealth(ctx, "acme")
	return errs
}

func TestUnknownErrorsAreLoggedAndNotTold(t *testing.T) {
	a := start(t)
	a.service.err = errors.New("redis at 192.0.2.1 said WRONGTYPE")
	errs := a.callAll(t)
	for name, err := range errs {
		if p, ok := errors.AsType[*httpapi.Problem](err); !ok || p.Status != http.StatusInternalServerError {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := strings.Count(a.log.String(), "WRONGTYPE"); n != len(errs) {
		t.Errorf("logged %d times, want %d: %s", n, len(errs), a.log)
	}
	got := a.send(t, "GET", endpointPath, "")
	if checkProblem(t, got, 500, "", ""); strings.Contains(got.body, "redis") {
		t.Errorf("told: %s", got.body)
	}
}

func TestUnavailableAsksToWait(t *testing.T) {
	a := start(t)
	a.service.err = webhook.ErrUnavailable
	got := a.send(t, "POST", publishPath, `{"type":"message.read","payload":{}}`)
	if checkProblem(t, got, 503, "", ""); got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
}

func TestNewNamesTheField(t *testing.T) {
	good := httpapi.Config{Service: newFake(), Identify: identify}
	for field, change := range map[string]func(*httpapi.Config){
		"Service":        func(c *httpapi.Config) { c.Service = nil },
		"Identify":       func(c *httpapi.Config) { c.Identify = nil },
		"PayloadBytes":   func(c *httpapi.Config) { c.PayloadBytes = -1 },
		"RequestBytes":   func(c *httpapi.Config) { c.RequestBytes = 1000 },
		"BatchEvents":    func(c *httpapi.Config) { c.BatchEvents = -1 },
		"RequestsAtOnce": func(c *httpapi.Config) { c.RequestsAtOnce = 1 },
	} {
		c := good
		change(&c)
		_, err := httpapi.New(c)
		if f, ok := errors.AsType[*webhook.FieldError](err); !ok || f.Field != field {
			t.Errorf("error %v, want field %s", err, field)
		}
	}
}

func TestALostAnswerOfHealthIsNoGuess(t *testing.T) {
	service := newFake()
	a := start(t, func(c *httpapi.Config) { c.Service = forgetful{service} })
	service.endpoints[webhook.EndpointRef{Brand: "acme", ID: "ep-1"}] = fakeEndpoint{stored: webhook.Endpoint{ID: "ep-1", Brand: "acme"}}
	got := a.send(t, "GET", endpointPath, "")
	if checkProblem(t, got, 500, "", ""); !strings.Contains(a.log.String(), "0 answers for 1 endpoints") {
		t.Errorf("logged: %s", a.log)
	}
}

// forgetful answers the health of nothing.
type forgetful struct{ *fakeService }

func (forgetful) Health(context.Context, []webhook.EndpointRef) ([]webhook.Health, error) {
	return nil, nil
}
