package redisstore

import (
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

func tagPrefix(tag int) string {
	return string([]byte{'o', 'h', ':', '{', 's', '0' + byte(tag/10), '0' + byte(tag%10), '}', ':'})
}

// eventKeys are the keys on the tag of one event.
type eventKeys struct{ event, admitting string }

func keysOfEvent(ref webhook.EventRef) eventKeys {
	member := ref.String()
	tag := tagOf(member)
	return eventKeys{event: tag + "e:" + member, admitting: tag + "admitting"}
}

// brandKeys are the keys on the tag of one brand.
type brandKeys struct {
	endpoints, index string
	// brands is the list of all brands of the tag, place how far the janitor is with the index.
	brands, place string
}

func keysOfBrand(brand string) brandKeys {
	tag := tagOf(brand)
	return brandKeys{endpoints: tag + "b:" + brand, index: tag + "i:" + brand, brands: tag + "brands", place: tag + "w:" + brand}
}

// endpointKeys are the keys on the tag of one endpoint.
type endpointKeys struct {
	endpoint, line, out, retry, due string
	attempts, answers, dead         string
	// records is the prefix of the delivery records.
	records string
	// member is what due holds.
	member string
}

// keysOfEndpoint cuts all of them from one text: every delivery asks for them several times.
func keysOfEndpoint(ref webhook.EndpointRef) endpointKeys {
	const letters = "plorahxd"
	member := ref.String()
	tag := tagOf(member)
	size := len(tag) + len("p:") + len(member)
	var all strings.Builder
	all.Grow(len(letters)*size + len(":") + len(tag) + len("due"))
	for i := range len(letters) {
		all.WriteString(tag)
		all.WriteByte(letters[i])
		all.WriteByte(':')
		all.WriteString(member)
	}
	all.WriteByte(':')
	all.WriteString(tag)
	all.WriteString("due")
	text := all.String()
	key := func(i int) string { return text[i*size : (i+1)*size] }
	return endpointKeys{
		endpoint: key(0), line: key(1), out: key(2), retry: key(3), attempts: key(4), answers: key(5), dead: key(6),
		records: text[7*size : 8*size+1], due: text[8*size+1:], member: member,
	}
}

// ofScript are the keys that lua/endpoint.lua names, and more of a script's own.
func (k endpointKeys) ofScript(more ...string) []string {
	return append([]string{k.endpoint, k.line, k.out, k.retry, k.due}, more...)
}

// keyOfKey is where a key of the API is kept.
func keyOfKey(id string) string { return tagOf(id) + "k:" + id }

// keyOfKeys is the list of all keys of the API.
func keyOfKeys() string { return tagOf("keys") + "keys" }

// jobKeys are those of all jobs, on one tag: there are few.
type jobKeys struct {
	// jobs lists all, running those that somebody has to work on; jobs' own keys begin with prefix.
	jobs, running, prefix string
}

func keysOfJobs() jobKeys {
	tag := tagOf("jobs")
	return jobKeys{jobs: tag + "jobs", running: tag + "running", prefix: tag + "j:"}
}

// accountOf is where the account of a job's deliveries to an endpoint is kept: the scripts find it by the name of
// the records.
func accountOf(ref webhook.EndpointRef, job string) string {
	return tagOf(ref.String()) + "c:" + ref.String() + ":" + job
}

// hourOf is where the last hour of an endpoint is kept; found as accountOf is.
func hourOf(ref webhook.EndpointRef) string {
	return tagOf(ref.String()) + "m:" + ref.String()
}

// keyOfCanaries is where a canary of each encryption key is kept.
func keyOfCanaries() string { return tagOf("canaries") + "canaries" }

// refOf splits a member, "brand:id".
func refOf(member string) (brand, id string) {
	brand, id, _ = strings.Cut(member, ":")
	return brand, id
}
