package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

// aviary is a running outhook, what is known of its secrets, and all that was seen of it.
type aviary struct {
	store       *redistest.Server
	traces      *otlp
	api, worker *child
	client      *httpapi.Client
	// urls of the receivers by brand; hung are brand and id of what arrived where nothing is answered.
	urls map[string]string
	hung chan string

	canaries []canary
	seen     []canaryHaystack
	// terminal is all that commands wrote.
	terminal string
}

// controls are of the characters in hostile those that do more to a terminal than be seen.
const controls = "\x1b\x07\u009b\u202e\r\u2028\x7f"

// Known secrets, header values, payloads, numbers, queries and addresses go through everything that can be done with them,
// and all that a running outhook leaves behind is searched for them.
func TestCanaries(t *testing.T) {
	t.Parallel()
	a := newAviary(t)
	a.keys(t)
	a.endpoints(t)
	a.deliveries(t)
	a.mistakes(t)
	a.commands(t)
	a.lostWorker(t)
	a.frozenRedis(t)
	a.collect(t)
	searchCanaries(t, a.canaries, a.seen)
	for name, text := range map[string]string{"a command": a.terminal, "the log of the API": string(a.api.log()), "the log of the worker": string(a.worker.log())} {
		for i, r := range text {
			if r != '\n' && strings.ContainsRune(controls, r) {
				t.Errorf("%s has %q: %q", name, r, text[max(0, i-100):min(len(text), i+20)])
			}
		}
	}
	if !strings.Contains(a.terminal, "FAKE") {
		t.Error("no command showed what a hostile receiver answered")
	}
	a.report(t)
}

// report says how much was searched for what.
func (a *aviary) report(t *testing.T) {
	forms, bytes := 0, 0
	for _, c := range a.canaries {
		forms += len(c.forms)
	}
	for _, h := range a.seen {
		bytes += len(h.text)
	}
	t.Logf("%d canaries in %d forms, %d places, %d bytes", len(a.canaries), forms, len(a.seen), bytes)
}

func newAviary(t *testing.T) *aviary {
	a := &aviary{store: redistest.Start(t, "--appendonly", "yes", "--rdbcompression", "no"), hung: make(chan string, 100), traces: newOTLP(t)}
	a.api = startTraced(t, a.store.Addr(), a.traces.url, "--role=api", "--log-level=debug", "--tracing-propagate=true")
	a.worker = a.startWorker(t)
	a.client = a.api.client(t)
	hold := make(chan struct{})
	a.urls = canaryReceivers(t, hold, a.hung)
	t.Cleanup(func() { close(hold) })
	a.canaries = append(a.canaries, newCanary("the admin key", kindSecret, testKey), newSecretCanary(t, "the encryption key", testSecretKey))
	for _, brand := range []string{"fine", "refuses"} { // named by host, and so resolved
		port := a.urls[brand][strings.LastIndex(a.urls[brand], ":"):]
		a.canaries = append(a.canaries, newCanary("the address of "+brand, kindAddress, "127.0.0.1"+port, "[::1]"+port))
	}
	return a
}

func (a *aviary) startWorker(t *testing.T) *child {
	return startTraced(t, a.store.Addr(), a.traces.url, "--role=worker", "--log-level=debug", "--tracing-propagate=true")
}

// new makes a text that is looked for from now on.
func (a *aviary) new(name string, kind canaryKind) string {
	text := mark()
	a.canaries = append(a.canaries, newCanary(name, kind, text))
	return text
}

// payload makes one that holds a number, a text, and a name that no schema knows.
func (a *aviary) payload(name string, kind canaryKind) json.RawMessage {
	number := phone()
	a.canaries = append(a.canaries, newCanary("the number of "+name, kind, number))
	text, field := a.new("the text of "+name, kind), a.new("the field of "+name, kind)
	return json.RawMessage(fmt.Sprintf(`{"to":%q,"from":"Smobi-Dev","text":"<%s> \u00e9","%s":{"%s":1}}`, number, text, field, number))
}

func (a *aviary) secret(t *testing.T, name string) string {
	t.Helper()
	text := signer.NewSecret().Reveal()
	a.canaries = append(a.canaries, newSecretCanary(t, name, text))
	return text
}

// see keeps what somebody was told who has no right to know: an error, above all.
func (a *aviary) see(place, text string) {
	a.seen = append(a.seen, canaryHaystack{place, []byte(text)})
}

