package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// scanCount is how many keys one SCAN looks at, about.
const scanCount = 1000

// eachEndpoint hands over all endpoints of all brands that stand in Redis during the
// whole of it, some at a time; deleted ones too, and one perhaps twice. It walks over
// every key, which is nothing for the road of a delivery. do is not called concurrently.
func (s *Store) eachEndpoint(ctx context.Context, do func(context.Context, []webhook.EndpointRef) error) error {
	cluster, ok := s.rdb.(*redis.ClusterClient)
	if !ok {
		return scanEndpoints(ctx, s.rdb, do)
	}
	var one sync.Mutex
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		return scanEndpoints(ctx, node, func(ctx context.Context, refs []webhook.EndpointRef) error {
			one.Lock()
			defer one.Unlock()
			return do(ctx, refs)
		})
	})
	if err != nil && !errors.Is(err, webhook.ErrUnavailable) { // the list of masters could not be read
		return unavailable("look for endpoints", err)
	}
	return err
}

// scanEndpoints does so for one node.
func scanEndpoints(ctx context.Context, node redis.Cmdable, do func(context.Context, []webhook.EndpointRef) error) error {
	for cursor := uint64(0); ; {
		keys, next, err := node.Scan(ctx, cursor, "oh:{s??}:p:*", scanCount).Result()
		if err != nil {
			return unavailable("look for endpoints", err)
		}
		refs := make([]webhook.EndpointRef, 0, len(keys))
		for _, key := range keys {
			brand, id := refOf(key[len(tagPrefix(0)+"p:"):])
			if ref := (webhook.EndpointRef{Brand: brand, ID: id}); keysOfEndpoint(ref).endpoint == key {
				refs = append(refs, ref)
			}
		}
		if err := do(ctx, refs); err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

// sealedEndpoint is an endpoint as it stands, of which only what is sealed is looked at.
type sealedEndpoint struct {
	ref              webhook.EndpointRef
	packed, revision string
	// err says why it cannot be read.
	err error
}

// readSealed reads those that exist and are not deleted.
func (s *Store) readSealed(ctx context.Context, refs []webhook.EndpointRef) ([]sealedEndpoint, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	cmds := make([]*redis.SliceCmd, len(refs))
	_, _ = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		for i, ref := range refs {
			cmds[i] = p.HMGet(ctx, keysOfEndpoint(ref).endpoint, "settings", "rev")
		}
		return nil
	})
	var found []sealedEndpoint
	for i, cmd := range cmds {
		fields, err := cmd.Result()
		if err != nil && !answers(err, mistakes...) {
			return nil, unavailable("read endpoints", err)
		}
		if e := (sealedEndpoint{refs[i], text(fields, 0), text(fields, 1), err}); err != nil || e.packed != "" {
			found = append(found, e)
		}
	}
	return found, nil
}

// sealedText is one text of an endpoint's settings, and the field that it is bound to.
type sealedText struct{ text, field string }

// texts answers everything that is sealed in the settings. Errors: errFormat, or why they cannot be read.
func (e sealedEndpoint) texts() ([]sealedText, error) {
	var kept settings
	if e.err != nil {
		return nil, e.err
	}
	if e.packed == "" || e.packed[0] != formatSettings || json.Unmarshal([]byte(e.packed[1:]), &kept) != nil {
		return nil, errFormat
	}
	var texts []sealedText
	if kept.Headers != "" {
		texts = append(texts, sealedText{kept.Headers, fieldHeaders})
	}
	for _, secret := range kept.Secrets {
		texts = append(texts, sealedText{secret.Text, fieldSecret})
	}
	return texts, nil
}

// reseal answers the settings with everything in them sealed by the newest key, and
// all else, what only a newer version knows included, as it was; empty when they are
// so already. What cannot be opened is named, and stays as it is.
func (r KeyRing) reseal(e sealedEndpoint) (packed string, unmoved *webhook.Unmoved) {
	texts, err := e.texts()
	if err != nil {
		return "", &webhook.Unmoved{Endpoint: e.ref, Err: err}
	}
	packed = e.packed
	for _, t := range texts {
		id := sealedBy(t.text)
		plain, err := r.open(t.text, e.ref, t.field)
		if err != nil {
			return "", &webhook.Unmoved{Endpoint: e.ref, KeyID: id, Err: err}
		}
		if id != r.newest().id { // a sealed text stands in JSON as it is
			packed = strings.Replace(packed, `"`+t.text+`"`, `"`+r.seal(plain, e.ref, t.field)+`"`, 1)
		}
	}
	if !r.sealedAll(packed) { // something else is the same text
		return "", &webhook.Unmoved{Endpoint: e.ref, Err: errFormat}
	}
	if packed == e.packed {
		return "", nil
	}
	return packed, nil
}

// sealedAll tells whether all that is sealed in the settings is so by the newest key.
func (r KeyRing) sealedAll(packed string) bool {
	texts, err := sealedEndpoint{packed: packed}.texts()
	return err == nil && !slices.ContainsFunc(texts, func(t sealedText) bool { return sealedBy(t.text) != r.newest().id })
}
