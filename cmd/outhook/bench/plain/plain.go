// Package plain is what a good programmer writes on Asynq in an hour: the program that bench measures outhook against.
package plain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hibiken/asynq"

	"go.smobi.com/outhook/signer"
)

// Webhook is one task: an event on its way to one URL.
type Webhook struct {
	ID, URL string
	Body    json.RawMessage
}

// Enqueue publishes a webhook.
func Enqueue(ctx context.Context, client *asynq.Client, w Webhook) error {
	payload, err := json.Marshal(w)
	if err == nil {
		_, err = client.EnqueueContext(ctx, asynq.NewTask("webhook", payload))
	}
	return err
}

// Deliver returns the handler: it signs and POSTs.
func Deliver(client *http.Client, secret signer.Secret) asynq.HandlerFunc {
	return func(ctx context.Context, task *asynq.Task) error {
		var w Webhook
		if err := json.Unmarshal(task.Payload(), &w); err != nil {
			return err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(w.Body))
		if err != nil {
			return err
		}
		now := time.Now()
		signature, err := signer.Sign(w.ID, now, w.Body, secret)
		if err != nil {
			return err
		}
		request.Header = http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {w.ID},
			"Webhook-Timestamp": {fmt.Sprint(now.Unix())}, "Webhook-Signature": {signature}}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		if response.StatusCode >= 300 {
			err = fmt.Errorf("answered %s", response.Status)
		}
		return errors.Join(err, response.Body.Close())
	}
}
