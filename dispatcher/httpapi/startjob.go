package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	ruleNarrowing = "must not be empty: leave it out for all"
	noteJob       = "The job goes on by itself, and GET /v1/jobs/{id} tells how far it is. " + noteDryRun
	noteDryRun    = "With dryRun it is only counted what matches, which may take most of a minute; a 429 says that it took too long."
)

func (s *server) deadLetterJobRoutes() {
	register(s, route{
		id: "resendDeadLetters", method: http.MethodPost, path: "/dead-letters/resend", summary: "Send dead letters once more",
		holds:   ofFields,
		note:    "All of the brand, unless the body says which. What comes in meanwhile is not slowed down. " + noteJob,
		request: reflect.TypeFor[ResendDeadLettersRequest](), optional: true, example: exampleResendDeadLetters(),
		answers: jobAnswers(webhook.JobResend),
	}, s.startDeadLetterJob(webhook.JobResend, "eventIds", "endpointId", "since", "until", "dryRun", "perSecond"))
	register(s, route{
		id: "deleteDeadLetters", method: http.MethodPost, path: "/dead-letters/delete", summary: "Delete dead letters",
		holds:   ofFields,
		note:    "All of the brand, unless the body says which. " + noteJob,
		request: reflect.TypeFor[DeadLettersRequest](), optional: true, example: exampleDeadLettersRequest(),
		answers: jobAnswers(webhook.JobDelete),
	}, s.startDeadLetterJob(webhook.JobDelete, "eventIds", "endpointId", "since", "until", "dryRun"))
}

func (s *server) recoverRoutes() {
	register(s, route{
		id: "recoverEndpoint", method: http.MethodPost, path: "/endpoints/{id}/recover", summary: "Send an endpoint what it missed",
		holds: ofFields,
		note: "Once more what died, expired or was never sent of the events of that time, also what came while the endpoint was disabled " +
			"or before there was one. What comes in meanwhile is not slowed down. " + noteJob,
		request: reflect.TypeFor[RecoverRequest](), example: exampleRecover(),
		answers: jobAnswers(webhook.JobRecover),
	}, s.startRecover)
}

// jobAnswers are those of a request that begins a job, or counts what one would do.
func jobAnswers(kind webhook.JobKind) []routeAnswer {
	return []routeAnswer{
		{status: http.StatusAccepted, body: reflect.TypeFor[Job](), example: exampleBegun(kind), note: "The job, as it begins"},
		{status: http.StatusOK, body: reflect.TypeFor[Matched](), example: Matched{Matched: 1200}, note: "With dryRun: what matches now"},
	}
}

func (s *server) startDeadLetterJob(kind webhook.JobKind, fields ...string) func(context.Context, *writeInput) (*reply, error) {
	return func(ctx context.Context, in *writeInput) (*reply, error) {
		raw, err := in.readJSON(s.settingsBytes())
		if err != nil {
			return nil, err
		}
		asked, err := decodeJob(raw, fields...)
		if err != nil {
			return nil, err
		}
		asked.Kind, asked.Brand = kind, in.Brand
		return s.start(ctx, asked)
	}
}

func (s *server) startRecover(ctx context.Context, in *itemWriteInput) (*reply, error) {
	ref, asked, err := readFor(s, in, func(raw []byte) (jobBody, error) {
		return decodeJob(raw, "since", "until", "dryRun", "perSecond")
	})
	if err != nil {
		return nil, err
	}
	asked.Kind, asked.Brand, asked.EndpointID = webhook.JobRecover, ref.Brand, ref.ID
	return s.start(ctx, asked)
}

// start begins a job, or counts what it would do.
func (s *server) start(ctx context.Context, asked jobBody) (*reply, error) {
	if asked.dryRun {
		matched, err := s.Service.CountJob(ctx, asked.JobSpec)
		if err != nil {
			return nil, err
		}
		return answer(http.StatusOK, Matched{Matched: matched})
	}
	begun, err := s.Service.StartJob(ctx, asked.JobSpec)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusAccepted, jobOf(begun))
}

// jobBody is what a body says of a job.
type jobBody struct {
	webhook.JobSpec
	dryRun bool
}

// decodeJob lets no null stand for an absent field, as others do: here it would
// mean everything, or for good.
func decodeJob(raw []byte, fields ...string) (jobBody, error) {
	var b jobBody
	err := eachMember(raw, inUTF8(func(name string, value []byte) error {
		switch {
		case !slices.Contains(fields, name):
			return webhook.Invalid(shown(name), ruleUnknown)
		case isNull(value):
			return webhook.Invalid(name, "must not be null: leave it out")
		}
		return b.set(name, value)
	}))
	return b, err
}

func (b *jobBody) set(name string, value []byte) error {
	switch name {
	case "eventIds":
		return decodeIDs(name, value, &b.EventIDs)
	case "endpointId":
		return decodeNarrowing(name, value, &b.EndpointID)
	case "since":
		return decodeBound(name, value, &b.Since)
	case "until":
		return decodeBound(name, value, &b.Until)
	case "dryRun":
		return decode(name, value, &b.dryRun, ruleBool)
	}
	return decodePositive(name, value, &b.PerSecond, "must be a number")
}

func decodeIDs(name string, value []byte, ids *[]string) error {
	if err := decode(name, value, ids, ruleStrings); err != nil {
		return err
	}
	if len(*ids) == 0 {
		return webhook.Invalid(name, ruleNarrowing)
	}
	return nil
}

// decodeBound refuses the zero time, which a caller whose variable was empty
// sends, and which would bound nothing.
func decodeBound(name string, value []byte, at *time.Time) error {
	err := decodeTime(name, value, at)
	if err == nil && at.IsZero() {
		return webhook.Invalid(name, "must not be the zero time")
	}
	return err
}
