package queue

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// taskType is the only type there is so far.
	taskType = "delivery"
	// taskFormat is the first byte of a payload and says how to read the rest: here, brand, event, endpoint and run number,
	// separated by spaces, which no id contains.
	taskFormat = '1'
)

// newTask returns a run as Asynq carries it. The queue's name is not in it: Asynq knows it.
func newTask(run webhook.Run) *asynq.Task {
	payload := make([]byte, 0, 96)
	payload = append(payload, taskFormat)
	for _, id := range []string{run.Brand, run.EventID, run.EndpointID} {
		payload = append(payload, ' ')
		payload = append(payload, id...)
	}
	payload = append(payload, ' ')
	payload = strconv.AppendInt(payload, int64(run.Number), 10)
	return asynq.NewTask(taskType, payload)
}

// decode reads what newTask wrote; the run's Queue stays empty. It answers errNewer for a type or format byte that it does
// not know, and errUndecodable, with the reason, for anything else.
func decode(kind string, payload []byte) (webhook.Run, error) {
	if kind != taskType {
		return webhook.Run{}, errNewer
	}
	if len(payload) == 0 {
		return webhook.Run{}, fmt.Errorf("%w: it is empty", errUndecodable)
	}
	if payload[0] != taskFormat {
		return webhook.Run{}, errNewer
	}
	fields := strings.Split(string(payload[1:]), " ")
	if len(fields) != 5 || fields[0] != "" || fields[1] == "" || fields[2] == "" || fields[3] == "" {
		return webhook.Run{}, fmt.Errorf("%w: it is not three ids and a number", errUndecodable)
	}
	number, err := strconv.Atoi(fields[4])
	if err != nil || number < 1 {
		return webhook.Run{}, fmt.Errorf("%w: the run's number is not a positive one", errUndecodable)
	}
	ref := webhook.DeliveryRef{Brand: fields[1], EventID: fields[2], EndpointID: fields[3]}
	return webhook.Run{DeliveryRef: ref, Number: number}, nil
}

// Describe returns a task's type and payload as a person may read them: the type and the ids. Of a payload that is not ours
// it tells the length only, as nobody knows what it holds.
func Describe(kind string, payload []byte) string {
	run, err := decode(kind, payload)
	for _, id := range []string{run.Brand, run.EventID, run.EndpointID} {
		if err == nil {
			err = webhook.CheckID("id", id)
		}
	}
	if err != nil {
		return fmt.Sprintf("unreadable, %d bytes", len(payload))
	}
	return fmt.Sprintf("%s brand=%s event=%s endpoint=%s run=%d", kind, run.Brand, run.EventID, run.EndpointID, run.Number)
}
