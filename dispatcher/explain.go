package dispatcher

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// fanoutFor is how long a fan-out takes at the most while workers run.
	fanoutFor   = time.Minute
	explainTime = "2006-01-02T15:04:05.000Z"
)

// Explain says of an event why it has or has not arrived at each endpoint of its
// brand. Errors: [webhook.ErrNotFound], [webhook.ErrUnavailable].
func (d *Dispatcher) Explain(ctx context.Context, ref webhook.EventRef) (webhook.Explanation, error) {
	return within(ctx, d, "explain", func(ctx context.Context) (webhook.Explanation, error) {
		e, ids, err := d.store.Event(ctx, ref)
		if err != nil {
			return webhook.Explanation{}, err
		}
		current, err := d.store.Routes(ctx, ref.Brand)
		if err != nil {
			return webhook.Explanation{}, err
		}
		matched := len(ids)
		for _, endpoint := range current { // it may have been sent there later
			if !slices.Contains(ids, endpoint.ID) {
				ids = append(ids, endpoint.ID)
			}
		}
		refs := make([]webhook.DeliveryRef, len(ids))
		for i, id := range ids {
			refs[i] = webhook.DeliveryRef{Brand: ref.Brand, EventID: ref.ID, EndpointID: id}
		}
		deliveries, err := d.store.Deliveries(ctx, refs)
		if err != nil {
			return webhook.Explanation{}, err
		}
		attempts, err := d.store.LastAttempts(ctx, refs)
		if err != nil {
			return webhook.Explanation{}, err
		}
		for i := len(refs) - 1; i >= matched; i-- {
			if deliveries[i].State == webhook.StateNone {
				deliveries, attempts = slices.Delete(deliveries, i, i+1), slices.Delete(attempts, i, i+1)
			}
		}
		return d.explain(e, current, deliveries, attempts), nil
	})
}

// explain puts together what was read; attempts are the last of each delivery.
func (d *Dispatcher) explain(e webhook.Event, current []webhook.Endpoint, deliveries []webhook.Delivery, attempts []*webhook.Attempt) webhook.Explanation {
	known := map[string]*webhook.Endpoint{}
	for i := range current {
		known[current[i].ID] = &current[i]
	}
	out := webhook.Explanation{Event: e}
	for i, delivery := range deliveries {
		x := webhook.Explained{EndpointID: delivery.Ref.EndpointID, Matched: true, LastAttempt: attempts[i]}
		if delivery.State != "" {
			x.Delivery = &delivery
		}
		x.Text = deliveryText(e, delivery, x.LastAttempt, known[x.EndpointID])
		delete(known, x.EndpointID)
		out.Endpoints = append(out.Endpoints, x)
	}
	for id, endpoint := range known {
		out.Endpoints = append(out.Endpoints, webhook.Explained{EndpointID: id, Text: d.unmatchedText(e, *endpoint)})
	}
	slices.SortFunc(out.Endpoints, func(a, b webhook.Explained) int { return cmp.Compare(a.EndpointID, b.EndpointID) })
	return out
}

// unmatchedText says why an event does not go to an endpoint that there is now.
func (d *Dispatcher) unmatchedText(e webhook.Event, endpoint webhook.Endpoint) string {
	changed := ""
	if endpoint.UpdatedAt.After(e.PublishedAt) {
		changed = "its settings were changed at " + stamp(endpoint.UpdatedAt) + ", after the event was published"
	}
	switch {
	case endpoint.CreatedAt.After(e.PublishedAt):
		return "not matched: the endpoint was created at " + stamp(endpoint.CreatedAt) + ", after the event was published"
	case !d.catalog.Matches(endpoint, e.Type):
		text := "not matched: the endpoint wants " + strings.Join(endpoint.Patterns(), ", ") + ", and the event is " + e.Type
		if changed != "" {
			text += "; " + changed
		}
		return text
	case d.catalog.Operational(e.Type) && isAbout(e, endpoint.ID):
		return "not matched: an endpoint is not told of itself"
	case changed != "":
		return "not matched: the endpoint wants this type now, but " + changed
	}
	return "not matched: the publishing process did not know of the endpoint yet; a change takes up to a second"
}

