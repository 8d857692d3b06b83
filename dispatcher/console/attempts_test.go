package console

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// manyAttempts has an event that was attempted 20 times at each of 50 endpoints.
type manyAttempts struct{ Service }

func (manyAttempts) Endpoints(context.Context, string) ([]webhook.Endpoint, error) { return nil, nil }

func (manyAttempts) Attempts(_ context.Context, q webhook.AttemptQuery) (page webhook.Page[webhook.Attempt], err error) {
	at, _ := strconv.Atoi(q.After)
	for ; at < 1000 && len(page.Items) < q.Limit; at++ {
		endpoint := fmt.Sprintf("e%d", at%50)
		if q.EndpointID == "" || q.EndpointID == endpoint {
			page.Items = append(page.Items, webhook.Attempt{
				ID: fmt.Sprintf("att_%d", at), Ref: webhook.DeliveryRef{Brand: q.Brand, EventID: "evt_1", EndpointID: endpoint},
			})
		}
	}
	if at < 1000 {
		page.Next = strconv.Itoa(at)
	}
	return page, nil
}

func TestEveryAttemptOfAListHasItsPage(t *testing.T) {
	h, err := New(Config{Service: manyAttempts{}, Identify: func(*http.Request) (webhook.Identity, error) { return webhook.Identity{Brand: "acme"}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string) (int, string) {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		return answer.Code, answer.Body.String()
	}
	_, list := ask("/console/brands/acme/attempts?event=evt_1&cursor=950")
	links := regexp.MustCompile(`href="([^"]*/attempts/att_[^"]*)"`).FindAllStringSubmatch(list, -1)
	if len(links) != 50 {
		t.Fatalf("%d links", len(links))
	}
	for _, link := range links {
		if code, _ := ask(html.UnescapeString(link[1])); code != http.StatusOK {
			t.Errorf("%s: %d", link[1], code)
		}
	}
	for _, path := range []string{"evt_1/attempts/att_0", "evt_1/attempts/att_1000?endpoint=e1", "evt_1/attempts/att_0?endpoint=../x"} {
		want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[path == "evt_1/attempts/att_0"]
		if code, _ := ask("/console/brands/acme/events/" + path); code != want {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// noneYet has nothing in the pages that it looked at, and more.
type noneYet struct{ Service }

func (noneYet) EventTypes() []webhook.EventType                               { return nil }
func (noneYet) Endpoints(context.Context, string) ([]webhook.Endpoint, error) { return nil, nil }
func (noneYet) Attempts(context.Context, webhook.AttemptQuery) (webhook.Page[webhook.Attempt], error) {
	return webhook.Page[webhook.Attempt]{Next: "x"}, nil
}

func (noneYet) Events(context.Context, webhook.EventQuery) (webhook.Page[webhook.EventStatus], error) {
	return webhook.Page[webhook.EventStatus]{Next: "x"}, nil
}

func (noneYet) DeadLetters(context.Context, webhook.DeadLetterQuery) (webhook.Page[webhook.DeadLetter], error) {
	return webhook.Page[webhook.DeadLetter]{Next: "x"}, nil
}

func TestAnEmptyPageIsNotTheEnd(t *testing.T) {
	h, err := New(Config{Service: noneYet{}, Identify: func(*http.Request) (webhook.Identity, error) { return webhook.Identity{Brand: "acme"}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"attempts", "events", "dead-letters"} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/console/brands/acme/"+list, nil))
		if text := answer.Body.String(); !strings.Contains(text, "older ones may") || strings.Contains(text, "is kept that fits") || !strings.Contains(text, ">Older<") {
			t.Errorf("%s:\n%s", list, text)
		}
	}
}
