package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// formatKey begins a packed key of the API; JSON follows.
const formatKey = '1'

// packedKey is how a key of the API is kept.
type packedKey struct {
	Brand       string `json:"brand,omitempty"`
	Description string `json:"description,omitempty"`
	Hash        []byte `json:"hash"`
	CreatedMs   int64  `json:"createdMs"`
}

func packKey(k webhook.APIKey) (string, error) {
	text, err := json.Marshal(packedKey{
		Brand: k.Brand, Description: k.Description, Hash: k.Hash[:], CreatedMs: millis(k.CreatedAt),
	})
	return string(formatKey) + string(text), err
}

// unpackKey reads what packKey wrote.
func unpackKey(id string, packed string) (webhook.APIKey, error) {
	var p packedKey
	k := webhook.APIKey{ID: id}
	if packed == "" || packed[0] != formatKey || json.Unmarshal([]byte(packed[1:]), &p) != nil || len(p.Hash) != len(k.Hash) {
		return webhook.APIKey{}, fmt.Errorf("key %s: %w", id, errFormat)
	}
	k.Brand, k.Description, k.CreatedAt = p.Brand, p.Description, timeOf(p.CreatedMs)
	copy(k.Hash[:], p.Hash)
	return k, nil
}

// CreateKey implements [webhook.Store]. It is listed first, so that no key is in
// force that nobody sees; an id in the list without a key is none.
func (s *Store) CreateKey(ctx context.Context, k webhook.APIKey) error {
	packed, err := packKey(k)
	if err != nil {
		return err
	}
	if err := s.rdb.SAdd(ctx, keyOfKeys(), k.ID).Err(); err != nil {
		return unavailable("create key", err)
	}
	if err := s.rdb.Set(ctx, keyOfKey(k.ID), packed, 0).Err(); err != nil {
		return unavailable("create key", err)
	}
	return nil
}

// Key implements [webhook.Store].
func (s *Store) Key(ctx context.Context, id string) (webhook.APIKey, error) {
	k, ok, err := readKey(id, s.rdb.Get(ctx, keyOfKey(id)))
	if err == nil && !ok {
		err = webhook.ErrNotFound
	}
	return k, err
}

// Keys implements [webhook.Store].
func (s *Store) Keys(ctx context.Context) ([]webhook.APIKey, error) {
	ids, err := s.rdb.SMembers(ctx, keyOfKeys()).Result()
	if err != nil {
		return nil, unavailable("keys", err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	answers := make([]*redis.StringCmd, len(ids))
	_, _ = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		for i, id := range ids {
			answers[i] = p.Get(ctx, keyOfKey(id))
		}
		return nil
	})
	var keys []webhook.APIKey
	for i, id := range ids {
		k, ok, err := readKey(id, answers[i])
		if err != nil {
			return nil, err
		}
		if ok {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// readKey reads one; not ok when there is none.
func readKey(id string, answer *redis.StringCmd) (k webhook.APIKey, ok bool, err error) {
	packed, err := answer.Result()
	if err == redis.Nil { // not errors.Is, as in run: that nobody answered is no answer
		return webhook.APIKey{}, false, nil
	}
	if err != nil {
		return webhook.APIKey{}, false, unavailable("key", err)
	}
	k, err = unpackKey(id, packed)
	return k, err == nil, err
}

// DeleteKey implements [webhook.Store]. What ends the key comes first; a
// repetition finishes what was cut off. It asks beforehand whether there is one,
// as the client may send what ends it twice.
func (s *Store) DeleteKey(ctx context.Context, id string) error {
	there, err := s.rdb.Exists(ctx, keyOfKey(id)).Result()
	if err == nil {
		err = s.rdb.Del(ctx, keyOfKey(id)).Err()
	}
	if err == nil {
		err = s.rdb.SRem(ctx, keyOfKeys(), id).Err()
	}
	if err != nil {
		return unavailable("delete key", err)
	}
	if there == 0 {
		return webhook.ErrNotFound
	}
	return nil
}
