package redisstore

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// resealMost bounds the endpoints of one pipeline.
const resealMost = 100

// Reencrypt seals with the newest key what older ones sealed, of every endpoint of
// every brand, and then forgets the keys that nothing needs any more. Nothing else of
// an endpoint changes, and what others change meanwhile stands: it may run beside
// everything, be cut off anywhere, and be run again, which goes on where it was.
// progress, which may be nil, is told how many endpoints of how many were looked at.
//
// What cannot be opened is in the answer and keeps nobody else waiting. Errors, with
// an answer of how far it came: a [webhook.KeyError] when the newest key is not the
// one that sealed what is stored; [webhook.ErrUnavailable].
func (s *Store) Reencrypt(ctx context.Context, progress func(done, total int)) (webhook.Reencryption, error) {
	r := &reencryption{store: s, moved: map[webhook.EndpointRef]bool{}, failed: map[webhook.EndpointRef]webhook.Unmoved{}}
	if progress == nil {
		progress = func(int, int) {}
	}
	err := r.run(ctx, progress)
	return r.answer(), err
}

// reencryption is one run of it.
type reencryption struct {
	store *Store
	// moved tells of each endpoint that is sealed with the newest key now whether it was moved here.
	moved  map[webhook.EndpointRef]bool
	failed map[webhook.EndpointRef]webhook.Unmoved
}

func (r *reencryption) run(ctx context.Context, progress func(done, total int)) error {
	if err := r.checkNewest(ctx); err != nil {
		return err
	}
	if err := r.pass(ctx, progress); err != nil {
		return err
	}
	dropped, err := r.dropUnneeded(ctx)
	if err != nil || len(dropped) == 0 {
		return err
	}
	// Once more: a process may have gone on sealing with a key whose canary was there.
	// From now on it puts that back first.
	return r.pass(ctx, func(int, int) {})
}

// checkNewest ends a run that would seal with a wrong key. What is wrong with the
// other keys is told endpoint by endpoint.
func (r *reencryption) checkNewest(ctx context.Context) error {
	newest := r.store.cfg.Keys.newest()
	err := r.store.CheckKeys(ctx)
	if wrong, ok := errors.AsType[*webhook.KeyError](err); !ok || wrong.KeyID == newest.id {
		return err
	}
	kept, err := r.store.canaries(ctx)
	if err != nil || kept == nil { // without any, whoever starts next looks at everything
		return err
	}
	return r.store.keepCanaries(ctx, kept, []sealKey{newest})
}

// pass looks at every endpoint once.
func (r *reencryption) pass(ctx context.Context, progress func(done, total int)) error {
	refs := map[webhook.EndpointRef]bool{}
	err := r.store.eachEndpoint(ctx, func(_ context.Context, found []webhook.EndpointRef) error {
		for _, ref := range found {
			refs[ref] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	done := 0
	progress(0, len(refs))
	for batch := range slices.Chunk(slices.Collect(maps.Keys(refs)), resealMost) {
		if err := r.work(ctx, batch); err != nil {
			return err
		}
		done += len(batch)
		progress(done, len(refs))
	}
	return nil
}

// work moves some endpoints. Those that were changed between reading and writing are read again.
func (r *reencryption) work(ctx context.Context, refs []webhook.EndpointRef) error {
	for try := range updateTries {
		if err := pause(ctx, time.Duration(try)*updatePause); err != nil {
			return unavailable("reencrypt", err)
		}
		found, err := r.store.readSealed(ctx, refs)
		if err != nil {
			return err
		}
		if refs, err = r.move(ctx, found); err != nil || len(refs) == 0 {
			return err
		}
	}
	for _, ref := range refs {
		r.failed[ref] = webhook.Unmoved{Endpoint: ref, Err: errContended}
	}
	return nil
}

// move stores what is sealed anew, in one pipeline, and answers which endpoints had been changed.
func (r *reencryption) move(ctx context.Context, found []sealedEndpoint) (changed []webhook.EndpointRef, err error) {
	var calls []call
	var of []webhook.EndpointRef
	for _, e := range found {
		packed, unmoved := r.store.cfg.Keys.reseal(e)
		switch {
		case unmoved != nil:
			r.failed[e.ref] = *unmoved
		case packed == "":
			r.settle(e.ref, false)
		default:
			calls = append(calls, r.store.endpointCall(scriptReseal, e.ref, nil, e.revision, packed))
			of = append(of, e.ref)
		}
	}
	if len(calls) == 0 {
		return nil, nil
	}
	answers, err := r.store.run(ctx, "reencrypt", calls)
	if err != nil {
		return nil, err
	}
	for i, answer := range answers {
		switch answer {
		case "moved":
			r.settle(of[i], true)
		case "changed":
			changed = append(changed, of[i])
		}
	}
	return changed, nil
}

// settle notes that an endpoint is as it is meant to be.
func (r *reencryption) settle(ref webhook.EndpointRef, moved bool) {
	r.moved[ref] = r.moved[ref] || moved
	delete(r.failed, ref)
}

// dropUnneeded takes away the canaries of all other keys when nothing was found to
// need them: they may go from the ring. It answers their fields. An endpoint that
// was not moved may need any of them, the one that is named is only the first.
func (r *reencryption) dropUnneeded(ctx context.Context) ([]string, error) {
	if len(r.failed) > 0 {
		return nil, nil
	}
	kept, err := r.store.canaries(ctx)
	if err != nil {
		return nil, err
	}
	delete(kept, canaryField(r.store.cfg.Keys.newest().id))
	dropped := slices.Sorted(maps.Keys(kept))
	return dropped, r.store.dropCanaries(ctx, dropped)
}

func (r *reencryption) answer() webhook.Reencryption {
	var sum webhook.Reencryption
	for ref, moved := range r.moved {
		if _, failed := r.failed[ref]; failed {
			continue
		}
		if moved {
			sum.Moved++
		} else {
			sum.AlreadyNewest++
		}
	}
	sum.Failed = slices.SortedFunc(maps.Values(r.failed), func(a, b webhook.Unmoved) int {
		return cmp.Compare(a.Endpoint.String(), b.Endpoint.String())
	})
	return sum
}
