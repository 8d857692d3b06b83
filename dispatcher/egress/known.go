package egress

import (
	"net"
	"net/url"
	"sync"
)

// maxKnown bounds the URLs that a client keeps parsed, which take some 3 MiB, or 35 MiB if all are as long as may be.
const maxKnown = 4096

// destination is where an attempt goes. Attempts share its URL, which nobody writes to: net/http does not, and
// its requests are not redirected.
type destination struct {
	url      *url.URL
	redacted string
	// address is what is dialled, and key what connections are kept by, so that a destination shares those of its host.
	address, key string
	// start is how a request of HTTP/1.1 begins: its first line and its host.
	start string
}

func newDestination(raw string, target *url.URL) destination {
	port := "443"
	if target.Scheme == "http" {
		port = "80"
	}
	if given := target.Port(); given != "" {
		port = given
	}
	return destination{
		url: target, redacted: RedactURL(raw),
		address: net.JoinHostPort(target.Hostname(), port), key: target.Scheme + "://" + target.Host,
		start: "POST " + target.RequestURI() + " HTTP/1.1\r\nHost: " + target.Host + "\r\n",
	}
}

// bounded keeps values by key, up to some number. Safe for concurrent use; the zero value is empty.
type bounded[V any] struct {
	mu     sync.RWMutex
	values map[string]V
}

func (b *bounded[V]) get(key string) (V, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	value, ok := b.values[key]
	return value, ok
}

// put takes the place of any other when there are as many as may be.
func (b *bounded[V]) put(key string, value V, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.values == nil {
		b.values = make(map[string]V)
	}
	if len(b.values) >= most {
		for other := range b.values {
			delete(b.values, other)
			break
		}
	}
	b.values[key] = value
}

func (b *bounded[V]) drop(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.values, key)
}

// destination is parse for attempts. It keeps what comes of it by the text of the URL: an endpoint's is the same at every
// attempt, and parsing it costs as much as signing does. What is refused is not kept.
func (c *Client) destination(raw string) (destination, error) {
	if d, ok := c.known.get(raw); ok {
		return d, nil
	}
	target, err := c.parse(raw)
	if err != nil {
		return destination{}, err
	}
	d := newDestination(raw, target)
	c.known.put(raw, d, maxKnown)
	return d, nil
}

// RedactURL returns what the function RedactURL does, without work for a URL that something was sent to.
func (c *Client) RedactURL(raw string) string {
	if d, ok := c.known.get(raw); ok {
		return d.redacted
	}
	return RedactURL(raw)
}
