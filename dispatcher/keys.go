package dispatcher

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// keyPattern is the text of a key: "ohk_", the rest of its id, "_", and 256 random bits in hex.
var keyPattern = regexp.MustCompile(`^ohk_([0-9a-f]{32})_[0-9a-f]{64}$`)

// CreateKey makes an API key of the given Brand, or an admin's when that is
// empty, and Description. text is what opens the API: it is kept nowhere. Errors:
// [webhook.FieldError], [webhook.ErrUnavailable].
func (d *Dispatcher) CreateKey(ctx context.Context, k webhook.APIKey) (made webhook.APIKey, text string, err error) {
	if k.Brand != "" {
		if err := webhook.CheckID("brand", k.Brand); err != nil {
			return webhook.APIKey{}, "", err
		}
	}
	if err := checkDescription(k.Description); err != nil {
		return webhook.APIKey{}, "", err
	}
	k.ID = webhook.NewID(webhook.KeyPrefix)
	var random [32]byte
	rand.Read(random[:])
	text = "ohk_" + strings.TrimPrefix(k.ID, webhook.KeyPrefix) + "_" + hex.EncodeToString(random[:])
	k.Hash = sha256.Sum256([]byte(text))
	k.CreatedAt = time.Now().Truncate(time.Millisecond).UTC()
	_, err = within(ctx, d, "create key", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, d.store.CreateKey(ctx, k)
	})
	if err != nil {
		return webhook.APIKey{}, "", err
	}
	d.log.InfoContext(ctx, "key created", "key", k.ID, "brand", k.Brand)
	return k, text, nil
}

// Keys returns all API keys, the oldest first. Errors: [webhook.ErrUnavailable].
func (d *Dispatcher) Keys(ctx context.Context) ([]webhook.APIKey, error) {
	return within(ctx, d, "keys", d.store.Keys)
}

// Key returns one API key. It asks Redis each time: one that was revoked is not found. Errors: [webhook.ErrNotFound],
// [webhook.ErrUnavailable].
func (d *Dispatcher) Key(ctx context.Context, id string) (webhook.APIKey, error) {
	return within(ctx, d, "key", func(ctx context.Context) (webhook.APIKey, error) { return d.store.Key(ctx, id) })
}

// RevokeKey ends an API key, in every process as soon as that does not remember
// it any more: see [httpapi.Authenticator]. Errors: [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) RevokeKey(ctx context.Context, id string) error {
	_, err := within(ctx, d, "revoke key", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, d.store.DeleteKey(ctx, id)
	})
	if err == nil {
		d.log.InfoContext(ctx, "key revoked", "key", id)
	}
	return err
}

// Authenticate tells whose a key is: that of Config.AdminKeyHash, or one of
// CreateKey. It asks Redis each time; see [httpapi.Authenticator]. Errors:
// [webhook.ErrUnauthorized], [webhook.ErrUnavailable].
func (d *Dispatcher) Authenticate(ctx context.Context, key string) (webhook.Identity, error) {
	hash := sha256.Sum256([]byte(key))
	if d.cfg.AdminKeyHash != [sha256.Size]byte{} && subtle.ConstantTimeCompare(hash[:], d.cfg.AdminKeyHash[:]) == 1 {
		return webhook.Identity{}, nil
	}
	parts := keyPattern.FindStringSubmatch(key)
	if parts == nil {
		return webhook.Identity{}, webhook.ErrUnauthorized
	}
	k, err := within(ctx, d, "authenticate", func(ctx context.Context) (webhook.APIKey, error) {
		return d.store.Key(ctx, webhook.KeyPrefix+parts[1])
	})
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		return webhook.Identity{}, webhook.ErrUnauthorized
	case err != nil:
		return webhook.Identity{}, err
	case subtle.ConstantTimeCompare(hash[:], k.Hash[:]) != 1:
		return webhook.Identity{}, webhook.ErrUnauthorized
	}
	return webhook.Identity{Brand: k.Brand, Key: k.ID}, nil
}
