package console

import (
	"cmp"
	"html/template"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// words are what templates say things with.
func words() template.FuncMap {
	return template.FuncMap{
		"count": count, "clock": clock, "full": full, "ago": ago, "took": took, "share": share, "purpose": purposeText, "list": list, "phase": phaseText,
		"add": func(a, b int) int { return a + b }, "open": openOf,
	}
}

// count writes a number with its thousands apart.
func count(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// clock is a time as people look for it: of another day with the day.
func clock(at time.Time) string {
	at, today := at.UTC(), now()
	if at.YearDay() == today.YearDay() && at.Year() == today.Year() {
		return at.Format("15:04:05")
	}
	return at.Format("2 Jan 15:04:05")
}

func full(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000") + " UTC" }

// ago is how far away a time is, in one unit.
func ago(at time.Time) string {
	d := time.Since(at)
	if d < 0 {
		return "in " + rough(-d)
	}
	return rough(d)
}

func rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}

// took is a duration of an attempt.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1 ms"
	case d < 10*time.Second:
		return count(int(d.Milliseconds())) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}

// share is a part in percent; never 100 unless it is the whole.
func share(part, whole int) string {
	switch {
	case whole == 0:
		return "–"
	case part < whole && part*1000/whole > 998:
		return "99.9 %"
	case part == whole:
		return "100 %"
	}
	return strings.TrimSuffix(strconv.FormatFloat(float64(part*1000/whole)/10, 'f', 1, 64), ".0") + " %"
}

// purposeText is a purpose as Smobi spells it.
func purposeText(purpose string) string {
	switch purpose {
	case "status":
		return "Message Status Webhook"
	case "inbound":
		return "Inbound Message Webhook"
	}
	return cmp.Or(purpose, "Chosen event types")
}

func list(texts []string) string { return strings.Join(texts, ", ") }

// openOf counts the deliveries that are not settled.
func openOf(h webhook.BrandHealth) int { return h.InFlight + h.Waiting + h.Retrying }

// phaseText is the name of a phase of a check.
func phaseText(name string) string {
	texts := map[string]string{
		webhook.PhasePolicy: "Allowed", webhook.PhaseDNS: "DNS", webhook.PhaseConnect: "Connection", webhook.PhaseTLS: "TLS", webhook.PhaseHTTP: "HTTP",
	}
	return cmp.Or(texts[name], name)
}
