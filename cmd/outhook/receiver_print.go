package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"sync"
	"unicode/utf8"

	"go.smobi.com/outhook/signer"
)

// How much of a header is shown.
const maxShownHeader = 128

// arrivalRow has the widths of what is usual: nine event types, ids that outhook makes. The answer brings its own width,
// as its colour has none.
const arrivalRow = "%-12s  %-28s  %-36s  %7s  %s  %s\n"

// arrivalPrinter shows arrivals as they come, one at a time.
type arrivalPrinter struct {
	out io.Writer
	// asJSON writes one object a line in place of the table.
	asJSON bool
	// bodies shows them below each row of the table.
	bodies bool
	// palette has the colours of answers and signatures.
	palette palette

	mu sync.Mutex
}

// heading writes the names of the columns; JSON has none.
func (p *arrivalPrinter) heading() {
	if !p.asJSON {
		p.write(fmt.Appendf(nil, arrivalRow, "TIME", "TYPE", "ID", "ATTEMPT", "ANSWER", "SIGNATURE"))
	}
}

// show writes one arrival.
func (p *arrivalPrinter) show(a arrival) {
	if p.asJSON {
		p.write(jsonArrival(a))
		return
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, arrivalRow, a.at.Format("15:04:05.000"), cell(a.kind()), cell(a.id()), cell(a.attempt()),
		p.palette.paint(fmt.Sprintf("%6d", a.status), answerColour(a.status)), p.palette.paint(verdict(a), verdictColour(a)))
	if p.bodies {
		for _, line := range readable(a.body) {
			fmt.Fprintf(&text, "    %s\n", line)
		}
	}
	p.write(text.Bytes())
}

// write keeps what belongs together in one piece. Nobody is there to be told that the terminal is gone.
func (p *arrivalPrinter) write(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.out.Write(text)
}

// cell is a header as the table shows it.
func cell(header string) string {
	if text := printable(header, maxShownHeader); text != "" {
		return text
	}
	return "-"
}

func verdict(a arrival) string {
	switch {
	case a.err != nil:
		return "NOT VERIFIED: " + printable(a.err.Error(), 2*maxShownHeader)
	case !a.checked:
		return "not checked"
	}
	return "verified"
}

func verdictColour(a arrival) colour {
	switch {
	case a.err != nil:
		return red
	case !a.checked:
		return yellow
	}
	return green
}

// answerColour is red for what outhook takes for a failure.
func answerColour(status int) colour {
	if status >= 200 && status <= 299 {
		return green
	}
	return red
}

func jsonArrival(a arrival) []byte {
	attempt, _ := strconv.Atoi(a.attempt())
	line := struct {
		Time      string  `json:"time"`
		Type      string  `json:"type"`
		ID        string  `json:"id"`
		Attempt   int     `json:"attempt"` // 0 when the sender says none
		Timestamp string  `json:"timestamp"`
		Signature string  `json:"signature"`
		Verified  *bool   `json:"verified"` // null when it was not checked
		Reason    string  `json:"reason,omitempty"`
		Status    int     `json:"status"`
		Body      *string `json:"body,omitempty"`       // exactly what arrived, or
		BodyBytes []byte  `json:"bodyBase64,omitempty"` // when that is no text
	}{
		Time: a.at.UTC().Format("2006-01-02T15:04:05.000Z07:00"), Type: a.kind(), ID: a.id(), Attempt: attempt,
		Timestamp: a.header.Get(signer.HeaderTimestamp), Signature: a.header.Get(signer.HeaderSignature), Status: a.status,
	}
	if a.err != nil {
		line.Reason = a.err.Error()
	}
	if a.checked || a.err != nil {
		line.Verified = new(a.err == nil)
	}
	if utf8.Valid(a.body) {
		line.Body = new(string(a.body))
	} else {
		line.BodyBytes = a.body
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(line) // a struct of strings encodes
	return append(escapeHarmful(bytes.TrimSuffix(out.Bytes(), []byte("\n"))), '\n')
}
