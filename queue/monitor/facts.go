package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue"
)

// lookedUp is how many events and endpoints of one page are looked up; asynqmon's own pages list up to 100 tasks.
const lookedUp = 500

// facts looks up what tasks do not say of themselves: for all tasks of an answer at once, so that a page takes two round
// trips, however long it is.
type facts struct {
	typesOf func(context.Context, []webhook.EventRef) ([]string, error)
	health  func(context.Context, []webhook.EndpointRef) ([]webhook.Health, error)
}

// fill makes of each task in the answers of asynqmon's API what is shown.
func (f facts) fill(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := newBuffer(w.Header())
		api.ServeHTTP(answer, r)
		body := answer.body.Bytes()
		if answer.status == http.StatusOK {
			if filled, ok := f.filled(r, body); ok {
				body = filled
				w.Header().Set("Content-Type", "application/json")
			}
		}
		w.WriteHeader(answer.status)
		_, _ = w.Write(body)
	})
}

func (f facts) filled(r *http.Request, body []byte) (filled []byte, ok bool) {
	numbers := json.NewDecoder(bytes.NewReader(body))
	numbers.UseNumber()
	var answer any
	if numbers.Decode(&answer) != nil {
		return nil, false
	}
	var shown []shownTask
	collect(answer, &shown)
	known := f.lookUp(r.Context(), shown)
	whole := strings.Contains(r.URL.Path, "/tasks/")
	for _, task := range shown {
		task.of[task.field] = known.describe(task.subject, whole)
	}
	filled, err := json.Marshal(answer)
	return filled, err == nil
}

// shownTask is where an answer shows a task.
type shownTask struct {
	of      map[string]any
	field   string
	subject queue.Subject
}

// collect finds the tasks in a part of an answer.
func collect(part any, found *[]shownTask) {
	switch part := part.(type) {
	case []any:
		for _, item := range part {
			collect(item, found)
		}
	case map[string]any:
		for field, value := range part {
			text, _ := value.(string)
			if field != "payload" && field != "task_payload" {
				collect(value, found)
			} else if subject, ours := unmarked(text); ours {
				*found = append(*found, shownTask{part, field, subject})
			}
		}
	}
}

// known is what was found out for one answer.
type known struct {
	types  map[webhook.EventRef]string
	health map[webhook.EndpointRef]webhook.Health
}

func (k known) describe(s queue.Subject, whole bool) string {
	if s.Run != nil {
		return describeRun(*s.Run, k.types[s.Run.Event()], k.healthOf(s.Run.Endpoint()), whole)
	}
	return describeWakeup(*s.Wakeup, k.healthOf(s.Wakeup.Endpoint))
}

func (k known) healthOf(ref webhook.EndpointRef) *webhook.Health {
	if h, ok := k.health[ref]; ok {
		return &h
	}
	return nil
}

func (f facts) lookUp(ctx context.Context, shown []shownTask) known {
	var events []webhook.EventRef
	var endpoints []webhook.EndpointRef
	for _, task := range shown {
		if run := task.subject.Run; run != nil {
			events, endpoints = append(events, run.Event()), append(endpoints, run.Endpoint())
		} else {
			endpoints = append(endpoints, task.subject.Wakeup.Endpoint)
		}
	}
	return known{answers(ctx, f.typesOf, events), answers(ctx, f.health, endpoints)}
}

// answers asks once about each of some things; of too many, the first. What goes wrong is not shown.
func answers[K comparable, V any](ctx context.Context, ask func(context.Context, []K) ([]V, error), about []K) map[K]V {
	var each []K
	got := map[K]V{}
	for _, k := range about {
		if _, known := got[k]; !known && len(each) < lookedUp {
			var unknown V
			each, got[k] = append(each, k), unknown
		}
	}
	if ask == nil || len(each) == 0 {
		return nil
	}
	found, err := ask(ctx, each)
	if err != nil || len(found) != len(each) {
		return nil
	}
	for i, k := range each {
		got[k] = found[i]
	}
	return got
}

// buffer holds an answer back.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newBuffer(h http.Header) *buffer { return &buffer{header: h, status: http.StatusOK} }

// Header implements [http.ResponseWriter].
func (b *buffer) Header() http.Header { return b.header }

// WriteHeader implements [http.ResponseWriter].
func (b *buffer) WriteHeader(status int) { b.status = status }

// Write implements [http.ResponseWriter].
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }
