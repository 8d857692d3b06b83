package redisstore

import (
	"context"
	"encoding/json"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// formatAnswer begins what an endpoint answered to an attempt; then the header as JSON (uvarint length, bytes), and the
// body as it came. It stands beside the attempt, in a stream of its own and under the same id there: it is the larger
// part, and what goes first when room is needed.
const formatAnswer = '1'

func packAnswer(a *webhook.Attempt) (string, error) {
	if len(a.ResponseHeader) == 0 && len(a.ResponseBody) == 0 {
		return "", nil
	}
	header, err := json.Marshal(a.ResponseHeader)
	if err != nil {
		return "", err
	}
	return string(append(appendText([]byte{formatAnswer}, string(header)), a.ResponseBody...)), nil
}

// unpackAnswer adds to an attempt what packAnswer wrote. Errors: errFormat.
func unpackAnswer(a *webhook.Attempt, packed string) error {
	if packed == "" || packed[0] != formatAnswer {
		return errFormat
	}
	r := reader{rest: []byte(packed[1:])}
	header := r.text()
	if r.bad || json.Unmarshal([]byte(header), &a.ResponseHeader) != nil {
		return errFormat
	}
	if len(r.rest) > 0 {
		a.ResponseBody = r.rest
	}
	return nil
}

// answered are attempts of which some have an answer beside them.
type answered struct {
	attempts []webhook.Attempt
	// ids are where those of the attempts stand; empty for one that has none.
	ids []string
	// bytes is how large they are together.
	bytes int
}

// add takes an entry of a stream of attempts.
func (l *answered) add(ref webhook.EndpointRef, id, packed string) error {
	a, beside, err := unpackAttempt(ref, packed)
	if err != nil {
		return err
	}
	if beside == 0 {
		id = ""
	}
	l.attempts, l.ids, l.bytes = append(l.attempts, a), append(l.ids, id), l.bytes+beside
	return nil
}

// append takes others.
func (l *answered) append(more answered) {
	l.attempts, l.ids, l.bytes = append(l.attempts, more.attempts...), append(l.ids, more.ids...), l.bytes+more.bytes
}

// read takes entries of a stream of attempts.
func (l *answered) read(ref webhook.EndpointRef, entries []redis.XMessage) error {
	for _, entry := range entries {
		packed, _ := entry.Values["a"].(string)
		if err := l.add(ref, entry.ID, packed); err != nil {
			return err
		}
	}
	return nil
}

// readAnswers adds the answers to the attempts, in one pipeline. One that is gone is left out.
func (s *Store) readAnswers(ctx context.Context, verb string, l *answered) error {
	cmds := make([]*redis.XMessageSliceCmd, len(l.attempts))
	pipe := s.rdb.Pipeline()
	for i, id := range l.ids {
		if id != "" {
			cmds[i] = pipe.XRangeN(ctx, keysOfEndpoint(l.attempts[i].Ref.Endpoint()).answers, id, id, 1)
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return unavailable(verb, err)
	}
	for i, cmd := range cmds {
		if cmd == nil || len(cmd.Val()) == 0 {
			continue
		}
		packed, _ := cmd.Val()[0].Values["h"].(string)
		if err := unpackAnswer(&l.attempts[i], packed); err != nil {
			return err
		}
	}
	return nil
}
