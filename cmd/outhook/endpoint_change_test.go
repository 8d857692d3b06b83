package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/signer"
)

const createLine = "POST /v1/brands/acme/endpoints "

func TestEndpointCreateAsks(t *testing.T) {
	secret, private := signer.NewSecret().Reveal(), signer.NewPrivateKey().Reveal()
	file := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(file, []byte(" "+secret+"\r\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "--url=https://example.com/hook"
	for name, tc := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"least": {"", []string{"--id=a", url, "--purpose=status"}, `{"id":"a","url":"https://example.com/hook","purpose":"status"}`},
		"types": {"", []string{"--id=a", url, "--event-type=message.*,message.read", "--event-type", "delivery.dead"},
			`{"id":"a","url":"https://example.com/hook","eventTypes":["message.*","message.read","delivery.dead"]}`},
		"everything": {"", []string{"--id=a", url, "--purpose=inbound", "--description=<core>", "--metadata=team=a=b,c", "--metadata=empty=",
			"--header=X-Team:  a: b ", "--header=Authorization: Bearer t", "--max-in-flight=8", "--rate-limit=50", "--rate-burst=10", "--timeout=1.5s", "--signature=hmac", "--disabled"},
			`{"id":"a","url":"https://example.com/hook","purpose":"inbound","description":"<core>","metadata":{"empty":"","team":"a=b,c"},` +
				`"headers":{"Authorization":"Bearer t","X-Team":"a: b"},"rateLimit":{"perSecond":50,"burst":10},"maxInFlight":8,"timeoutMs":1500,"signature":"hmac","disabled":true}`},
		"secret in a file": {"", []string{"--id=a", url, "--purpose=status", "--secret-file", file},
			`{"id":"a","url":"https://example.com/hook","purpose":"status","secret":"` + secret + `"}`},
		"secret on stdin": {private + "\n", []string{"--id=a", url, "--purpose=status", "--secret-file=-", "--signature=ed25519"},
			`{"id":"a","url":"https://example.com/hook","purpose":"status","secret":"` + private + `","signature":"ed25519"}`},
		"defaults": {"", []string{"--id=a", url, "--purpose=status", "--timeout=0", "--max-in-flight=0", "--rate-limit=0", "--description=", "--disabled=false"},
			`{"id":"a","url":"https://example.com/hook","purpose":"status"}`},
	} {
		t.Run(name, func(t *testing.T) {
			api := playAPI(t, apiAnswer{201, bareEndpoint("a")})
			if got := api.endpoint(t, tc.stdin, append([]string{"create"}, tc.args...)...); got.code != exitDone {
				t.Fatalf("%+v", got)
			}
			if diff := cmp.Diff([]string{createLine + tc.want}, api.requests()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// Without an id one is made, so that whoever gets no answer can ask for the same endpoint again.
func TestEndpointCreateMakesAnID(t *testing.T) {
	api := playAPI(t, refused(503, "the store did not answer", "", ""))
	got := api.endpoint(t, "", "create", "--url=https://example.com/hook", "--purpose=status")
	asked := regexp.MustCompile(`^` + createLine + `{"id":"(ep_[0-9a-f]{32})","url"`).FindStringSubmatch(api.requests()[0])
	if len(asked) != 2 {
		t.Fatalf("asked %q", api.requests())
	}
	checkOutcome(t, got, outcome{exitFailed, "", "outhook: endpoint create: the store did not answer; to create it again, add --id " + asked[1] + "\n"})
}

func TestEndpointCreatePrints(t *testing.T) {
	created := bareEndpoint("a")
	created.Secret = "whsec_x"
	card := func(secret string) string {
		return `id:             a
url:            https://example.com/hook
wants:          status
state:          enabled
max in flight:  default
timeout:        default
signature:      hmac
secret:         ` + secret + `
created:        2026-01-02T03:04:05.000Z
updated:        2026-01-02T03:04:05.000Z
`
	}
	const once = "the secret is shown this once: give it to the receiver, and keep it nowhere else\n"
	args := []string{"create", "--id=a", "--url=https://example.com/hook", "--purpose=status"}
	checkOutcome(t, playAPI(t, apiAnswer{201, created}).endpoint(t, "", args...), outcome{0, card("whsec_x"), once})
	checkOutcome(t, playAPI(t, apiAnswer{200, bareEndpoint("a")}).endpoint(t, "", args...),
		outcome{0, card("…abcd"), "endpoint a was there already, with these settings: its secret is not shown again\n"})
	checkOutcome(t, playAPI(t, apiAnswer{201, created}).endpoint(t, "", append(args, "-o=json")...),
		outcome{0, `{"id":"a","url":"https://example.com/hook","purpose":"status","signature":"hmac","disabled":false,"secret":"whsec_x","secretHint":"abcd","createdAt":"2026-01-02T03:04:05.000Z","updatedAt":"2026-01-02T03:04:05.000Z"}` + "\n", once})
}

func TestEndpointUpdateSendsWhatWasGiven(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"url":      {[]string{"--url=https://example.com/new"}, `{"url":"https://example.com/new"}`},
		"purpose":  {[]string{"--purpose=inbound"}, `{"eventTypes":null,"purpose":"inbound"}`},
		"types":    {[]string{"--event-type=message.*,delivery.dead"}, `{"eventTypes":["message.*","delivery.dead"],"purpose":null}`},
		"metadata": {[]string{"--metadata=a=1", "--metadata=b=", "--remove-metadata=c"}, `{"metadata":{"a":"1","b":"","c":null}}`},
		"headers":  {[]string{"--header=X-A: 1", "--remove-header=X-B", "--remove-header", "X-C"}, `{"headers":{"X-A":"1","X-B":null,"X-C":null}}`},
		"values":   {[]string{"--timeout=10s", "--max-in-flight=3", "--rate-limit=2.5", "--rate-burst=4", "--description=<d>", "--disabled"}, `{"description":"<d>","disabled":true,"maxInFlight":3,"rateLimit":{"burst":4,"perSecond":2.5},"timeoutMs":10000}`},
		"defaults": {[]string{"--timeout=0", "--max-in-flight=0", "--rate-limit=0", "--description=", "--disabled=false"}, `{"description":null,"disabled":false,"maxInFlight":null,"rateLimit":null,"timeoutMs":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			api := playAPI(t, apiAnswer{200, bareEndpoint("a")})
			got := api.endpoint(t, "", append([]string{"update", "a"}, tc.args...)...)
			checkOutcome(t, got, outcome{0, drawn(t, endpointCard(bareEndpoint("a")), false), ""})
			if diff := cmp.Diff([]string{"PATCH /v1/brands/acme/endpoints/a " + tc.want}, api.requests()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEndpointSwitches(t *testing.T) {
	disabled := bareEndpoint("a")
	disabled.Disabled, disabled.DisabledReason = true, "manual"
	for name, tc := range map[string]struct {
		args  []string
		api   apiAnswer
		asked string
		want  string
	}{
		"enable":       {[]string{"enable", "a"}, apiAnswer{200, bareEndpoint("a")}, "POST /v1/brands/acme/endpoints/a/enable", "ID  STATE\na   enabled\n"},
		"disable":      {[]string{"disable", "a"}, apiAnswer{200, disabled}, "POST /v1/brands/acme/endpoints/a/disable", "ID  STATE\na   disabled: manual\n"},
		"delete":       {[]string{"delete", "a"}, apiAnswer{204, nil}, "DELETE /v1/brands/acme/endpoints/a", "ID  STATE\na   deleted\n"},
		"delete, json": {[]string{"delete", "a", "-o=json"}, apiAnswer{204, nil}, "DELETE /v1/brands/acme/endpoints/a", `{"id":"a","deleted":true}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			api := playAPI(t, tc.api)
			checkOutcome(t, api.endpoint(t, "", tc.args...), outcome{0, tc.want, ""})
			if diff := cmp.Diff([]string{tc.asked}, api.requests()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEndpointRotateSecret(t *testing.T) {
	const once = "the secret is shown this once: give it to the receiver, and keep it nowhere else\n"
	const none = "no old secret signs any more: receivers that do not know the new one refuse what is sent\n"
	secret := signer.NewSecret().Reveal()
	overlapping := bareEndpoint("a")
	overlapping.Secret, overlapping.OldSecrets = "whsec_x", fullEndpoint().OldSecrets
	ended := bareEndpoint("a")
	ended.Secret = "whsec_x"
	keys := bareEndpoint("a")
	keys.Signature, keys.PublicKey, keys.OldSecrets = "ed25519", "whpk_x", overlapping.OldSecrets
	const old = "old secret:  …efgh, signs until 2026-01-02T15:00:00.000Z\n"
	for name, tc := range map[string]struct {
		stdin  string
		args   []string
		answer httpapi.Endpoint
		asked  string
		want   outcome
	}{
		"default":     {"", nil, overlapping, `{"overlapMs":86400000}`, outcome{0, "id:          a\nsignature:   hmac\nsecret:      whsec_x\n" + old, once}},
		"now":         {"", []string{"--overlap=0"}, ended, `{"overlapMs":0}`, outcome{0, "id:         a\nsignature:  hmac\nsecret:     whsec_x\n", once + none}},
		"given":       {secret, []string{"--overlap=90m", "--secret-file=-"}, overlapping, `{"overlapMs":5400000,"secret":"` + secret + `"}`, outcome{0, "id:          a\nsignature:   hmac\nsecret:      whsec_x\n" + old, once}},
		"public keys": {"", []string{"--overlap=168h"}, keys, `{"overlapMs":604800000}`, outcome{0, "id:          a\nsignature:   ed25519\nsecret:      …abcd\npublic key:  whpk_x\n" + old, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			api := playAPI(t, apiAnswer{200, tc.answer})
			checkOutcome(t, api.endpoint(t, tc.stdin, append([]string{"rotate-secret", "a"}, tc.args...)...), tc.want)
			if diff := cmp.Diff([]string{"POST /v1/brands/acme/endpoints/a/secret/rotate " + tc.asked}, api.requests()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// endpointUsageCase is a command line that is wrong, and what is said of it.
type endpointUsageCase struct {
	args []string
	line string
}

func endpointUsageCases(t *testing.T) map[string]endpointUsageCase {
	t.Helper()
	folder := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := signer.NewSecret().Reveal()
	create := []string{"create", "--url=https://example.com/hook", "--purpose=status"}
	update := []string{"update", "a"}
	return map[string]endpointUsageCase{
		"no url":             {[]string{"create", "--purpose=status"}, "create: --url: is required"},
		"nothing wanted":     {[]string{"create", "--url=https://example.com"}, "create: --purpose or --event-type: is required"},
		"both":               {append(create, "--event-type=message.*"), "create: --purpose and --event-type: only one of them"},
		"purpose":            {[]string{"create", "--url=https://example.com", "--purpose=x"}, "create: --purpose: must be status or inbound"},
		"empty purpose":      {append(update, "--purpose="), "update: --purpose: must be status or inbound"},
		"empty types":        {append(update, "--event-type="), "update: --event-type: must not be empty"},
		"signature":          {append(create, "--signature=rsa"), "create: --signature: must be hmac or ed25519"},
		"empty id":           {append(create, "--id="), "create: --id: must not be empty: leave it out to have one made"},
		"bad id":             {append(create, "--id=a.b"), "create: --id: must match [A-Za-z0-9_-]{1,64}"},
		"metadata":           {append(create, "--metadata=team"), "create: --metadata: must be NAME=VALUE"},
		"metadata twice":     {append(create, "--metadata=a=1", "--metadata=a=2"), "create: --metadata: a is given twice"},
		"header":             {append(create, "--header=X-A"), "create: --header: must be NAME:VALUE"},
		"header's name":      {append(create, "--header=: secret"), "create: --header: must be NAME:VALUE"},
		"short timeout":      {append(create, "--timeout=999ms"), "create: --timeout: must be 1s to 30s, or 0 (the default)"},
		"long timeout":       {append(create, "--timeout=31s"), "create: --timeout: must be 1s to 30s, or 0 (the default)"},
		"odd timeout":        {append(create, "--timeout=1.0005s"), "create: --timeout: must be whole milliseconds"},
		"negative rate":      {append(create, "--rate-limit=-1"), "create: --rate-limit: must be 0 (no limit) or more"},
		"negative burst":     {append(create, "--rate-burst=-1"), "create: --rate-burst: must be 0 (evenly paced) or more"},
		"negative limit":     {append(create, "--max-in-flight=-1"), "create: --max-in-flight: must be 0 (the default) or more"},
		"empty secret file":  {append(create, "--secret-file="), "create: --secret-file: must not be empty: leave it out to have a secret made"},
		"no secret file":     {append(create, "--secret-file="+filepath.Join(folder, "none")), "create: --secret-file: open " + filepath.Join(folder, "none") + ": no such file or directory"},
		"no secret":          {append(create, "--secret-file="+write("empty", "\n")), "create: --secret-file: holds no secret"},
		"nothing on stdin":   {append(create, "--secret-file=-"), "create: --secret-file: holds no secret"},
		"two secrets":        {append(create, "--secret-file="+write("two", good+"\n"+good)), "create: --secret-file: must hold one secret and nothing else"},
		"update of nothing":  {update, "update: nothing to change: a setting must be given"},
		"no new url":         {append(update, "--url="), "update: --url: must not be empty"},
		"given and removed":  {append(update, "--metadata=a=1", "--remove-metadata=a"), "update: --metadata: a is given and taken away"},
		"negative overlap":   {[]string{"rotate-secret", "a", "--overlap=-1s"}, "rotate-secret: --overlap: must be 0 to 168h"},
		"long overlap":       {[]string{"rotate-secret", "a", "--overlap=169h"}, "rotate-secret: --overlap: must be 0 to 168h"},
		"odd overlap":        {[]string{"rotate-secret", "a", "--overlap=1us"}, "rotate-secret: --overlap: must be whole milliseconds"},
		"negative page":      {[]string{"list", "--limit=-1"}, "list: --limit: must be 0 (everything) or more"},
		"no endpoint":        {[]string{"get"}, "get: ID: is required: see outhook endpoint get --help"},
		"two endpoints":      {[]string{"get", "a", "b"}, `get: unexpected argument "b": see outhook endpoint get --help`},
		"bad endpoint":       {[]string{"delete", "a/b"}, "delete: ID: must match [A-Za-z0-9_-]{1,64}"},
		"empty type":         {[]string{"test", "a", "--type="}, "test: --type: must not be empty: leave it out for the first that the endpoint wants"},
		"no URL to look at":  {[]string{"check"}, "check: URL: is required: see outhook endpoint check --help"},
		"brand":              {[]string{"list", "--brand=a.b"}, "list: --brand: must match [A-Za-z0-9_-]{1,64}"},
		"no brand":           {[]string{"list", "--brand="}, "list: --brand: is required"},
		"secret as a flag":   {append(create, "--secret="+good), "create: unknown flag: --secret: see outhook endpoint create --help"},
		"form of the output": {[]string{"get", "a", "-o=yaml"}, `get: invalid argument "yaml" for "-o, --output" flag: must be table or json: see outhook endpoint get --help`},
	}
}

// What is wrong with the command line is said before anybody is asked.
func TestEndpointUsage(t *testing.T) {
	api := playAPI(t, apiAnswer{500, nil})
	for name, tc := range endpointUsageCases(t) {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"endpoint", tc.args[0], "--brand=acme"}, tc.args[1:]...)
			checkOutcome(t, command(t, api.env, args...), outcome{exitUsage, "", "outhook: endpoint " + tc.line + "\n"})
		})
	}
	if asked := api.requests(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}

// A secret that is none is not quoted, nor is what it was taken for.
func TestEndpointSecretStaysHidden(t *testing.T) {
	for _, prefix := range []string{"whsec_", "whsk_", ""} {
		api := playAPI(t, apiAnswer{500, nil})
		got := api.endpoint(t, prefix+"c2hvcnQ=", "create", "--url=https://example.com", "--purpose=status", "--secret-file=-")
		if got.code != exitUsage || !strings.HasPrefix(got.errOut, "outhook: endpoint create: --secret-file: ") ||
			strings.Contains(got.errOut, "c2hvcnQ") || len(api.requests()) > 0 {
			t.Errorf("%q: %+v", prefix, got)
		}
	}
}

// What the API refuses is told in the words of the command line.
func TestEndpointRefused(t *testing.T) {
	create := []string{"create", "--id=a", "--url=https://example.com/hook", "--event-type=x.*", "--header=X-A: 1"}
	for name, tc := range map[string]struct {
		args   []string
		answer apiAnswer
		line   string
	}{
		"url":             {create, refused(422, "d", "body.url", "must be https"), "create: --url: must be https"},
		"event type":      {create, refused(422, "d", "body.eventTypes", "x.* matches no type"), "create: --event-type: x.* matches no type"},
		"header":          {create, refused(422, "d", "body.headers.X-A", "is reserved"), "create: --header X-A: is reserved"},
		"secret":          {create, refused(422, "d", "body.secret", "must be whsec_"), "create: --secret-file: must be whsec_"},
		"id":              {create, refused(422, "d", "body.id", "must not"), "create: --id: must not"},
		"unknown field":   {create, refused(422, "d", "body.filter", "is not a field"), "create: filter: is not a field"},
		"the body":        {create, refused(422, "d", "body", "must be JSON"), "create: body: must be JSON"},
		"conflict":        {create, refused(409, "the id is taken by other content", "", ""), "create: the id is taken by other content"},
		"cursor":          {[]string{"list", "--cursor=c"}, refused(422, "d", "query.cursor", "is of another query"), "list: --cursor: is of another query"},
		"timeout":         {[]string{"update", "a", "--timeout=2s"}, refused(422, "d", "body.timeoutMs", "must not"), "update: --timeout: must not"},
		"not found":       {[]string{"get", "a"}, refused(404, "not found", "", ""), "get: endpoint a of brand acme: not found, or not for this key to see"},
		"deleted already": {[]string{"delete", "a"}, refused(404, "not found", "", ""), "delete: endpoint a of brand acme: not found, or not for this key to see"},
		"brand":           {[]string{"list"}, refused(404, "not found", "", ""), "list: brand acme: not found, or not for this key to see"},
		"key":             {[]string{"disable", "a"}, refused(401, "a valid key is required", "", ""), "disable: the key of --key or OUTHOOK_KEY is not valid, or was revoked"},
		"overlap":         {[]string{"rotate-secret", "a"}, refused(422, "d", "body.overlapMs", "must be less"), "rotate-secret: --overlap: must be less"},
		"type":            {[]string{"test", "a"}, refused(422, "d", "body.type", "must be one that it wants"), "test: --type: must be one that it wants"},
		"checked URL":     {[]string{"check", "x"}, refused(422, "d", "body.url", "must be a URL"), "check: URL: must be a URL"},
		"hostile server":  {[]string{"get", "a"}, refused(409, "a\x1b[2Jb\nc", "", ""), "get: a [2Jb c"},
		"no API":          {[]string{"get", "a"}, apiAnswer{200, "x"}, "get: the server's answer is not of the API: json: cannot unmarshal string into Go value of type httpapi.Endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			checkOutcome(t, playAPI(t, tc.answer).endpoint(t, "", tc.args...), outcome{exitFailed, "", "outhook: endpoint " + tc.line + "\n"})
		})
	}
	got := command(t, []string{"OUTHOOK_SERVER=http://127.0.0.1:1", "OUTHOOK_KEY=" + testKey}, "endpoint", "list", "--brand=acme")
	checkOutcome(t, got, outcome{exitFailed, "", "outhook: endpoint list: http://127.0.0.1:1 gave no answer: dial tcp 127.0.0.1:1: connect: connection refused\n"})
}
