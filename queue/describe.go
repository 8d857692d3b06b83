package queue

import (
	"fmt"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// Describe returns a task's type and payload as a person may read them: the ids, and of a wake-up how many wait behind which
// gate until when. Of a payload that is not ours it tells the length only, as nobody knows what it holds.
func Describe(kind string, payload []byte) string {
	text, ok := "", false
	switch kind {
	case deliveryType:
		text, ok = describeRun(payload)
	case wakeType:
		text, ok = describeWakeup(payload)
	}
	if !ok {
		return fmt.Sprintf("unreadable, %d bytes", len(payload))
	}
	return kind + text
}

func describeRun(payload []byte) (string, bool) {
	run, err := decodeRun(payload)
	if err != nil || !areIDs(run.Brand, run.EventID, run.EndpointID) {
		return "", false
	}
	return fmt.Sprintf(" brand=%s event=%s endpoint=%s run=%d", run.Brand, run.EventID, run.EndpointID, run.Number), true
}

func describeWakeup(payload []byte) (string, bool) {
	w, err := decodeWakeup(payload)
	if err != nil || !areIDs(w.Endpoint.Brand, w.Endpoint.ID, string(w.Gate)) {
		return "", false
	}
	return fmt.Sprintf(" brand=%s endpoint=%s waiting=%d gate=%s until=%s", w.Endpoint.Brand, w.Endpoint.ID,
		w.Waiting, w.Gate, w.At.UTC().Format("2006-01-02T15:04:05.000Z")), true
}

func areIDs(texts ...string) bool {
	for _, text := range texts {
		if webhook.CheckID("id", text) != nil {
			return false
		}
	}
	return true
}
