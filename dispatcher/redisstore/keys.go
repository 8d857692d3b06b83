package redisstore

import (
	"fmt"
	"hash/fnv"
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// tags is fixed for ever: changing it loses sight of everything stored.
const tags = 64

// tagOf answers the key prefix, "oh:{sNN}:", of what the text names.
func tagOf(text string) string {
	h := fnv.New32a()
	h.Write([]byte(text))
	return tagPrefix(int(h.Sum32() % tags))
}

func tagPrefix(tag int) string { return fmt.Sprintf("oh:{s%02d}:", tag) }

// eventKeys are the keys on the tag of one event.
type eventKeys struct{ event, admitting string }

func keysOfEvent(ref webhook.EventRef) eventKeys {
	member := ref.String()
	tag := tagOf(member)
	return eventKeys{event: tag + "e:" + member, admitting: tag + "admitting"}
}

// brandKeys are the keys on the tag of one brand.
type brandKeys struct{ endpoints, index string }

func keysOfBrand(brand string) brandKeys {
	tag := tagOf(brand)
	return brandKeys{endpoints: tag + "b:" + brand, index: tag + "i:" + brand}
}

// endpointKeys are the keys on the tag of one endpoint.
type endpointKeys struct {
	endpoint, line, out, retry, due string
	attempts, dead                  string
	// records is the prefix of the delivery records.
	records string
	// member is what due holds.
	member string
}

func keysOfEndpoint(ref webhook.EndpointRef) endpointKeys {
	member := ref.String()
	tag := tagOf(member)
	return endpointKeys{
		endpoint: tag + "p:" + member, line: tag + "l:" + member, out: tag + "o:" + member,
		retry: tag + "r:" + member, due: tag + "due", attempts: tag + "a:" + member,
		dead: tag + "x:" + member, records: tag + "d:" + member + ":", member: member,
	}
}

// keyOfKey is where a key of the API is kept.
func keyOfKey(id string) string { return tagOf(id) + "k:" + id }

// keyOfKeys is the list of all keys of the API.
func keyOfKeys() string { return tagOf("keys") + "keys" }

// keyOfCanaries is where a canary of each encryption key is kept.
func keyOfCanaries() string { return tagOf("canaries") + "canaries" }

// refOf splits a member, "brand:id".
func refOf(member string) (brand, id string) {
	brand, id, _ = strings.Cut(member, ":")
	return brand, id
}