// deliveryText says how a delivery stands and why. endpoint is nil when it was deleted.
func deliveryText(e webhook.Event, delivery webhook.Delivery, last *webhook.Attempt, endpoint *webhook.Endpoint) string {
	at := stamp(delivery.UpdatedAt)
	switch delivery.State {
	case webhook.StateDelivered:
		text := "delivered at " + at + lastText(", ", last)
		if endpoint == nil {
			text += "; the endpoint was deleted since"
		}
		return text
	case webhook.StateWaiting:
		return waitingText(delivery, endpoint)
	case webhook.StateRunning:
		return "is in the queue or being attempted now" + lastText("; so far: ", last)
	case webhook.StateRetrying:
		return "waits for its next attempt at " + stamp(delivery.NextAttemptAt) + lastText(": ", last)
	case webhook.StateDead:
		return "given up at " + at + ": " + deathText(delivery.DeathReason) + lastText("; the last: ", last)
	case webhook.StateExpired:
		if delivery.UpdatedAt.Before(e.ExpiresAt) {
			return "given up at " + at + ": its next attempt would come after the event expires at " + stamp(e.ExpiresAt) + lastText("; the last: ", last)
		}
		return "not delivered by " + stamp(e.ExpiresAt) + ", when the event expired" + lastText("; the last: ", last)
	case webhook.StateCancelled:
		if endpoint == nil {
			return "cancelled at " + at + ": the endpoint was deleted" + lastText("; the last: ", last)
		}
		return "cancelled at " + at + lastText("; the last: ", last)
	case webhook.StateNotSent:
		return "not sent: the endpoint was disabled when the event was published"
	}
	switch {
	case endpoint == nil:
		return "the endpoint was deleted, and nothing more of the delivery is kept"
	case time.Since(e.PublishedAt) < fanoutFor:
		return "the fan-out of the event is not finished; a worker finishes it within seconds"
	}
	return "nothing of the delivery is kept any more; or the fan-out of the event is not finished, and a worker will finish it"
}

func waitingText(delivery webhook.Delivery, endpoint *webhook.Endpoint) string {
	place := strconv.Itoa(delivery.Position) + ordinal(delivery.Position) + " in its line"
	switch {
	case delivery.WaitingFor == "":
		return "waits to be cancelled: the endpoint was deleted"
	case delivery.WaitingFor == webhook.GateDisabled && endpoint != nil && endpoint.DisabledReason == webhook.DisabledGone:
		return "waits, " + place + ": the endpoint is disabled, because it answered 410 Gone; enable it to go on"
	case delivery.WaitingFor == webhook.GateDisabled:
		return "waits, " + place + ": the endpoint is disabled; enable it to go on"
	}
	switch opens := stamp(delivery.WaitingUntil); delivery.WaitingFor {
	case webhook.GateBreaker:
		return "waits, " + place + ", for the breaker until " + opens + ": the endpoint failed too often in a row; then one is let through, to see"
	case webhook.GateRetryAfter:
		return "waits, " + place + ", until " + opens + ": the endpoint asked for a pause with Retry-After"
	case webhook.GateRateLimit:
		return "waits, " + place + ", for the endpoint's rate limit, which lets the next one through at " + opens
	}
	return "waits, " + place + ": as many deliveries as this endpoint may have are in flight"
}

func deathText(reason webhook.DeathReason) string {
	switch reason {
	case webhook.DeathMaxAge:
		return "too old to be attempted again"
	case webhook.DeathMaxAttempts:
		return "as many attempts as there may be were made"
	case webhook.DeathGone:
		return "the endpoint answered 410 Gone, which disabled it"
	case webhook.DeathBlocked:
		return "its address may not be reached"
	case webhook.DeathPanic:
		return "our own code broke off three attempts in a row: see the log"
	case webhook.DeathBodyMissing:
		return "the event's payload is no longer kept"
	}
	return string(reason)
}

// lastText says how the last attempt ended; nothing when there is none.
func lastText(before string, a *webhook.Attempt) string {
	if a == nil {
		return ""
	}
	return before + "attempt " + strconv.Itoa(a.Number) + " " + answerText(*a)
}

func answerText(a webhook.Attempt) string {
	switch a.Reason {
	case webhook.ReasonOK, webhook.ReasonHTTPStatus, webhook.ReasonGone:
		return fmt.Sprintf("was answered %d after %d ms", a.Status, a.Duration.Milliseconds()) + answerHint(a)
	case webhook.ReasonTimeout:
		return fmt.Sprintf("had no answer within %d ms", a.Duration.Milliseconds())
	case webhook.ReasonDNS:
		return "failed: the host name could not be looked up"
	case webhook.ReasonConnect:
		return "failed: no connection"
	case webhook.ReasonTLS:
		return "failed: TLS, such as a certificate that is no good"
	case webhook.ReasonReset:
		return "failed: the connection broke"
	case webhook.ReasonProtocol:
		return "failed: what was answered is not HTTP, or its header is over 64 KiB"
	case webhook.ReasonBlocked:
		return "was not made: the address may not be reached"
	case webhook.ReasonInterrupted:
		return "was interrupted: its worker stopped"
	}
	return "ended: " + string(a.Reason)
}

// answerHint adds what an answer means for the next attempt. The receiver's own
// text is not repeated.
func answerHint(a webhook.Attempt) string {
	switch {
	case a.Status >= 300 && a.Status <= 399:
		return " (redirects are not followed: register the final URL)"
	case a.Outcome == webhook.OutcomeRetrying && a.ResponseHeader.Get("Retry-After") != "":
		return " with a Retry-After"
	}
	return ""
}

func stamp(at time.Time) string { return at.UTC().Format(explainTime) }

func ordinal(n int) string {
	if n%100 >= 11 && n%100 <= 13 {
		return "th"
	}
	switch n % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}
