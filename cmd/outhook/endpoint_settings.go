package main

import (
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// settingFlags are the settings that create and update share.
type settingFlags struct {
	url         string
	purpose     string
	eventTypes  []string
	description string
	metadata    []string
	headers     []string
	rateLimit   float64
	rateBurst   int
	maxInFlight int
	timeout     time.Duration
	disabled    bool
}

func (f *settingFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "", "where events are POSTed")
	flags.StringVar(&f.purpose, "purpose", "", "what it wants in a `WORD`: status is message.*, inbound is interaction.* and workflow.*")
	fixedValues(cmd, "purpose", webhook.PurposeStatus, webhook.PurposeInbound)
	flags.StringSliceVar(&f.eventTypes, "event-type", nil, "what it wants in place of --purpose: `TYPE`s, or patterns such as message.*; several by comma or flag")
	completeTypes(cmd, "event-type")
	flags.StringVar(&f.description, "description", "", "what it is for, in your words")
	flags.StringArrayVar(&f.metadata, "metadata", nil, "`NAME=VALUE` of yours; may be given several times")
	flags.StringArrayVar(&f.headers, "header", nil, "`NAME: VALUE` that is sent with every attempt; may be given several times")
	flags.Float64Var(&f.rateLimit, "rate-limit", 0, "attempts a second, over all workers; 0 is no limit")
	flags.IntVar(&f.rateBurst, "rate-burst", 0, "with --rate-limit, how many may come at once after a pause; 0 is 1: evenly paced")
	flags.IntVar(&f.maxInFlight, "max-in-flight", 0, "attempts at the same time; 0 is the server's default")
	flags.DurationVar(&f.timeout, "timeout", 0, "bound of a whole attempt, 1s to 30s; 0 is the server's default")
	flags.BoolVar(&f.disabled, "disabled", false, "get no events until it is enabled")
}

// check is what needs no server to be seen.
func (f *settingFlags) check(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	switch {
	case given("purpose") && given("event-type"):
		return usage("--purpose and --event-type: only one of them")
	case given("url") && f.url == "":
		return usage("--url: must not be empty")
	case given("event-type") && len(f.eventTypes) == 0:
		return usage("--event-type: must not be empty")
	case f.rateLimit < 0 || math.IsNaN(f.rateLimit) || math.IsInf(f.rateLimit, 0):
		return usage("--rate-limit: must be 0 (no limit) or more")
	case f.rateBurst < 0:
		return usage("--rate-burst: must be 0 (evenly paced) or more")
	case f.rateBurst > 0 && f.rateLimit == 0 && (given("rate-limit") || cmd.Name() == "create"):
		return usage("--rate-burst: needs a --rate-limit")
	case f.maxInFlight < 0:
		return usage("--max-in-flight: must be 0 (the default) or more")
	case f.timeout != 0 && (f.timeout < webhook.MinTimeout || f.timeout > webhook.MaxTimeout):
		return usage("--timeout: must be %s to %s, or 0 (the default)", webhook.MinTimeout, webhook.MaxTimeout)
	}
	if err := checkChoice(cmd, "purpose", webhook.PurposeStatus, webhook.PurposeInbound); err != nil {
		return err
	}
	return wholeMilliseconds("--timeout", f.timeout)
}

// wholeMilliseconds refuses what the API's milliseconds would cut off.
func wholeMilliseconds(flag string, d time.Duration) error {
	if d%time.Millisecond != 0 {
		return usage("%s: must be whole milliseconds", flag)
	}
	return nil
}

// request is what create asks for.
func (f *settingFlags) request(id, secret, signature string) (httpapi.EndpointRequest, error) {
	metadata, err := pairs("--metadata", "=", f.metadata)
	if err != nil {
		return httpapi.EndpointRequest{}, err
	}
	headers, err := pairs("--header", ":", f.headers)
	var limit *httpapi.RateLimit
	if f.rateLimit > 0 || f.rateBurst > 0 {
		limit = &httpapi.RateLimit{PerSecond: f.rateLimit, Burst: f.rateBurst}
	}
	return httpapi.EndpointRequest{
		RateLimit: limit,
		ID:        id, URL: f.url, Purpose: f.purpose, EventTypes: f.eventTypes, Description: f.description,
		Metadata: metadata, Headers: headers, MaxInFlight: f.maxInFlight, TimeoutMs: f.timeout.Milliseconds(),
		Secret: secret, Signature: signature, Disabled: f.disabled,
	}, err
}

// pairs reads names and values. The error does not repeat the value, which may be a credential.
func pairs(flag, separator string, texts []string) (map[string]string, error) {
	found := map[string]string{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, separator)
		if separator == ":" { // white space around a header's value is not part of it (RFC 9110, section 5.5)
			value = strings.TrimSpace(value)
		}
		if !ok || name == "" {
			return nil, usage("%s: must be NAME%sVALUE", flag, separator)
		}
		if _, twice := found[name]; twice {
			return nil, usage("%s: %s is given twice", flag, name)
		}
		found[name] = value
	}
	return found, nil
}
