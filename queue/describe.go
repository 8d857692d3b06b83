package queue

import "go.smobi.com/outhook/dispatcher/webhook"

// Subject is what a task is about: one of a delivery's run, whose Queue is empty, and a wake-up. The other is nil.
type Subject struct {
	Run    *webhook.Run
	Wakeup *webhook.Wakeup
}

// SubjectOf reads a task's type and payload. ok is false for a payload that is not ours: nobody knows what it holds, so it is
// not to be shown.
func SubjectOf(kind string, payload []byte) (s Subject, ok bool) {
	switch kind {
	case deliveryType:
		run, err := decodeRun(payload)
		return Subject{Run: &run}, err == nil && areIDs(run.Brand, run.EventID, run.EndpointID)
	case wakeType:
		w, err := decodeWakeup(payload)
		return Subject{Wakeup: &w}, err == nil && areIDs(w.Endpoint.Brand, w.Endpoint.ID, string(w.Gate))
	}
	return Subject{}, false
}

func areIDs(texts ...string) bool {
	for _, text := range texts {
		if webhook.CheckID("id", text) != nil {
			return false
		}
	}
	return true
}
