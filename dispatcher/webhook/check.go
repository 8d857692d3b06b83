package webhook

import "time"

// Names of the phases of a check, in their order.
const (
	PhasePolicy  = "policy"
	PhaseDNS     = "dns"
	PhaseConnect = "connect"
	PhaseTLS     = "tls"
	PhaseHTTP    = "http"
)

// PhaseResult is how a phase of a check ended.
type PhaseResult string

// The results of a phase.
const (
	PhaseOK      PhaseResult = "ok"
	PhaseFailed  PhaseResult = "failed"
	PhaseSkipped PhaseResult = "skipped" // an earlier one failed, or it does not apply
)

// Check is what a look at a URL found, without an event being sent.
type Check struct {
	// URL is the one asked for, its query redacted.
	URL string
	// Reachable tells whether there was any HTTP answer.
	Reachable bool
	// Status of the answer; 0 when there was none.
	Status int
	// CertificateEndsAt is when the server's certificate expires; zero when none was seen.
	CertificateEndsAt time.Time
	// Phases are all five, in their order.
	Phases []CheckPhase
}

// CheckPhase is one phase of a [Check].
type CheckPhase struct {
	Name     string
	Result   PhaseResult
	Duration time.Duration
	// Detail says what was found or why it failed; never an address.
	Detail string
}
