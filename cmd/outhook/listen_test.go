package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.smobi.com/outhook/dispatcher"
	"go.smobi.com/outhook/dispatcher/catalog"
	"go.smobi.com/outhook/dispatcher/dispatchertest"
	"go.smobi.com/outhook/dispatcher/webhook"
	"go.smobi.com/outhook/signer"
)

// listening starts listen on a free port and returns it with its URL.
func listening(t *testing.T, args ...string) (*running, string) {
	t.Helper()
	r := start(t, append([]string{"listen", "--addr", ":0"}, args...)...)
	return r, r.errOut.await(t, `listening on (http://127\.0\.0\.1:\d+),`)[1]
}

// ask sends a request and returns the answer without its body.
func ask(t *testing.T, method, url, body string, headers http.Header) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = headers
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}

// post sends a webhook, signed unless the secret is zero, and returns the status.
func post(t *testing.T, url, id, body string, secret signer.Secret, extra map[string]string) int {
	t.Helper()
	now := time.Now()
	headers := http.Header{}
	headers.Set(signer.HeaderID, id)
	headers.Set(signer.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	if !secret.IsZero() {
		signature, err := signer.Sign(id, now, []byte(body), secret)
		if err != nil {
			t.Fatal(err)
		}
		headers.Set(signer.HeaderSignature, signature)
	}
	for name, value := range extra {
		headers.Set(name, value)
	}
	resp, err := ask(t, http.MethodPost, url, body, headers)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestListenFailFirst(t *testing.T) {
	secret := signer.NewSecret()
	r, url := listening(t, "--secret", secret.Reveal(), "--fail-first", "3")
	d := dispatchertest.Start(t, func(c *dispatcher.Config) { c.Catalog.Validation = catalog.ValidationOff })
	_, _, err := d.CreateEndpoint(t.Context(), webhook.Endpoint{
		Brand: "acme", URL: url + "/hook", Purpose: webhook.PurposeStatus, Secrets: []webhook.EndpointSecret{{HMAC: secret}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Publish(t.Context(), webhook.Event{ID: "evt_1", Brand: "acme", Type: "message.read", Payload: []byte(`{"n":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	if status := d.WaitDelivered(t, "acme", "evt_1"); status.Deliveries[0].Attempts != 4 {
		t.Errorf("delivered after %d attempts, want 4", status.Deliveries[0].Attempts)
	}
	r.out.await(t, `(?s)message\.read\s+evt_1\s+1\s+500  verified\n    {\n      "n": 1\n    }\n.*evt_1\s+2\s+500  verified.*evt_1\s+3\s+500  verified.*evt_1\s+4\s+200  verified`)
	if code := r.stop(); code != exitDone {
		t.Errorf("code %d, stderr %s", code, &r.errOut)
	}
}

func TestListenAnswers(t *testing.T) {
	secret, other := signer.NewSecret(), signer.NewSecret()
	with := []string{"--secret", secret.Reveal()}
	for name, c := range map[string]struct {
		args   []string
		signed signer.Secret
		body   string
		want   int
		prints string
	}{
		"verified":         {with, secret, "{}", 200, `200  verified`},
		"two secrets":      {append(with, "--secret", other.Reveal()), other, "{}", 200, `200  verified`},
		"another's":        {with, other, "{}", 401, `401  NOT VERIFIED: no matching webhook signature`},
		"not signed":       {with, signer.Secret{}, "{}", 401, `401  NOT VERIFIED: .*webhook-signature is missing`},
		"no secret":        {nil, other, "{}", 200, `200  not checked`},
		"status":           {append(with, "--status", "503"), other, "{}", 503, `503  NOT VERIFIED`},
		"fails first":      {append(with, "--status", "204", "--fail-first", "1"), secret, "{}", 500, `500  verified`},
		"too large a body": {nil, other, strings.Repeat("x", maxArrivalBytes+1), 413, `413  NOT VERIFIED: body is over`},
		"a short delay":    {append(with, "--delay", "1ms"), secret, "{}", 200, `200  verified`},
	} {
		t.Run(name, func(t *testing.T) {
			r, url := listening(t, c.args...)
			if got := post(t, url, "evt_1", c.body, c.signed, nil); got != c.want {
				t.Errorf("answered %d, want %d", got, c.want)
			}
			r.out.await(t, c.prints)
			if code := r.stop(); code != exitDone {
				t.Errorf("code %d, stderr %s", code, &r.errOut)
			}
			if strings.Contains(r.out.String()+r.errOut.String(), secret.Reveal()) {
				t.Error("the secret is printed")
			}
		})
	}
}

func TestListenGet(t *testing.T) {
	r, url := listening(t)
	resp, err := ask(t, http.MethodGet, url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" || strings.Contains(r.out.String(), "405") {
		t.Errorf("status %d, stdout %s", resp.StatusCode, &r.out)
	}
}

// An answer that is delayed does not hold up the end, and is never a 200 that nobody gave.
func TestListenEndsDelayed(t *testing.T) {
	r, url := listening(t, "--delay", "1h")
	answered := make(chan error, 1)
	go func() {
		_, err := ask(t, http.MethodPost, url, "{}", nil)
		answered <- err
	}()
	r.out.await(t, "not checked")
	if code := r.stop(); code != exitDone {
		t.Errorf("code %d, stderr %s", code, &r.errOut)
	}
	if err := <-answered; err == nil {
		t.Error("was answered")
	}
}

// Colours mark the answer and the signature; the columns stay where they are.
func TestListenColours(t *testing.T) {
	for name, tc := range map[string]struct {
		arrival arrival
		want    string
	}{
		"verified":     {arrival{checked: true, status: 200}, "\x1b[32m   200\x1b[0m  \x1b[32mverified\x1b[0m\n"},
		"not checked":  {arrival{status: 503}, "\x1b[31m   503\x1b[0m  \x1b[33mnot checked\x1b[0m\n"},
		"not verified": {arrival{checked: true, err: errors.New("no \x1b[32mgood"), status: 401}, "\x1b[31m   401\x1b[0m  \x1b[31mNOT VERIFIED: no [32mgood\x1b[0m\n"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.arrival.header = http.Header{"Smobi-Event-Type": {"a\x1b[31mb"}}
			var coloured, plain bytes.Buffer
			(&arrivalPrinter{out: &coloured, palette: true}).show(tc.arrival)
			(&arrivalPrinter{out: &plain}).show(tc.arrival)
			if !strings.HasSuffix(coloured.String(), tc.want) {
				t.Errorf("%q does not end with %q", coloured.String(), tc.want)
			}
			if withoutColours(coloured.String()) != plain.String() || strings.Contains(plain.String(), "\x1b") {
				t.Errorf("without colours %q, plain %q", withoutColours(coloured.String()), plain.String())
			}
		})
	}
}

const nasty = "{\"a\":\"\u009b31m \u202e \x7f\"}"

func TestListenStripsControlCharacters(t *testing.T) {
	r, url := listening(t)
	post(t, url, "evt_1", nasty+"\x1b]0;title\x07", signer.Secret{}, map[string]string{"smobi-event-type": "a\u202eb\u009bc", "smobi-attempt": "\u2066" + "7"})
	text := r.out.await(t, `(?s).*abc .* 7 .*title\n`)[0]
	if bad := strings.IndexFunc(strings.ReplaceAll(text, "\n", ""), harmful); bad >= 0 {
		t.Errorf("harmful characters in %q", text)
	}
}

func TestListenJSON(t *testing.T) {
	secret := signer.NewSecret()
	r, url := listening(t, "-o", "json", "--secret", secret.Reveal())
	post(t, url, "evt_1", nasty, secret, map[string]string{"smobi-event-type": "message.read", "smobi-attempt": "2"})
	post(t, url, "evt_2", "\xff<", signer.Secret{}, nil)
	r.out.await(t, `(?s)\n.*\n`)
	type line struct {
		Time                 time.Time
		Type, ID, Reason     string
		Attempt, Status      int
		Timestamp, Signature string
		Verified             *bool
		Body                 *string
		BodyBase64           []byte
	}
	var got []line
	for text := range strings.Lines(r.out.String()) {
		if strings.ContainsFunc(strings.TrimSuffix(text, "\n"), harmful) {
			t.Errorf("harmful characters in %q", text)
		}
		var one line
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		got = append(got, one)
	}
	if len(got) != 2 || *got[0].Body != nasty || got[0].Type != "message.read" || got[0].Attempt != 2 || !*got[0].Verified || got[0].Status != 200 {
		t.Fatalf("%+v", got)
	}
	if got[1].Body != nil || string(got[1].BodyBase64) != "\xff<" || *got[1].Verified || got[1].Reason == "" || got[1].Status != 401 {
		t.Errorf("%+v", got[1])
	}
	checked := commandWith(t, nasty, nil, "verify", "--secret", secret.Reveal(), "--id", got[0].ID, "--timestamp", got[0].Timestamp, "--signature", got[0].Signature)
	if checked.code != exitDone {
		t.Errorf("what it printed does not verify: %s", checked.errOut)
	}
}

func TestListenUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no port":     {[]string{"--addr", "127.0.0.1"}, "--addr: must be host:port or :port"},
		"status":      {[]string{"--status", "199"}, "--status: must be 200 to 599"},
		"delay":       {[]string{"--delay", "-1s"}, "--delay: must not be negative"},
		"fail-first":  {[]string{"--fail-first", "-1"}, "--fail-first: must not be negative"},
		"output":      {[]string{"-o", "yaml"}, "must be table or json"},
		"an argument": {[]string{"9000"}, "unexpected argument"},
	} {
		t.Run(name, func(t *testing.T) {
			got := command(t, nil, append([]string{"listen"}, c.args...)...)
			if got.code != exitUsage || !strings.HasPrefix(got.errOut, "outhook: listen: ") || !strings.Contains(got.errOut, c.want) {
				t.Errorf("code %d, stderr %q, want %q", got.code, got.errOut, c.want)
			}
		})
	}
}

func TestListenPortTaken(t *testing.T) {
	_, url := listening(t)
	got := command(t, nil, "listen", "--addr", strings.TrimPrefix(url, "http://"))
	if got.code != exitFailed || !strings.HasPrefix(got.errOut, "outhook: listen: ") || !strings.Contains(got.errOut, "address already in use") {
		t.Errorf("code %d, stderr %q", got.code, got.errOut)
	}
}
