package console

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// attemptView is an attempt as people read it.
type attemptView struct {
	webhook.Attempt
	// Answer is the status with its name, or why there was none.
	Answer string
	// Kind is good, busy or bad, which style goes by.
	Kind string
	Bars []bar
	// Sent are the headers that can be told from the attempt.
	Sent []headerLine
	// Answered are the headers of the response; with the body, of a whole attempt alone.
	Answered []headerLine
	// Body is the response's, as text; BodyMore how many bytes of it are not shown.
	Body     string
	BodyMore int
}

// bar is a part of the time that an attempt took, in thousandths of the whole.
type bar struct {
	Name       string
	Took       time.Duration
	From, Wide int
}

type headerLine struct{ Name, Value string }

// Bounds of what is shown of a response.
const (
	shownBody    = 32 << 10
	shownHeaders = 50
	shownValue   = 1000
)

func attemptViewOf(a webhook.Attempt) *attemptView {
	is := &attemptView{Attempt: a, Answer: answerText(a), Kind: outcomeKind(a.Outcome), Bars: barsOf(a)}
	is.Sent = []headerLine{
		{signer.HeaderID, a.Ref.EventID}, {signer.HeaderTimestamp, strconv.FormatInt(a.StartedAt.Unix(), 10)},
		{webhook.HeaderEventType, a.Type}, {webhook.HeaderAttempt, strconv.Itoa(a.Number)},
	}
	return is
}

// wholeAttemptOf is an attempt with what was answered, which a list of many does without.
func wholeAttemptOf(a webhook.Attempt) *attemptView {
	is := attemptViewOf(a)
	for i, name := range slices.Sorted(maps.Keys(a.ResponseHeader)) {
		if i == shownHeaders {
			break
		}
		is.Answered = append(is.Answered, headerLine{strings.ToLower(name), cut(strings.Join(a.ResponseHeader[name], ", "), shownValue)})
	}
	shown := a.ResponseBody[:min(len(a.ResponseBody), shownBody)]
	is.BodyMore = len(a.ResponseBody) - len(shown)
	if is.BodyMore == 0 && shallow(shown) {
		if text := indented(shown); len(text) <= 4*shownBody {
			shown = []byte(text)
		}
	}
	is.Body = strings.ToValidUTF8(string(shown), "\uFFFD")
	return is
}

// shallow tells whether brackets stand at most 64 deep, those in texts included: what is indented grows with the square of it.
func shallow(text []byte) bool {
	depth := 0
	for _, c := range text {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > 64 {
			return false
		}
	}
	return true
}

func cut(text string, most int) string {
	if len(text) <= most {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return strings.ToValidUTF8(text[:most], "\uFFFD") + "…"
}

func outcomeKind(o webhook.Outcome) string {
	switch o {
	case webhook.OutcomeDelivered:
		return "good"
	case webhook.OutcomeRetrying:
		return "busy"
	}
	return "bad"
}

// answerText is the status with its name, or the reason in words.
func answerText(a webhook.Attempt) string {
	if a.Status != 0 {
		return strings.TrimSpace(strconv.Itoa(a.Status) + " " + http.StatusText(a.Status))
	}
	texts := map[webhook.Reason]string{
		webhook.ReasonTimeout: "no answer in time", webhook.ReasonDNS: "host name not found", webhook.ReasonConnect: "no connection",
		webhook.ReasonTLS: "TLS failed", webhook.ReasonReset: "connection broke", webhook.ReasonProtocol: "not HTTP",
		webhook.ReasonBlocked: "address not allowed", webhook.ReasonInterrupted: "worker stopped",
	}
	return cmp.Or(texts[a.Reason], string(a.Reason))
}

// barsOf places the phases one after the other; what is left of the whole is the response's body, and our own time.
func barsOf(a webhook.Attempt) []bar {
	parts := []bar{
		{Name: "DNS", Took: a.Phases.DNS}, {Name: "Connect", Took: a.Phases.Connect}, {Name: "TLS", Took: a.Phases.TLS},
		{Name: "First byte", Took: a.Phases.FirstByte},
	}
	sum := time.Duration(0)
	for _, p := range parts {
		sum += p.Took
	}
	parts = append(parts, bar{Name: "Rest", Took: max(0, a.Duration-sum)})
	whole, at := max(a.Duration, sum, 1), time.Duration(0)
	for i, p := range parts {
		parts[i].From, parts[i].Wide = int(at*1000/whole), int(p.Took*1000/whole)
		if p.Took > 0 {
			parts[i].Wide = max(4, parts[i].Wide) // to be seen
		}
		at += p.Took
	}
	return parts
}
