package main

import (
	"errors"
	"fmt"
	"strings"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// givenAs is what a user calls a field of a request: "url" is given as "--url".
type givenAs map[string]string

// refusal says why the API did not do what was asked about a thing, such as "endpoint ep_1 of brand acme", in the words of
// the command line. What cannot even be asked is a mistake of usage.
func (f *apiFlags) refusal(err error, thing string, names givenAs) error {
	if broken, ok := errors.AsType[*webhook.FieldError](err); ok {
		return usage("%s: %s", names.name(broken.Field), broken.Rule)
	}
	problem, ok := errors.AsType[*httpapi.Problem](err)
	switch {
	case !ok:
		return f.explain(err)
	case len(problem.Errors) > 0:
		return errors.New(names.rules(problem))
	case errors.Is(err, webhook.ErrUnauthorized):
		return errors.New("the key of --key or OUTHOOK_KEY is not valid, or was revoked")
	case errors.Is(err, webhook.ErrNotFound):
		return fmt.Errorf("%s: not found, or not for this key to see", thing)
	}
	return err
}

func (n givenAs) rules(p *httpapi.Problem) string {
	rules := make([]string, len(p.Errors))
	for i, e := range p.Errors {
		_, field, inside := strings.Cut(e.Location, ".") // body.url, query.limit, path.id
		if !inside {
			field = e.Location
		}
		rules[i] = n.name(field) + ": " + e.Message
	}
	return strings.Join(rules, "; ")
}

// name keeps what is below a field, such as the name of a header.
func (n givenAs) name(field string) string {
	end := strings.IndexAny(field, ".[")
	if end < 0 {
		end = len(field)
	}
	given, known := n[field[:end]]
	if !known {
		return field
	}
	if inner, ok := strings.CutPrefix(field[end:], "."); ok {
		return given + " " + inner
	}
	return given + field[end:]
}

// ruleOf names the fields that the API refuses as a user gave them, without their place in the request.
func ruleOf(err error, place string) error {
	problem, ok := errors.AsType[*httpapi.Problem](err)
	if !ok || len(problem.Errors) == 0 {
		return err
	}
	rules := make([]string, len(problem.Errors))
	for i, e := range problem.Errors {
		rules[i] = strings.TrimPrefix(e.Location, place) + ": " + e.Message
	}
	return errors.New(strings.Join(rules, "; "))
}
