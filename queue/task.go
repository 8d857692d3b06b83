package queue

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	deliveryType = "delivery"
	wakeType     = "endpoint:wake"
	// taskFormat is the first byte of a payload and says how to read the rest: fields, each after a space, which none contains.
	// Of a delivery they are brand, event, endpoint and run number; of a wake-up brand, endpoint, gate, its time in Unix
	// milliseconds and how many wait.
	taskFormat = '1'
)

// newTask returns a run as Asynq carries it. The queue's name is not in it: Asynq knows it.
func newTask(run webhook.Run) *asynq.Task {
	return asynq.NewTask(deliveryType, encode(run.Brand, run.EventID, run.EndpointID, strconv.Itoa(run.Number)))
}

func newWakeTask(w webhook.Wakeup) *asynq.Task {
	return asynq.NewTask(wakeType, encode(w.Endpoint.Brand, w.Endpoint.ID, string(w.Gate),
		strconv.FormatInt(w.At.UnixMilli(), 10), strconv.Itoa(w.Waiting)))
}

// wakeID is the task id of a wake-up: another time is another one, as the one before may still be there.
func wakeID(w webhook.Wakeup) string {
	return "wake:" + w.Endpoint.String() + ":" + strconv.FormatInt(w.At.UnixMilli(), 10)
}

func encode(fields ...string) []byte {
	payload := make([]byte, 0, 96)
	payload = append(payload, taskFormat)
	for _, field := range fields {
		payload = append(payload, ' ')
		payload = append(payload, field...)
	}
	return payload
}

// decode answers the n fields of a payload, none of them empty: errNewer for a format byte that it does not know, and
// errUndecodable, with the reason, for anything else.
func decode(payload []byte, n int) ([]string, error) {
	if len(payload) == 0 {
		return nil, fmt.Errorf("%w: it is empty", errUndecodable)
	}
	if payload[0] != taskFormat {
		return nil, errNewer
	}
	before, rest, _ := strings.Cut(string(payload[1:]), " ")
	fields := strings.Split(rest, " ")
	if before != "" || len(fields) != n {
		return nil, fmt.Errorf("%w: it has not %d fields", errUndecodable, n)
	}
	for _, field := range fields {
		if field == "" {
			return nil, fmt.Errorf("%w: a field is empty", errUndecodable)
		}
	}
	return fields, nil
}

// decodeRun reads what newTask wrote; the run's Queue stays empty.
func decodeRun(payload []byte) (webhook.Run, error) {
	fields, err := decode(payload, 4)
	if err != nil {
		return webhook.Run{}, err
	}
	number, err := strconv.Atoi(fields[3])
	if err != nil || number < 1 {
		return webhook.Run{}, fmt.Errorf("%w: the run's number is not a positive one", errUndecodable)
	}
	ref := webhook.DeliveryRef{Brand: fields[0], EventID: fields[1], EndpointID: fields[2]}
	return webhook.Run{DeliveryRef: ref, Number: number}, nil
}

// decodeWakeup reads what newWakeTask wrote.
func decodeWakeup(payload []byte) (webhook.Wakeup, error) {
	fields, err := decode(payload, 5)
	if err != nil {
		return webhook.Wakeup{}, err
	}
	at, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		return webhook.Wakeup{}, fmt.Errorf("%w: the time is not a number", errUndecodable)
	}
	waiting, err := strconv.Atoi(fields[4])
	if err != nil {
		return webhook.Wakeup{}, fmt.Errorf("%w: how many wait is not a number", errUndecodable)
	}
	ref := webhook.EndpointRef{Brand: fields[0], ID: fields[1]}
	return webhook.Wakeup{Endpoint: ref, Gate: webhook.Gate(fields[2]), At: time.UnixMilli(at), Waiting: waiting}, nil
}
