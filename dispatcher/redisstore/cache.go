package redisstore

import (
	"sync"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// endpointCache keeps endpoints by revision: Claim says which one is current,
// so an entry is never served when it is old. Nobody changes one.
type endpointCache struct {
	mu      sync.Mutex
	entries map[webhook.EndpointRef]cachedEndpoint
}

type cachedEndpoint struct {
	revision string
	endpoint *webhook.Endpoint
}

// cacheSize bounds the cache; beyond it an arbitrary entry goes.
const cacheSize = 10_000

func (c *endpointCache) get(ref webhook.EndpointRef) cachedEndpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[ref]
}

func (c *endpointCache) put(ref webhook.EndpointRef, e cachedEndpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[webhook.EndpointRef]cachedEndpoint{}
	}
	if len(c.entries) >= cacheSize {
		for other := range c.entries {
			delete(c.entries, other)
			break
		}
	}
	c.entries[ref] = e
}