// keys come and go, and wrong ones are tried on both listeners.
func (a *aviary) keys(t *testing.T) {
	for _, brand := range []string{"fine", ""} {
		made, err := a.client.CreateKey(t.Context(), httpapi.KeyRequest{Brand: brand, Description: a.new("a key's description", kindNote)})
		if err != nil {
			t.Fatal(err)
		}
		secret := made.Key[strings.LastIndex(made.Key, "_")+1:]
		a.canaries = append(a.canaries, newCanary("a key", kindSecret, made.Key, secret))
		holder, err := httpapi.NewClient(a.api.api, made.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := holder.Events(t.Context(), "fine", httpapi.EventQuery{}); err != nil {
			t.Fatal(err)
		}
		get(t, a.worker.admin+"/asynqmon/api/queues", made.Key)
		if brand == "" {
			if err := a.client.RevokeKey(t.Context(), made.ID); err != nil {
				t.Fatal(err)
			}
		}
		wrong := made.Key[:len(made.Key)-1] + "g"
		for _, url := range []string{a.api.api + "/v1/keys", a.api.admin + "/asynqmon/", a.worker.admin + "/debug/pprof/?key=" + made.Key} {
			_, text := get(t, url, wrong)
			a.see("answer to a wrong key", text)
		}
		a.canaries = append(a.canaries, newCanary("a wrong key", kindSecret, wrong))
	}
}

// endpoints are one a brand, changed, rotated, tested and checked.
func (a *aviary) endpoints(t *testing.T) {
	for brand, url := range a.urls {
		kind := kindSecret
		if brand == "repeats" {
			kind = kindRepeated
		}
		request := httpapi.EndpointRequest{
			ID: "hook", URL: url + "/?token=" + a.new("the query of "+brand, kindSetting), Purpose: webhook.PurposeStatus,
			Description: a.new("a description", kindSetting), Metadata: map[string]string{"k": a.new("metadata", kindSetting)},
			Headers: map[string]string{"x-canary": a.new("the first header of "+brand, kind)}, TimeoutMs: 30_000,
		}
		switch brand {
		case "fine":
			request.Secret = a.secret(t, "a given secret")
		case "tires":
			request.TimeoutMs = 1000
		case "gone":
			key := signer.NewPrivateKey().Reveal()
			request.Secret, request.Signature = key, webhook.SignatureEd25519
			a.canaries = append(a.canaries, newSecretCanary(t, "a private key", key))
		}
		stored, _, err := a.client.CreateEndpoint(t.Context(), brand, request)
		if err != nil {
			t.Fatalf("%s: %v", brand, err)
		}
		if stored.Secret != "" {
			a.canaries = append(a.canaries, newSecretCanary(t, "a made secret", stored.Secret))
		}
		a.change(t, brand, url, kind)
	}
}

func (a *aviary) change(t *testing.T, brand, url string, kind canaryKind) {
	t.Helper()
	patch := httpapi.EndpointPatch{
		"url":     url + "/changed?token=" + a.new("the new query of "+brand, kindSetting),
		"headers": map[string]string{"x-canary": a.new("the header of "+brand, kind)},
	}
	if _, err := a.client.UpdateEndpoint(t.Context(), brand, "hook", patch); err != nil {
		t.Fatalf("%s: %v", brand, err)
	}
	if brand == "fine" { // the given secret is an old one now
		if _, err := a.client.RotateSecret(t.Context(), brand, "hook", httpapi.RotateRequest{Secret: a.secret(t, "a rotated secret")}); err != nil {
			t.Fatal(err)
		}
	}
	if brand == "hangs" {
		return
	}
	tried, err := a.client.TestEndpoint(t.Context(), brand, "hook", "")
	if err != nil {
		t.Fatalf("%s: %v", brand, err)
	}
	if brand != "repeats" {
		a.see("attempt at "+brand, fmt.Sprintf("%+v %+v", tried, tried.Response))
	}
	if brand == "tires" { // a check has a time of its own, and that is long
		return
	}
	looked, err := a.client.CheckURL(t.Context(), brand, url+"/?token="+a.new("the checked query of "+brand, kindSecret))
	a.see("check of "+brand, fmt.Sprintf("%+v %v", looked, err))
}

// deliveries go to every receiver, twice by a batch, and one id is taken by another payload.
func (a *aviary) deliveries(t *testing.T) {
	for brand := range a.urls {
		kind := kindPayload
		if brand == "repeats" {
			kind = kindRepeated
		}
		events := []httpapi.PublishRequest{
			{ID: "e1", Type: "message.delivered", Payload: a.payload("an event for "+brand, kind)},
			{ID: "e2", Type: "message.read", Payload: a.payload("an event of a batch", kind)},
			{ID: "bad", Type: "message.read", Payload: json.RawMessage("[" + string(a.payload("a refused event", kindSecret)) + "]")},
			{ID: "bad", Type: a.new("a type", kindSecret), Payload: json.RawMessage("{}")},
		}
		if _, err := a.client.Publish(t.Context(), brand, events[0]); err != nil {
			t.Fatal(err)
		}
		results, err := a.client.PublishBatch(t.Context(), brand, events)
		if err != nil || results[1].Error != nil || results[2].Error == nil || results[3].Error == nil {
			t.Fatalf("%s: %+v, %v", brand, results, err)
		}
		text, _ := json.Marshal(results)
		a.see("answer to a batch", string(text))
		events[0].Payload = a.payload("a conflict", kindSecret)
		_, err = a.client.Publish(t.Context(), brand, events[0])
		if !errors.Is(err, webhook.ErrConflict) {
			t.Errorf("%s: %v", brand, err)
		}
		a.see("answer to a conflict", err.Error())
	}
	waitForArrivals(t, a.hung, "hangs", "e1", "e2")
	for brand := range a.urls {
		if brand != "hangs" {
			a.awaitAttempts(t, brand)
		}
	}
	a.seen = append(a.seen, everyPage(t, "api", a.api)...)
	a.seen = append(a.seen, everyPage(t, "worker", a.worker)...)
}

// awaitAttempts waits until both events were attempted, but for one that waited while its endpoint was disabled.
func (a *aviary) awaitAttempts(t *testing.T, brand string) {
	t.Helper()
	dispatchertest.Eventually(t, func() bool {
		list, err := a.client.Attempts(t.Context(), brand, httpapi.AttemptQuery{})
		attempted := map[string]bool{}
		for _, attempt := range list.Items {
			attempted[attempt.EventID] = true
		}
		return err == nil && attempted["e1"] && (attempted["e2"] || brand == "gone")
	})
}
