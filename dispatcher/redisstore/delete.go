package redisstore

import (
	"context"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// DeleteEndpoint implements [webhook.Store]. The tombstone outlives every event
// that may name the endpoint. A repetition finishes what was cut off.
//
// One that is there beforehand was deleted by this call or by another at the
// same time, whatever the script says: the client may have sent it twice.
func (s *Store) DeleteEndpoint(ctx context.Context, ref webhook.EndpointRef) error {
	there, err := s.rdb.HExists(ctx, keysOfEndpoint(ref).endpoint, "settings").Result()
	if err != nil {
		return unavailable("delete endpoint", err)
	}
	answer, err := s.one(ctx, "delete endpoint", s.endpointCall(scriptDelete, ref, nil, s.openFor().Milliseconds()))
	if err != nil {
		return err
	}
	if there || answer != "gone" {
		return s.unlist(ctx, ref)
	}
	if err := s.unlistLeftOver(ctx, ref); err != nil {
		return err
	}
	return webhook.ErrNotFound
}

// cancelMost bounds one step of CancelOpen: Redis does nothing else meanwhile,
// some 2 ms.
const cancelMost = 200

// CancelOpen implements [webhook.Store]. What is in the queue is settled by the
// worker that takes it, and what the queue has lost goes back to the line first.
func (s *Store) CancelOpen(ctx context.Context, ref webhook.EndpointRef) (cancelled int, more bool, err error) {
	answer, err := s.one(ctx, "cancel open deliveries",
		s.endpointCall(scriptCancel, ref, nil, cancelMost, s.cfg.RetainDelivered.Milliseconds()))
	if err != nil {
		return 0, false, err
	}
	a := list(answer)
	settled, _ := a[0].(int64)
	return int(settled), a[1] == int64(1), nil
}
