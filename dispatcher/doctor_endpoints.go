package dispatcher

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.smobi.com/outhook/dispatcher/redisstore"
	"go.smobi.com/outhook/dispatcher/webhook"
)

const (
	// manyFailing endpoints and half of all: then the cause may be ours.
	manyFailing = 5
	// renewWithin is how long before its end a certificate is to be renewed.
	renewWithin = 14 * 24 * time.Hour
)

// patient is a failing endpoint, and how many open deliveries it has.
type patient struct {
	redisstore.FailingEndpoint
	open int
}

// failing looks which brands' endpoints do not take what they are sent.
func (v *visit) failing(ctx context.Context) error {
	const check = "failing endpoints"
	overview, err := v.d.doctor.store.Overview(ctx, walkWithin)
	if err != nil {
		return err
	}
	v.overview = &overview
	all := counted(overview.Endpoints, "endpoint") + v.walked()
	if len(overview.Failing) == 0 {
		v.ok(check, "none of "+all)
		return nil
	}
	patients, err := v.worstFirst(ctx, overview.Failing)
	if err != nil {
		return err
	}
	brands, resting := map[string]bool{}, 0
	texts := make([]string, len(patients))
	for i, p := range patients {
		brands[p.Brand] = true
		if p.Disabled == "" {
			resting++
		}
		texts[i] = fmt.Sprintf("%s (%s)", p, v.state(p))
	}
	text := fmt.Sprintf("%d of %s, %s: %s", len(patients), all, counted(len(brands), "brand"), named(texts))
	if resting >= manyFailing && 2*resting >= overview.Endpoints {
		v.bad(check, text+"; so many at once that the cause may be on this side", "look at the way out of the workers: DNS, firewall, egress.*; "+adviceOnFailing(patients))
		return nil
	}
	v.warn(check, text, adviceOnFailing(patients))
	return nil
}

// worstFirst puts those first that have most to get; of very many it is asked for the first only.
func (v *visit) worstFirst(ctx context.Context, failing []redisstore.FailingEndpoint) ([]patient, error) {
	refs := make([]webhook.EndpointRef, min(openMost, len(failing)))
	for i := range refs {
		refs[i] = failing[i].EndpointRef
	}
	all, err := v.d.store.Health(ctx, refs)
	if err != nil {
		return nil, err
	}
	patients := make([]patient, len(failing))
	for i, f := range failing {
		patients[i].FailingEndpoint = f
		if i < len(all) {
			patients[i].open = all[i].InFlight + all[i].Waiting + all[i].Retrying
		}
	}
	slices.SortStableFunc(patients, func(a, b patient) int { return cmp.Compare(b.open, a.open) })
	return patients, nil
}

// adviceOnFailing is on the first, and on the first that is disabled.
func adviceOnFailing(patients []patient) string {
	first := patients[0]
	advice := fmt.Sprintf("why: outhook attempt list --brand %s --endpoint %s; a breaker closes by itself when it is cured", first.Brand, first.ID)
	for _, p := range patients {
		if p.Disabled != "" {
			return advice + fmt.Sprintf("; what is disabled stays so: outhook endpoint enable %s --brand %s, then outhook recover", p.ID, p.Brand)
		}
	}
	return advice
}

// walked says that the walk did not come to its end.
func (v *visit) walked() string {
	if v.overview.Complete {
		return ""
	}
	return fmt.Sprintf(" that were seen in %s, there are more", walkWithin)
}

// state says why an endpoint takes nothing, and how much waits for that.
func (v *visit) state(p patient) string {
	text := "breaker open for another " + roughly(p.OpenUntil.Sub(v.now))
	switch {
	case p.Disabled == webhook.DisabledGone:
		text = "disabled " + v.since(p.DisabledAt) + ": answered 410 Gone"
	case p.Disabled != "":
		text = "disabled " + v.since(p.DisabledAt) + ": nothing but failures, the last " + cmp.Or(p.Answer, "not kept")
	case p.OpenUntil.IsZero():
		text = "breaker half open"
	}
	return text + fmt.Sprintf(", %d open", p.open)
}

func (v *visit) since(at time.Time) string {
	if at.IsZero() {
		return "some time ago"
	}
	return roughly(max(0, v.now.Sub(at))) + " ago"
}

// certificates looks at those of the hosts that fail, one endpoint for each.
func (v *visit) certificates(ctx context.Context) error {
	const check = "certificates"
	if v.overview == nil {
		return nil
	}
	hosts, more := hostsOf(v.overview.Failing)
	if len(hosts) == 0 {
		v.ok(check, "no failing endpoint has one")
		return nil
	}
	looked := make([]webhook.Check, len(hosts))
	var all sync.WaitGroup
	for i, f := range hosts {
		all.Go(func() { looked[i] = v.d.egress.Check(ctx, f.URL) })
	}
	all.Wait()
	good := 0
	var unseen []string
	brand := ""
	for i, f := range hosts {
		trouble, seen := v.certificate(looked[i])
		switch {
		case !seen:
			unseen, brand = append(unseen, fmt.Sprintf("%s (%s)", f, trouble)), f.Brand
		case trouble == "":
			good++
		default:
			v.warn(check, fmt.Sprintf("%s: %s", f, trouble),
				fmt.Sprintf("its owner is to renew or repair it; what it is like then: outhook endpoint test %s --brand %s", f.ID, f.Brand))
		}
	}
	if len(unseen) > 0 {
		v.warn(check, "not seen, as there is no connection from here: "+named(unseen), "see whether they are reached from where workers run: outhook endpoint check URL --brand "+brand)
	}
	if good > 0 {
		v.ok(check, fmt.Sprintf("%d of %d hosts of failing endpoints have a good one%s", good, len(hosts), more))
	}
	return nil
}

// hostsOf are failing endpoints of different hosts that have a certificate; more says that there were others.
func hostsOf(failing []redisstore.FailingEndpoint) (hosts []redisstore.FailingEndpoint, more string) {
	seen := map[string]bool{}
	for _, f := range failing {
		u, err := url.Parse(f.URL)
		if err != nil || u.Scheme != "https" || seen[u.Host] {
			continue
		}
		seen[u.Host] = true
		if len(hosts) == certificatesMost {
			return hosts, " (no more are looked at)"
		}
		hosts = append(hosts, f)
	}
	return hosts, ""
}

// certificate answers what is wrong with the one that a look found, if it saw one, or why it did not.
func (v *visit) certificate(c webhook.Check) (trouble string, seen bool) {
	for _, phase := range c.Phases {
		switch {
		case phase.Name == webhook.PhaseTLS && phase.Result == webhook.PhaseFailed:
			return phase.Detail, true
		case phase.Name == webhook.PhaseTLS && phase.Result == webhook.PhaseOK:
			if c.CertificateEndsAt.Sub(v.now) < renewWithin {
				return phase.Detail, true
			}
			return "", true
		case phase.Result == webhook.PhaseFailed:
			return strings.TrimSpace(phase.Name + ": " + phase.Detail), false
		}
	}
	return "not looked at", false
}
