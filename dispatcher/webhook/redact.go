package webhook

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// What holds payloads, header values, URLs or a receiver's text prints without
// them, whatever the verb, so that a careless line in a log tells nothing. Two
// ways around it remain: fmt calls no methods on the unexported fields of other
// structs, nor for verbs that vet refuses. Secrets withstand those too: see
// package signer. As JSON an [Event] and an [Attempt] are whole, since that is how
// a host keeps one.

const redactedText = "[redacted]"

// redacted returns a copy that may be printed.
func (e Endpoint) redacted() printedEndpoint {
	e.URL = withoutQuery(e.URL)
	headers := make(map[string]string, len(e.Headers))
	for name := range e.Headers {
		headers[name] = redactedText
	}
	if e.Headers != nil {
		e.Headers = headers
	}
	return printedEndpoint(e)
}

// printedEndpoint has the fields of an endpoint and none of its methods.
type printedEndpoint Endpoint

// Format writes the endpoint without its URL's query, header values and secrets.
func (e Endpoint) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), e.redacted())
}

// LogValue is what Format writes.
func (e Endpoint) LogValue() slog.Value { return logged(e) }

// MarshalJSON leaves out what Format does.
func (e Endpoint) MarshalJSON() ([]byte, error) { return json.Marshal(e.redacted()) }

// Format writes which event it is and how large, not its payload.
func (e Event) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{event %s %s %d bytes}", e.Ref(), e.Type, len(e.Payload))
}

// LogValue is what Format writes.
func (e Event) LogValue() slog.Value { return logged(e) }

// Format writes where the request goes, and how large it is.
func (r Request) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{POST %s %d headers %d bytes}", withoutQuery(r.URL), len(r.Header), len(r.Body))
}

// LogValue is what Format writes.
func (r Request) LogValue() slog.Value { return logged(r) }

// MarshalJSON writes what Format does: a request is not kept.
func (r Request) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// Format writes what came of a POST, and nothing that the receiver worded.
func (r Response) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s %s in %s %s}", statusText(r.Status), r.Reason, r.Duration, sizes(r.Header, r.Body))
}

// LogValue is what Format writes.
func (r Response) LogValue() slog.Value { return logged(r) }

// MarshalJSON writes what Format does: a response is not kept, an [Attempt] is.
func (r Response) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// Format writes the attempt without what the receiver worded.
func (a Attempt) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{attempt %s of %s:%s:%s number %d %s %s %s}", a.ID, a.Ref.Brand, a.Ref.EventID, a.Ref.EndpointID,
		a.Number, statusText(a.Status), a.Outcome, sizes(a.ResponseHeader, a.ResponseBody))
}

// LogValue is what Format writes.
func (a Attempt) LogValue() slog.Value { return logged(a) }

// LogValue writes the claim without payload and header values.
func (c Claim) LogValue() slog.Value { return logged(c) }

// LogValue writes the fan-out without the payload.
func (f Fanout) LogValue() slog.Value { return logged(f) }

// LogValue writes the status without the payload.
func (s EventStatus) LogValue() slog.Value { return logged(s) }

// LogValue writes the explanation without the payload.
func (x Explanation) LogValue() slog.Value { return logged(x) }

func logged(value any) slog.Value { return slog.StringValue(fmt.Sprintf("%+v", value)) }

func statusText(status int) string {
	if status == 0 {
		return "no answer"
	}
	return fmt.Sprintf("status %d", status)
}

func sizes(header http.Header, body []byte) string {
	return fmt.Sprintf("%d headers %d bytes", len(header), len(body))
}

// withoutQuery cuts a URL, which need not be valid, before all that may be a credential.
func withoutQuery(url string) string {
	clean, _, cut := strings.Cut(url, "?")
	clean, _, fragment := strings.Cut(clean, "#")
	if strings.Contains(clean, "@") {
		return redactedText
	}
	if cut || fragment {
		return clean + "?" + redactedText
	}
	return clean
}
