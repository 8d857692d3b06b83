package httpapi

// EndpointRequest asks for an endpoint. Exactly one of Purpose and EventTypes is set.
type EndpointRequest struct {
	// ID makes it safe to create again; made when empty.
	ID  string `json:"id,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Makes it safe to create again; made when absent"`
	URL string `json:"url" format:"uri" example:"https://example.com/webhooks" doc:"Where events are POSTed"`
	// Purpose is "status" or "inbound".
	Purpose string `json:"purpose,omitempty" enum:"status,inbound" doc:"Instead of eventTypes"`
	// EventTypes are exact names or "prefix.*".
	EventTypes  []string          `json:"eventTypes,omitempty" nullable:"false" doc:"Instead of purpose: names, or patterns such as message.*"`
	Description string            `json:"description,omitempty" doc:"Your own words, never interpreted"`
	Metadata    map[string]string `json:"metadata,omitempty" doc:"Your own, never interpreted"`
	// Headers are sent with every attempt.
	Headers map[string]string `json:"headers,omitempty" doc:"Sent with every attempt"`
	// RateLimit bounds the attempts; nil means no limit.
	RateLimit *RateLimit `json:"rateLimit,omitempty" doc:"Bounds all attempts: first ones, retries and tests"`
	// MaxInFlight bounds the attempts at the same time; 0 means the default.
	MaxInFlight int `json:"maxInFlight,omitempty" minimum:"0" doc:"Attempts at the same time"`
	// TimeoutMs bounds a whole attempt, 1,000 to 30,000; 0 means the default.
	TimeoutMs int64 `json:"timeoutMs,omitempty" minimum:"1000" maximum:"30000" doc:"Bounds a whole attempt"`
	// Secret is whsec_… or, for ed25519, the private key whsk_…; made when empty.
	Secret string `json:"secret,omitempty" writeOnly:"true" doc:"whsec_… or, for ed25519, whsk_…; made when absent"`
	// Signature is "hmac", the default when empty, or "ed25519".
	Signature string `json:"signature,omitempty" enum:"hmac,ed25519" default:"hmac" doc:"How attempts are signed"`
	Disabled  bool   `json:"disabled,omitempty" doc:"Nothing new is sent to it, and what waits keeps waiting"`
}

// Endpoint is an endpoint as it stands.
type Endpoint struct {
	ID          string            `json:"id"`
	URL         string            `json:"url"`
	Purpose     string            `json:"purpose,omitempty" enum:"status,inbound"`
	EventTypes  []string          `json:"eventTypes,omitempty" nullable:"false"`
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	RateLimit   *RateLimit        `json:"rateLimit,omitempty" doc:"Bounds all attempts: first ones, retries and tests"`
	MaxInFlight int               `json:"maxInFlight,omitempty" doc:"Attempts at the same time"`
	TimeoutMs   int64             `json:"timeoutMs,omitempty" doc:"Bounds a whole attempt"`
	Signature   string            `json:"signature" enum:"hmac,ed25519"`
	Disabled    bool              `json:"disabled" doc:"Nothing new is sent to it"`
	// DisabledReason is empty while it is enabled.
	DisabledReason string `json:"disabledReason,omitempty" enum:"manual,gone,failing" doc:"Why it is disabled. gone: it answered 410; failing: it did nothing but fail for a long time"`
	// DisabledAt is when an attempt disabled it, and DisabledAnswer what that
	// attempt brought, as "410" or "timeout"; neither is set when somebody did.
	DisabledAt     Time   `json:"disabledAt,omitzero" doc:"When an attempt disabled it"`
	DisabledAnswer string `json:"disabledAnswer,omitempty" doc:"What that attempt brought: a status, or why there was none"`
	// Secret is given once, when an endpoint that signs with hmac is created or its secret rotated.
	Secret string `json:"secret,omitempty" doc:"whsec_…, given once: when an hmac endpoint is created or its secret rotated"`
	// SecretHint is the end of the current secret.
	SecretHint string `json:"secretHint" doc:"The last 4 characters of the current secret"`
	// OldSecrets still sign beside the current one.
	OldSecrets []OldSecret `json:"oldSecrets,omitempty" nullable:"false" doc:"Rotated away, and still signing"`
	// PublicKey, whpk_…, is what a receiver verifies ed25519 signatures with.
	PublicKey string `json:"publicKey,omitempty" doc:"whpk_…: what a receiver verifies ed25519 signatures with"`
	CreatedAt Time   `json:"createdAt"`
	UpdatedAt Time   `json:"updatedAt"`
	// Health is nil in the answers that change an endpoint.
	Health *EndpointHealth `json:"health,omitempty" doc:"Given when endpoints are read"`
}

// RateLimit bounds attempts over all workers.
type RateLimit struct {
	// PerSecond is how many on average, 0.001 to 10,000.
	PerSecond float64 `json:"perSecond" minimum:"0.001" maximum:"10000" doc:"How many on average"`
	// Burst is how many may come at once after a pause; 0 means 1: evenly paced.
	Burst int `json:"burst,omitempty" minimum:"1" maximum:"10000" default:"1" doc:"How many may come at once after a pause"`
}

