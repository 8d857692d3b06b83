package httpapi

import (
	"maps"
	"net/http"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

func exampleResent() Deliveries {
	d := exampleDelivery()
	d.State, d.NextAttemptAt, d.UpdatedAt = string(webhook.StateRunning), Time{}, exampleAt(2*time.Second)
	return Deliveries{Deliveries: []Delivery{d}}
}

func exampleCancelled() Deliveries {
	out := exampleResent()
	out.Deliveries[0].State = string(webhook.StateCancelled)
	return out
}

func exampleSignedRequest() SignedRequest {
	headers := maps.Clone(exampleAttempt().Request.Headers)
	headers["content-type"], headers["user-agent"], headers["x-team"] = jsonType, "outhook/1", "blue"
	headers[signer.HeaderSignature] = "v1,vMMDFE9hEH3wHrVxIvkgxxmLwOhpTJXqN0Jl4lq3EJU="
	headers[webhook.HeaderAttempt] = "2"
	return SignedRequest{Method: http.MethodPost, URL: exampleURL, Headers: headers, Body: string(examplePublish().Payload)}
}

func exampleDeadLettersRequest() DeadLettersRequest {
	return DeadLettersRequest{EndpointID: exampleEndpointID, Since: exampleAt(0), Until: exampleAt(24 * time.Hour)}
}

func exampleResendDeadLetters() ResendDeadLettersRequest {
	return ResendDeadLettersRequest{DeadLettersRequest: exampleDeadLettersRequest(), PerSecond: 200}
}

func exampleRecover() RecoverRequest {
	return RecoverRequest{Since: exampleAt(0), Until: exampleAt(24 * time.Hour), PerSecond: 200}
}

// exampleBegun is a job of a kind, as it begins.
func exampleBegun(kind webhook.JobKind) Job {
	begun := exampleAt(25 * time.Hour)
	j := Job{
		ID: "job_0194bc2f1a2b7c3d8e4f5a6b7c8d9e0f", Kind: string(kind), Brand: "acme",
		State: string(webhook.JobRunning), StartedAt: begun,
	}
	if kind != webhook.JobErase {
		j.EndpointID, j.Since, j.Until = exampleEndpointID, exampleAt(0), exampleAt(24*time.Hour)
	}
	if kind == webhook.JobRecover || kind == webhook.JobResend {
		j.PerSecond = 200
	}
	return j
}

func exampleJob() Job {
	j := exampleBegun(webhook.JobRecover)
	j.Matched, j.Sent, j.Delivered, j.Dead, j.Skipped, j.Open = 1200, 1195, 1000, 5, 5, 190
	return j
}

func exampleCancelledJob() Job {
	j := exampleJob()
	j.State, j.FinishedAt = string(webhook.JobCancelled), exampleAt(25*time.Hour+time.Minute)
	return j
}

func exampleTraffic() Traffic {
	return Traffic{Attempts: 7200, Delivered: 7150, MeanMs: 84, MaxMs: 2300, Busy: 0.168}
}

func exampleBrandHealth() BrandHealth {
	return BrandHealth{
		Endpoints: 3, Disabled: 1, Failing: 1, InFlight: 16, Waiting: 120, Retrying: 1,
		OldestWaitingAt: exampleAt(time.Hour), LastHour: exampleTraffic(),
	}
}
