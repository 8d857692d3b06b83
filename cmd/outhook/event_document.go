package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.smobi.com/outhook/dispatcher/httpapi"
)

// noPayload is what an event without its payload is encoded with. It cannot occur inside of a JSON string, where quotes are
// escaped.
const noPayload = `"payload":null`

// writeEvents writes a list as the API does, payloads byte for byte: encoding/json would take white space out of them.
func writeEvents(out io.Writer, list httpapi.List[httpapi.Event]) error {
	payloads := make([]json.RawMessage, len(list.Items))
	bare := httpapi.List[httpapi.Event]{Items: make([]httpapi.Event, len(list.Items)), NextCursor: list.NextCursor}
	for i, e := range list.Items {
		payloads[i], e.Payload = e.Payload, nil
		bare.Items[i] = e
	}
	return writeDocument(out, bare, payloads)
}

// writeEvent writes an event as the API does.
func writeEvent(out io.Writer, e httpapi.Event) error {
	payload := e.Payload
	e.Payload = nil
	return writeDocument(out, e, []json.RawMessage{payload})
}

func writeDocument(out io.Writer, bare any, payloads []json.RawMessage) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(bare); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	var spliced bytes.Buffer
	rest := text.Bytes()
	for _, payload := range payloads {
		before, after, found := bytes.Cut(rest, []byte(noPayload))
		if !found || len(payload) == 0 {
			payload = json.RawMessage("null")
		}
		spliced.Write(before)
		spliced.WriteString(`"payload":`)
		spliced.Write(payload)
		rest = after
	}
	spliced.Write(rest)
	return writeExactly(out, spliced.Bytes())
}

// writeExactly writes JSON as it is, except where a terminal would obey it.
func writeExactly(out io.Writer, document []byte) error {
	if isTerminal(out) {
		document = harmless(document)
	}
	_, err := out.Write(document)
	return err
}

// harmless returns JSON that means the same and does nothing to a terminal but end lines.
func harmless(document []byte) []byte {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(string(document), "\uFFFD") {
		switch {
		case r == '\n' || !harmful(r):
			out.WriteRune(r)
		case r < ' ': // white space: no other stands in JSON
			out.WriteByte(' ')
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return []byte(out.String())
}