// OldSecret is a secret that was rotated away and still signs.
type OldSecret struct {
	SecretHint string `json:"secretHint" doc:"Its last 4 characters"`
	EndsAt     Time   `json:"endsAt" doc:"From then on it does not sign"`
}

// EndpointHealth is how an endpoint is doing.
type EndpointHealth struct {
	// Breaker is "closed" while all is well.
	Breaker string `json:"breaker" enum:"closed,open,halfOpen" doc:"open: it failed too often in a row and rests; halfOpen: one is let through, to see"`
	// OpenUntil is when an open breaker lets one through.
	OpenUntil Time `json:"openUntil,omitzero" doc:"When an open breaker lets one through"`
	// BreakerHistory are its last changes, at most ten, the newest first.
	BreakerHistory []BreakerChange `json:"breakerHistory,omitempty" doc:"Its last changes, at most ten, the newest first"`
	// Limit bounds InFlight; it adapts to what the endpoint can take, up to maxInFlight.
	Limit    int `json:"limit" doc:"Most deliveries in flight at the same time; adapts to what the endpoint can take"`
	InFlight int `json:"inFlight" doc:"Deliveries in the queue or being attempted"`
	Waiting  int `json:"waiting" doc:"Deliveries in the endpoint's line"`
	Retrying int `json:"retrying" doc:"Deliveries that wait for a retry"`
	// WaitingFor names the gate that holds the line back, until WaitingUntil where that is known.
	WaitingFor   string `json:"waitingFor,omitempty" enum:"slot,rateLimit,breaker,retryAfter,disabled" doc:"What holds the line back"`
	WaitingUntil Time   `json:"waitingUntil,omitzero" doc:"When that ends by itself"`
	// OldestWaitingAt is when the first in the line was published.
	OldestWaitingAt Time `json:"oldestWaitingAt,omitzero" doc:"When the first in the line was published"`
	// LastHour leaves tests out.
	LastHour Traffic `json:"lastHour" doc:"What the attempts of the last hour came to"`
}

// BreakerChange is when a breaker opened, again after a probe that failed too, or closed.
type BreakerChange struct {
	Breaker string `json:"breaker" enum:"open,closed"`
	At      Time   `json:"at"`
}

// EndpointPatch is a JSON Merge Patch (RFC 7396) of an [EndpointRequest]: nil
// takes a field away. Neither id, secret nor signature can be changed.
type EndpointPatch map[string]any

// RotateRequest asks for a new secret.
type RotateRequest struct {
	// OverlapMs is how long the current secret signs on; nil means 24 h. 0 ends every old secret now.
	OverlapMs *int64 `json:"overlapMs,omitempty" minimum:"0" maximum:"604800000" doc:"How long the current secret signs on; 24 h when absent. 0: no old secret signs any more"`
	// Secret is the new one; made when empty.
	Secret string `json:"secret,omitempty" writeOnly:"true" doc:"whsec_… or, for ed25519, whsk_…; made when absent"`
}

// TestRequest asks for a sample.
type TestRequest struct {
	// Type is one that the endpoint wants; its first when empty.
	Type string `json:"type,omitempty" example:"message.delivered" doc:"One that the endpoint wants; its first when absent"`
}

// CheckRequest asks for a look at a URL.
type CheckRequest struct {
	URL string `json:"url" format:"uri" example:"https://example.com/webhooks" doc:"Where events would be POSTed"`
}

// Check is what a look at a URL found.
type Check struct {
	// URL has its query redacted.
	URL string `json:"url" doc:"Its query is redacted"`
	// Reachable tells whether there was any HTTP answer.
	Reachable bool `json:"reachable" doc:"Whether there was any HTTP answer"`
	Status    *int `json:"status" doc:"null when there was no answer"`
	// CertificateEndsAt is when the server's certificate expires.
	CertificateEndsAt Time         `json:"certificateEndsAt,omitzero" doc:"When the server's certificate expires"`
	Phases            []CheckPhase `json:"phases" nullable:"false" doc:"All five, in their order"`
}

// CheckPhase is one phase of a check.
type CheckPhase struct {
	Name       string `json:"name" enum:"policy,dns,connect,tls,http"`
	Result     string `json:"result" enum:"ok,failed,skipped" doc:"skipped: an earlier phase failed, or it does not apply"`
	DurationMs int64  `json:"durationMs"`
	Detail     string `json:"detail,omitempty" doc:"What was found or why it failed"`
}

// KeyRequest asks for an API key.
type KeyRequest struct {
	// Brand is the only one that it sees; empty for an admin's.
	Brand       string `json:"brand,omitempty" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The only brand that it sees; an admin's key when absent"`
	Description string `json:"description,omitempty" doc:"Your own words, never interpreted"`
}

// Key is an API key.
type Key struct {
	ID          string `json:"id"`
	Brand       string `json:"brand,omitempty" doc:"Absent for an admin's"`
	Description string `json:"description,omitempty"`
	CreatedAt   Time   `json:"createdAt"`
	// Key is given once, when it is created.
	Key string `json:"key,omitempty" doc:"ohk_…, given once: when it is created"`
}
