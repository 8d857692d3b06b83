package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func (s *server) brandRoutes() {
	const noun = "brands"
	register(s, route{
		id: "getBrandHealth", method: http.MethodGet, path: "/health", noun: noun, summary: "Get how a brand's endpoints are doing together",
		holds:   ofFields,
		answers: []routeAnswer{{status: http.StatusOK, body: reflect.TypeFor[BrandHealth](), example: exampleBrandHealth()}},
	}, s.brandHealth)
	register(s, route{
		id: "eraseBrand", method: http.MethodPost, path: "/erase", noun: noun, scope: brandAdminScope, summary: "Erase a brand",
		holds: ofFields,
		note: "Deletes everything of the brand: events, attempts, dead letters, endpoints and keys. It cannot be undone. For admins only. " +
			"The job goes on by itself, and GET /v1/jobs/{id} tells how far it is.",
		request: reflect.TypeFor[EraseRequest](), optional: true, example: EraseRequest{},
		answers: []routeAnswer{{status: http.StatusAccepted, body: reflect.TypeFor[Job](), example: exampleBegun(webhook.JobErase), note: "The job, as it begins"}},
	}, s.erase)
}

func (s *server) brandHealth(ctx context.Context, in *brandInput) (*reply, error) {
	h, err := s.Service.BrandHealth(ctx, in.Brand)
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, BrandHealth{
		Endpoints: h.Endpoints, Disabled: h.Disabled, Failing: h.Failing,
		InFlight: h.InFlight, Waiting: h.Waiting, Retrying: h.Retrying,
		OldestWaitingAt: Time{h.OldestWaitingAt}, LastHour: trafficOf(h.LastHour),
	})
}

func (s *server) erase(ctx context.Context, in *writeInput) (*reply, error) {
	raw, err := in.readJSON(s.settingsBytes())
	if err != nil {
		return nil, err
	}
	asked, err := decodeJob(raw) // which takes no fields, a dryRun neither
	if err != nil {
		return nil, err
	}
	asked.Kind, asked.Brand = webhook.JobErase, in.Brand
	return s.start(ctx, asked)
}
