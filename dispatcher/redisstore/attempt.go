package redisstore

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// formatAttempt begins a packed attempt; JSON follows.
const formatAttempt = '1'

// packedAttempt is an attempt as it stands in its endpoint's stream: short
// names, because there is one for every POST.
type packedAttempt struct {
	ID        string          `json:"i"`
	EventID   string          `json:"e"`
	Type      string          `json:"t"`
	Number    int             `json:"n"`
	Trigger   webhook.Trigger `json:"g,omitempty"` // absent: delivery
	StartedMs int64           `json:"s"`
	TookUs    int64           `json:"d"`
	PhasesUs  []int64         `json:"p,omitempty"` // DNS, connect, TLS, first byte
	URL       string          `json:"u"`
	Status    int             `json:"c,omitempty"`
	Outcome   webhook.Outcome `json:"o,omitempty"` // absent: delivered
	Reason    webhook.Reason  `json:"r,omitempty"` // absent: ok
	Header    http.Header     `json:"h,omitempty"` // as Body, of before the answers stood beside the attempts
	Body      []byte          `json:"b,omitempty"`
	NextMs    int64           `json:"x,omitempty"`
	Beside    int             `json:"k,omitempty"` // size of the answer that stands beside it (answer.go); absent: none
}

// packAttempt packs an attempt, and apart from it what was answered; empty when nothing is kept of that.
func packAttempt(a *webhook.Attempt) (packed, answer string, err error) {
	if answer, err = packAnswer(a); err != nil {
		return "", "", err
	}
	p := packedAttempt{
		ID: a.ID, EventID: a.Ref.EventID, Type: a.Type, Number: a.Number, Trigger: a.Trigger,
		StartedMs: millis(a.StartedAt), TookUs: a.Duration.Microseconds(), URL: a.URL, Status: a.Status,
		Outcome: a.Outcome, Reason: a.Reason, Beside: len(answer),
	}
	if p.Trigger == webhook.TriggerDelivery {
		p.Trigger = ""
	}
	if p.Outcome == webhook.OutcomeDelivered {
		p.Outcome, p.Reason = "", ""
	}
	if a.Phases != (webhook.Phases{}) {
		p.PhasesUs = []int64{a.Phases.DNS.Microseconds(), a.Phases.Connect.Microseconds(),
			a.Phases.TLS.Microseconds(), a.Phases.FirstByte.Microseconds()}
	}
	if !a.NextAttemptAt.IsZero() {
		p.NextMs = millis(a.NextAttemptAt)
	}
	text, err := json.Marshal(p)
	return string(formatAttempt) + string(text), answer, err
}

// unpackAttempt reads what packAttempt wrote, and how large the answer is that stands beside it. Errors: errFormat.
func unpackAttempt(ref webhook.EndpointRef, packed string) (a webhook.Attempt, beside int, err error) {
	var p packedAttempt
	if packed == "" || packed[0] != formatAttempt || json.Unmarshal([]byte(packed[1:]), &p) != nil {
		return webhook.Attempt{}, 0, errFormat
	}
	a = webhook.Attempt{
		ID: p.ID, Ref: webhook.DeliveryRef{Brand: ref.Brand, EventID: p.EventID, EndpointID: ref.ID},
		Type: p.Type, Number: p.Number, Trigger: p.Trigger, StartedAt: timeOf(p.StartedMs),
		Duration: micros(p.TookUs), URL: p.URL, Status: p.Status, Outcome: p.Outcome, Reason: p.Reason,
		ResponseHeader: p.Header, ResponseBody: p.Body, NextAttemptAt: timeOf(p.NextMs),
	}
	if a.Trigger == "" {
		a.Trigger = webhook.TriggerDelivery
	}
	if a.Outcome == "" {
		a.Outcome, a.Reason = webhook.OutcomeDelivered, webhook.ReasonOK
	}
	if len(p.PhasesUs) == 4 {
		a.Phases = webhook.Phases{DNS: micros(p.PhasesUs[0]), Connect: micros(p.PhasesUs[1]),
			TLS: micros(p.PhasesUs[2]), FirstByte: micros(p.PhasesUs[3])}
	}
	return a, p.Beside, nil
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// Attempts implements [webhook.Store]: the delivery's record says where they
// stand in the stream of its endpoint. The last hundred are found.
func (s *Store) Attempts(ctx context.Context, ref webhook.DeliveryRef) ([]webhook.Attempt, error) {
	k := keysOfEndpoint(ref.Endpoint())
	fields, err := s.rdb.HGetAll(ctx, k.records+ref.EventID).Result()
	if err != nil {
		return nil, unavailable("attempts", err)
	}
	ids := streamIDs(fields)
	if len(ids) == 0 {
		return nil, nil
	}
	entries := make([]*redis.XMessageSliceCmd, len(ids))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			entries[i] = p.XRangeN(ctx, k.attempts, id, id, 1)
		}
		return nil
	})
	if err != nil && err != redis.Nil {
		return nil, unavailable("attempts", err)
	}
	var found answered
	for _, entry := range entries {
		if err := found.read(ref.Endpoint(), entry.Val()); err != nil {
			return nil, err
		}
	}
	return found.attempts, s.readAnswers(ctx, "attempts", &found)
}

// streamIDs picks the fields a0 … a99, oldest first.
func streamIDs(fields map[string]string) []string {
	var ids []string
	for name, id := range fields {
		if len(name) > 1 && name[0] == 'a' && strings.Trim(name[1:], "0123456789") == "" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		ms, seq := splitStreamID(a)
		otherMs, otherSeq := splitStreamID(b)
		if ms != otherMs {
			return int(ms - otherMs)
		}
		return int(seq - otherSeq)
	})
	return ids
}

func splitStreamID(id string) (ms, seq int64) {
	first, second, _ := strings.Cut(id, "-")
	return number(first), number(second)
}
