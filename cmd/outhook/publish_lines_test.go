package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestPublishLines(t *testing.T) {
	t.Parallel()
	p := startPublishing(t)
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	stdin := strings.Join([]string{
		`{"id":"e1","type":"message.read","payload":` + oddPayload + `}`,
		``,
		`{"type":"message.delivered", "payload" :  {"n":1e2,"n":1} , "expiresAt":"2999-01-01T00:00:00Z"}`,
		`not JSON`,
		`{"id":"e1","type":"message.read","payload":{"other":1}}`,
		`{"id":"e5","type":"message.seen","payload":{}}`,
		`{"id":"e6","Type":"message.read","payload":{}}`,
		`{"id":"e7","type":"message.read","payload":{},"payload":{}}`,
		`{"id":"e8","type":"message.read","payload":` + deep + `}`,
		`{"id":"e.9","type":"message.read","payload":{}}`,
		`{"id":"e10","type":"message.read","payload":{}} {}`,
		`{"id":"e11","type":"message.read","payload":"` + "\xff" + `"}`,
		`{"id":7,"type":"message.read","payload":{}}`,
		`{"id":"e13","type":"message.read","payload":{}, "expiresAt":"tomorrow"}`,
		`[{"id":"e14","type":"message.read","payload":{}}]`,
		`{"id":"e15","type":"message.read","payload":{"a":}}`,
		`{"id":"e16","type":"message.failed","payload":{"last":"line"}}`, // and no line break
	}, "\n")
	got := p.publish(t, stdin, "-")
	wantErr := `line 4: malformed JSON at byte 2: invalid character 'o' in literal null (expecting 'u')
line 7: Type: is not a field of an event
line 8: payload: is given twice
line 9: payload: must not nest deeper than 64
line 10: id: must match [A-Za-z0-9_-]{1,64}
line 11: malformed JSON at byte 49: invalid character '{' after top-level value
line 12: payload: must be valid UTF-8
line 13: id: must be a string
line 14: expiresAt: must be a time as in RFC 3339
line 15: must be one JSON object with "type" and "payload"
line 16: malformed JSON at byte 50: invalid character '}' looking for beginning of value
line 5: the id is taken by other content: choose another, or change what is there
line 6: type: `
	text := strings.ReplaceAll(got.errOut, "outhook: publish: ", "")
	if got.code != exitFailed || !strings.HasPrefix(text, wantErr) || !strings.HasSuffix(text, "\nlines refused: 13\n") {
		t.Errorf("exit code %d, stderr:\n%s", got.code, got.errOut)
	}
	if want := "events published: 3 (known before: 0), deliveries: 3, lines refused: 13\n"; got.out != want {
		t.Errorf("stdout %q", got.out)
	}
	bodies := p.bodies(t, 3)
	for id, body := range bodies {
		if strings.HasPrefix(id, webhook.EventPrefix) && body != `{"n":1e2,"n":1}` {
			t.Errorf("line 3 was received as %s", body)
		}
	}
	if bodies["e1"] != oddPayload || bodies["e16"] != `{"last":"line"}` {
		t.Errorf("bodies %v", bodies)
	}
}

// A batch that was lost on its way back is sent again, with the same ids: nobody gets anything twice.
func TestPublishLinesAgain(t *testing.T) {
	t.Parallel()
	p := startPublishing(t)
	p.lose = 2
	got := p.publish(t, `{"type":"message.read","payload":{"a":1}}`+"\n"+`{"id":"e2","type":"message.read","payload":{"a":2}}`, "-", "-o", "json")
	if want := `{"published":2,"duplicates":2,"deliveries":2,"refused":0}` + "\n"; got.code != exitDone || got.out != want || got.errOut != "" {
		t.Fatalf("%+v", got)
	}
	if len(p.batches) != 3 || !bytes.Equal(p.batches[0], p.batches[2]) {
		t.Fatalf("batches %s", p.batches)
	}
	p.bodies(t, 2)

	p.lose = 1 << 30
	for _, patience := range []string{"0s", "1ms"} {
		got = p.publish(t, `{"id":"e3","type":"message.read","payload":{}}`, "-", "--retry-for", patience)
		if got.code != exitFailed || !strings.HasPrefix(got.errOut, "outhook: publish: line 1 and after: ") || strings.Count(got.errOut, "\n") != 1 {
			t.Errorf("patience %s: %+v", patience, got)
		}
	}
}

func TestPublishLinesInBatches(t *testing.T) {
	t.Parallel()
	p := startPublishing(t)
	var stdin strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&stdin, `{"id":"e%d","type":"workflow.sms.matched_text","payload":{"i":%d}}`+"\n", i, i)
	}
	got := p.publish(t, stdin.String(), "-")
	if want := "events published: 1200 (known before: 0), deliveries: 0, lines refused: 0\n"; got.code != exitDone || got.out != want {
		t.Fatalf("%+v", got)
	}
	var sizes []int
	for _, batch := range p.batches {
		sizes = append(sizes, bytes.Count(batch, []byte(`"payload":`)))
	}
	if diff := cmp.Diff([]int{500, 500, 200}, sizes); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

// A server may allow less than the command sends at once: what fits is published, what does not is named.
func TestPublishLinesToAStricterServer(t *testing.T) {
	t.Parallel()
	p := startPublishing(t, func(c *httpapi.Config) { c.PayloadBytes, c.RequestBytes, c.BatchEvents = 1<<10, 4<<10, 3 })
	var stdin strings.Builder
	for i := range 10 {
		long := 10
		if i == 4 {
			long = 2 << 10 // than a payload may be
		}
		if i == 7 {
			long = 5 << 10 // than a request may be
		}
		fmt.Fprintf(&stdin, `{"id":"e%d","type":"message.read","payload":{"long":"%s"}}`+"\n", i, strings.Repeat("x", long))
	}
	got := p.publish(t, stdin.String(), "-")
	if want := "events published: 8 (known before: 0), deliveries: 8, lines refused: 2\n"; got.code != exitFailed || got.out != want {
		t.Fatalf("%+v", got)
	}
	if !strings.Contains(got.errOut, "line 5: ") || !strings.Contains(got.errOut, "line 8: ") {
		t.Errorf("stderr:\n%s", got.errOut)
	}
	p.bodies(t, 8)
}

func TestPublishLinesTooLong(t *testing.T) {
	t.Parallel()
	p := startPublishing(t)
	stdin := `{"id":"e1","type":"message.read","payload":{"x":"` + strings.Repeat("x", batchBytes) + `"}}` + "\n" +
		`{"id":"e2","type":"message.read","payload":{}}`
	got := p.publish(t, stdin, "-")
	if !strings.HasPrefix(got.errOut, "outhook: publish: line 1: must be at most ") || !strings.HasPrefix(got.out, "events published: 1 ") {
		t.Fatalf("%+v", got)
	}
}

func TestPublishLinesToNobody(t *testing.T) {
	t.Parallel()
	got := commandWith(t, `{"type":"message.read","payload":{}}`, nil, "publish", "--brand=acme", "-", "--server=http://127.0.0.1:1", "--key=k")
	want := "outhook: publish: line 1 and after: http://127.0.0.1:1 gave no answer: dial tcp 127.0.0.1:1: connect: connection refused\n"
	if got.code != exitFailed || got.errOut != want {
		t.Fatalf("%+v", got)
	}
}
