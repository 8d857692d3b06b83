package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

const (
	problemType = "application/problem+json"
	jsonType    = "application/json"
)

// reply is a whole answer, as huma writes it.
type reply struct {
	Status      int
	ContentType string `header:"Content-Type" hidden:"true"`
	RetryAfter  string `header:"Retry-After" hidden:"true"`
	Body        []byte
}

func (p *Problem) reply() *reply {
	body, err := encode(p)
	if err != nil { // cannot be: text and numbers only
		body = []byte("{}\n")
	}
	answer := &reply{Status: p.Status, ContentType: problemType, Body: body}
	if p.RetryAfter > 0 {
		answer.RetryAfter = strconv.Itoa(int(p.RetryAfter.Seconds()))
	}
	return answer
}

// write is for answers outside of a route.
func (r *reply) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", r.ContentType)
	if r.RetryAfter != "" {
		w.Header().Set("Retry-After", r.RetryAfter)
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // the asker is gone: nobody to tell
}

func answer(status int, v any) (*reply, error) {
	body, err := encode(v)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &reply{Status: status, ContentType: jsonType, Body: body}, nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
