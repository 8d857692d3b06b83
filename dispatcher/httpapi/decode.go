package httpapi

import (
	"encoding/json"
	"errors"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// The decoders take valid JSON and return [webhook.FieldError]s whose field is
// the path inside of it. A null stands for an absent field, except as payload.

const (
	ruleString  = "must be a string"
	ruleStrings = "must be an array of strings"
	ruleWhole   = "must be a whole number"
	ruleBool    = "must be true or false"
	ruleTime    = "must be a time as in RFC 3339, such as 2025-01-31T12:00:00Z"
	ruleUnknown = "is not a field of this request"
)

// decodeEvent cuts an event out of raw, which it keeps as the payload's memory.
func (s *server) decodeEvent(brand string, raw []byte) (webhook.Event, error) {
	e := webhook.Event{Brand: brand}
	err := eachMember(raw, inUTF8(func(name string, value []byte) error {
		switch name {
		case "id":
			return decodeGiven(name, value, &e.ID)
		case "type":
			return decodeString(name, value, &e.Type)
		case "payload":
			e.Payload = value
			return s.checkSize(value)
		case "expiresAt":
			return decodeTime(name, value, &e.ExpiresAt)
		}
		return webhook.Invalid(shown(name), ruleUnknown)
	}))
	return e, err
}

func (s *server) checkSize(payload []byte) error {
	if len(payload) > s.PayloadBytes {
		return webhook.Invalid("payload", "must be at most %d bytes, is %d", s.PayloadBytes, len(payload))
	}
	return nil
}

// decodeBatch cuts a batch into its entries, which are not looked at yet.
func (s *server) decodeBatch(raw []byte) ([][]byte, error) {
	var entries [][]byte
	err := eachMember(raw, func(name string, value []byte) error {
		if name != "events" {
			return webhook.Invalid(shown(name), ruleUnknown)
		}
		var ok bool
		entries, ok = elements(value, s.BatchEvents+1)
		switch {
		case !ok:
			return webhook.Invalid(name, "must be an array of events")
		case len(entries) > s.BatchEvents:
			return webhook.Invalid(name, "must hold at most %d events", s.BatchEvents)
		}
		return nil
	})
	if err == nil && len(entries) == 0 {
		err = webhook.Invalid("events", "must hold at least one event")
	}
	return entries, err
}

// endpointBody is an endpoint as it is being decoded, with what must wait for
// the other fields.
type endpointBody struct {
	webhook.Endpoint
	secret    string
	timeoutMs int64
	disabled  bool
}

func decodeEndpoint(brand string, raw []byte) (webhook.Endpoint, error) {
	b := endpointBody{Endpoint: webhook.Endpoint{Brand: brand}}
	if err := eachMember(raw, inUTF8(b.set)); err != nil {
		return webhook.Endpoint{}, err
	}
	return b.finish()
}

func (b *endpointBody) set(name string, value []byte) error {
	switch name {
	case "id":
		return decodeGiven(name, value, &b.ID)
	case "url":
		return decodeString(name, value, &b.URL)
	case "purpose":
		return decodeString(name, value, &b.Purpose)
	case "eventTypes":
		return decode(name, value, &b.EventTypes, ruleStrings)
	case "description":
		return decodeString(name, value, &b.Description)
	case "metadata":
		return decodeStrings(name, value, &b.Metadata)
	case "headers":
		return decodeStrings(name, value, &b.Headers)
	case "maxInFlight":
		return decode(name, value, &b.MaxInFlight, ruleWhole)
	case "timeoutMs":
		return decode(name, value, &b.timeoutMs, ruleWhole)
	case "secret":
		return decodeGiven(name, value, &b.secret)
	case "signature":
		return decodeString(name, value, &b.Signature)
	case "disabled":
		return decode(name, value, &b.disabled, ruleBool)
	case "rateLimit":
		return decodeRateLimit(name, value, &b.RateLimit)
	}
	return webhook.Invalid(shown(name), ruleUnknown)
}

// decodeRateLimit changes the members that are given; null takes the limit away.
func decodeRateLimit(name string, value []byte, limit *webhook.RateLimit) error {
	if isNull(value) {
		*limit = webhook.RateLimit{}
		return nil
	}
	err := eachMember(value, func(member string, value []byte) error {
		switch member {
		case "perSecond":
			return decodePositive(member, value, &limit.PerSecond, "must be a number")
		case "burst":
			return decodePositive(member, value, &limit.Burst, ruleWhole)
		}
		return webhook.Invalid(shown(member), ruleUnknown)
	})
	if err == nil && limit.PerSecond == 0 {
		err = webhook.Invalid("perSecond", "is required")
	}
	return within(name, err)
}

// decodePositive takes null for absent, and 0, which elsewhere means absent, for wrong.
func decodePositive[T int | float64](name string, value []byte, field *T, rule string) error {
	var given T
	if err := decode(name, value, &given, rule); err != nil {
		return err
	}
	if given <= 0 && !isNull(value) {
		return webhook.Invalid(name, "must be positive")
	}
	*field = given
	return nil
}

func (b *endpointBody) finish() (webhook.Endpoint, error) {
	if b.disabled {
		b.DisabledReason = webhook.DisabledManually
	}
	if err := checkBounds(b.MaxInFlight, b.timeoutMs); err != nil {
		return webhook.Endpoint{}, err
	}
	b.Timeout = time.Duration(b.timeoutMs) * time.Millisecond
	err := b.setSecret()
	return b.Endpoint, err
}

// checkBounds checks what the service could not name: a timeout, as a duration, may overflow.
func checkBounds(maxInFlight int, timeoutMs int64) error {
	const lowest, highest = int64(webhook.MinTimeout / time.Millisecond), int64(webhook.MaxTimeout / time.Millisecond)
	switch {
	case maxInFlight < 0:
		return webhook.Invalid("maxInFlight", "must be 0 (the default) or more")
	case timeoutMs != 0 && (timeoutMs < lowest || timeoutMs > highest):
		return webhook.Invalid("timeoutMs", "must be between %d and %d, or 0 (the default)", lowest, highest)
	}
	return nil
}

// setSecret checks the signature scheme even without a secret, which the service makes then.
func (b *endpointBody) setSecret() error {
	var secret webhook.EndpointSecret
	var err error
	switch b.Signature {
	case "", webhook.SignatureHMAC:
		if b.secret != "" {
			secret.HMAC, err = signer.ParseSecret(b.secret)
		}
	case webhook.SignatureEd25519:
		if b.secret != "" {
			secret.Ed25519, err = signer.ParsePrivateKey(b.secret)
		}
	default:
		return webhook.Invalid("signature", "must be %s or %s", webhook.SignatureHMAC, webhook.SignatureEd25519)
	}
	if err != nil {
		return webhook.Invalid("secret", "%s", secretRule(b.Signature, err))
	}
	if b.secret != "" {
		b.Secrets = []webhook.EndpointSecret{secret}
	}
	return nil
}

// secretRule may hold the reason: signer's errors never quote a key.
func secretRule(signature string, reason error) string {
	if signature == webhook.SignatureEd25519 {
		return "must be whsk_ and the base64 of an Ed25519 private key: " + reason.Error()
	}
	return "must be whsec_ and the base64 of 24 to 64 bytes: " + reason.Error()
}

func isNull(value []byte) bool { return string(value) == "null" }

func decodeString(name string, value []byte, field *string) error {
	switch {
	case isNull(value):
		return nil
	case !starts(value, 0, '"'):
		return webhook.Invalid(name, ruleString)
	}
	*field = unquote(value)
	return nil
}

// decodeGiven refuses an empty string: it would be taken for absent, and what is
// then made is not what the caller, whose variable was empty, meant.
func decodeGiven(name string, value []byte, field *string) error {
	err := decodeString(name, value, field)
	if err == nil && !isNull(value) && *field == "" {
		return webhook.Invalid(name, "must not be empty: leave it out to have one made")
	}
	return err
}

func decode[T any](name string, value []byte, field *T, rule string) error {
	if json.Unmarshal(value, field) != nil {
		return webhook.Invalid(name, "%s", rule)
	}
	return nil
}

func decodeTime(name string, value []byte, field *time.Time) error {
	err := decode(name, value, field, ruleTime)
	*field = field.UTC()
	return err
}

func decodeStrings(name string, value []byte, field *map[string]string) error {
	if isNull(value) {
		return nil
	}
	found := map[string]string{}
	err := eachMember(value, func(key string, value []byte) error {
		if isNull(value) {
			return webhook.Invalid(shown(key), ruleString)
		}
		var text string
		err := decodeString(shown(key), value, &text)
		found[key] = text
		return err
	})
	*field = found
	return within(name, err)
}

// within puts the place of an inner error before its field.
func within(name string, err error) error {
	f, ok := errors.AsType[*webhook.FieldError](err)
	if !ok {
		return err
	}
	return &webhook.FieldError{Field: location(name, f.Field), Rule: f.Rule}
}
