package console

import (
	"errors"
	"net/http"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// checkView is what a look at a URL found.
type checkView struct {
	URL string
	// Found is nil when nobody looked, for the reason in Problem.
	Found   *webhook.Check
	Problem string
}

// check looks at the URL of a form, without an event.
func (v *visit) check() error {
	if err := v.post(); err != nil {
		return err
	}
	body := checkView{URL: v.sent.Get("url")}
	found, err := v.h.Service.CheckURL(v.r.Context(), v.brand, body.URL)
	if err == nil {
		body.Found = &found
	} else if body.Problem, err = problemOf(err); err != nil {
		return err
	}
	return v.show("check", view{Title: "Test URL", Tab: "overview", Body: body})
}

// problemOf is what is said in the place of a result; an error that is not about it stays one.
func problemOf(err error) (string, error) {
	if errors.Is(err, webhook.ErrInvalid) || errors.Is(err, webhook.ErrBusy) {
		_, text := refusal(err)
		return text, nil
	}
	return "", err
}

// test sends a sample event now, and shows the endpoint with the answer.
func (v *visit) test() error {
	e, err := v.theEndpoint()
	if err != nil {
		return err
	}
	if err := v.post(); err != nil {
		return err
	}
	made, failed := v.h.Service.TestEndpoint(v.r.Context(), e.Ref(), v.sent.Get("type"))
	body, err := v.viewOf(e)
	if err != nil {
		return err
	}
	if failed == nil {
		body.Tested = wholeAttemptOf(made)
	} else if body.TestProblem, err = problemOf(failed); err != nil {
		return err
	}
	return v.show("endpoint", view{Title: e.ID, Tab: "overview", Status: http.StatusOK, Body: body})
}
