package httpapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// rememberFor is how long a good key is not asked for again. A revoked key
	// opens nothing after 5 s in any process: this, and what a lookup takes.
	rememberFor = 3 * time.Second
	// rememberedKeys bounds the memory, at about 100 bytes each.
	rememberedKeys = 10_000
	// lookupTimeout bounds a lookup, which may be waited for by many requests
	// and therefore does not end with one of them.
	lookupTimeout = 2 * time.Second
)

// Authenticator tells who presents a key, as "Authorization: Bearer KEY".
//
// It remembers a good key, by its SHA-256, for 3 s from when it was asked for,
// so that one that is revoked is good for no longer than that; of 10,000 keys at
// most. Requests that present the same key at the same time ask once. Nothing
// that went wrong is remembered.
//
// Wrong keys are limited for each client address, an IPv4 address or an IPv6
// /64: 20 at once and one more each second, of 10,000 addresses at most. Beyond
// that, a key is refused unasked, unless it was good before. The address is
// the connection's: X-Forwarded-For and the like say whatever a client wants
// them to. Behind a proxy, therefore, all clients share what one of them spends.
//
// Safe for concurrent use.
type Authenticator struct {
	ask func(ctx context.Context, key string) (webhook.Identity, error)
	// lookups are under way by key, tries by key and client.
	lookups, tries singleflight.Group
	limit          tryLimiter

	mu   sync.Mutex
	good map[keyHash]goodKey
	// expected are looked up always, as those are that were good.
	expected map[keyHash]bool
}

type keyHash [sha256.Size]byte

// goodKey stays when its time is over: a key that was good need not fear the
// wrong ones of others.
type goodKey struct {
	who   webhook.Identity
	until time.Time
}

// NewAuthenticator returns one that asks whose key it is when it does not
// remember. Errors of ask: [webhook.ErrUnauthorized], [webhook.ErrUnavailable].
// ask gets a context that ends after 2 s and not with the request.
func NewAuthenticator(ask func(ctx context.Context, key string) (webhook.Identity, error)) *Authenticator {
	return &Authenticator{ask: ask, good: map[keyHash]goodKey{}, expected: map[keyHash]bool{}, limit: tryLimiter{full: map[netip.Prefix]time.Time{}}}
}

// Expect makes a key, of which it is told the SHA-256, one that is looked up
// however many wrong ones come from the same address.
func (a *Authenticator) Expect(hash [sha256.Size]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expected[hash] = true
}

// Identify is a [Config.Identify]. A request with two Authorization headers has
// no key, and one in the query counts for nothing. Errors: as Key.
func (a *Authenticator) Identify(r *http.Request) (webhook.Identity, error) {
	key, ok := bearer(r.Header)
	if !ok {
		return webhook.Identity{}, webhook.ErrUnauthorized
	}
	return a.Key(r, key)
}

// Key tells whose the key is that came with a request, however it came. Errors:
// [webhook.ErrUnauthorized], [webhook.ErrUnavailable], and [webhook.ErrBusy] when too many
// wrong ones came from the same address.
func (a *Authenticator) Key(r *http.Request, key string) (webhook.Identity, error) {
	hash := keyHash(sha256.Sum256([]byte(key)))
	who, known, fresh := a.remembered(hash)
	switch {
	case fresh:
		return who, nil
	case known:
		return a.lookup(r.Context(), hash, key)
	}
	from := clientOf(r.RemoteAddr)
	return share(&a.tries, from.String()+string(hash[:]), func() (webhook.Identity, error) {
		return a.try(r.Context(), from, hash, key)
	})
}

// try looks a key up on the account of a client, to whom it is given back unless
// the key was wrong. Taken first, so that it bounds what is asked at the same time.
func (a *Authenticator) try(ctx context.Context, from netip.Prefix, hash keyHash, key string) (webhook.Identity, error) {
	if !a.limit.take(from) {
		return webhook.Identity{}, webhook.ErrBusy
	}
	who, err := a.lookup(ctx, hash, key)
	if !errors.Is(err, webhook.ErrUnauthorized) {
		a.limit.giveBack(from)
	}
	return who, err
}

func (a *Authenticator) lookup(ctx context.Context, hash keyHash, key string) (webhook.Identity, error) {
	return share(&a.lookups, string(hash[:]), func() (webhook.Identity, error) {
		if who, _, fresh := a.remembered(hash); fresh {
			return who, nil // a lookup ended while this one began
		}
		asked := time.Now()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		who, err := a.ask(ctx, key)
		a.learn(hash, goodKey{who, asked.Add(rememberFor)}, err)
		return who, err
	})
}

func (a *Authenticator) remembered(hash keyHash) (who webhook.Identity, known, fresh bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, known := a.good[hash]
	return k.who, known || a.expected[hash], known && time.Now().Before(k.until)
}

// learn remembers a good key, and forgets one that no longer is.
func (a *Authenticator) learn(hash keyHash, k goodKey, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case errors.Is(err, webhook.ErrUnauthorized):
		delete(a.good, hash)
	case err == nil:
		if len(a.good) >= rememberedKeys {
			clear(a.good) // each is only asked for again
		}
		a.good[hash] = k
	}
}

// share runs f once for all who ask under the same name at the same time.
func share(g *singleflight.Group, name string, f func() (webhook.Identity, error)) (webhook.Identity, error) {
	who, err, _ := g.Do(name, func() (any, error) { return f() })
	return who.(webhook.Identity), err
}
