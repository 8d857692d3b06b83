package signer_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.smobi.com/outhook/signer"
)

// holder keeps keys where callers would; fmt reaches the unexported ones
// without calling their methods.
type holder struct {
	Secret  signer.Secret
	Private signer.PrivateKey
	secret  signer.Secret
	private signer.PrivateKey
	pointer *signer.Secret
	list    []signer.Secret
	byName  map[string]signer.PrivateKey
	any     any
}

func newHolder(s signer.Secret, k signer.PrivateKey) holder {
	return holder{s, k, s, k, &s, []signer.Secret{s}, map[string]signer.PrivateKey{"k": k}, s}
}

// used returns keys that have signed, so that what they keep for reuse counts.
func used(t *testing.T) (signer.Secret, signer.PrivateKey) {
	t.Helper()
	secret, private := signer.NewSecret(), signer.NewPrivateKey()
	if _, err := signer.Sign("evt_1", at, []byte("{}"), secret, private); err != nil {
		t.Fatal(err)
	}
	return secret, private
}

// traces are pieces of a key in every notation that could carry it.
func traces(t *testing.T, texts ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, text := range texts {
		_, encoded, _ := strings.Cut(text, "_")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		part := raw[:8]
		decimal := strings.Trim(fmt.Sprint(part), "[]")
		found["base64"+text[:5]] = encoded[:12]
		found["hex"+text[:5]] = hex.EncodeToString(part)
		found["spaced hex"+text[:5]] = fmt.Sprintf("% x", part)
		found["decimal"+text[:5]] = decimal
		found["commas"+text[:5]] = strings.ReplaceAll(decimal, " ", ", ")
		found["octal"+text[:5]] = strings.Trim(fmt.Sprintf("%o", part), "[]")
		found["binary"+text[:5]] = strings.Trim(fmt.Sprintf("%b", part), "[]")
		found["go syntax"+text[:5]] = fmt.Sprintf("%#v", part)[len("[]byte{") : len("[]byte{")+20]
		found["raw"+text[:5]] = string(part)
		found["quoted"+text[:5]] = strings.Trim(fmt.Sprintf("%q", part), `"`)
	}
	return found
}

func assertNoTrace(t *testing.T, traces map[string]string, how, output string) {
	t.Helper()
	for notation, trace := range traces {
		if strings.Contains(strings.ToLower(output), strings.ToLower(trace)) {
			t.Errorf("%s shows a key in %s", how, notation)
		}
	}
}

func TestFmtShowsNoKey(t *testing.T) {
	extra := strings.Repeat("-", 1) // not a constant, or vet objects to the value too many
	secret, private := used(t)
	traces := traces(t, secret.Reveal(), private.Reveal())
	held := newHolder(secret, private)
	values := map[string]any{
		"secret": secret, "*secret": &secret, "private": private, "*private": &private,
		"struct": held, "*struct": &held, "list": []holder{held}, "map": map[string]*holder{"h": &held},
		"any": struct{ any any }{held}, "error": fmt.Errorf("%v %+v", secret, held),
	}
	for name, value := range values {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", " ", "0", "-40", "+#x"} {
				format := "%" + flags + string(verb)
				assertNoTrace(t, traces, name+" "+format, fmt.Sprintf(format, value))
			}
		}
		assertNoTrace(t, traces, name+" without a verb", fmt.Sprintf(extra, value))
		assertNoTrace(t, traces, name+" Sprint", fmt.Sprint(value))
	}
}

func TestFmtSaysRedacted(t *testing.T) {
	secret, private := used(t)
	for _, value := range []any{secret, &secret, private, &private} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%z", "%40s"} {
			if got := fmt.Sprintf(format, value); got != "[redacted]" {
				t.Errorf("%T %s: %s", value, format, got)
			}
		}
	}
	if secret.String() != "[redacted]" || private.String() != "[redacted]" {
		t.Error("String does not say so")
	}
}

func TestSlogShowsNoKey(t *testing.T) {
	secret, private := used(t)
	traces := traces(t, secret.Reveal(), private.Reveal())
	held := newHolder(secret, private)
	var out bytes.Buffer
	handlers := map[string]slog.Handler{"text": slog.NewTextHandler(&out, nil), "json": slog.NewJSONHandler(&out, nil)}
	for name, handler := range handlers {
		out.Reset()
		slog.New(handler).Info("keys", "secret", secret, "private", &private, "held", held, "pointer", &held)
		assertNoTrace(t, traces, name, out.String())
		if strings.Count(out.String(), "[redacted]") < 4 {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

func TestMarshalShowsNoKey(t *testing.T) {
	secret, private := used(t)
	held := newHolder(secret, private)
	encoded, err := json.Marshal(held)
	if want := `{"Secret":"[redacted]","Private":"[redacted]"}`; err != nil || string(encoded) != want {
		t.Errorf("JSON: %s %v, want %s", encoded, err, want)
	}
	encoded, err = xml.Marshal(secret)
	if err != nil || !strings.Contains(string(encoded), ">[redacted]<") {
		t.Errorf("XML: %s %v", encoded, err)
	}
	var page bytes.Buffer
	if err := template.Must(template.New("").Parse("{{.}}")).Execute(&page, secret); err != nil || page.String() != "[redacted]" {
		t.Errorf("template: %s %v", page.String(), err)
	}
}

func TestCmpComparesAndShowsNoKey(t *testing.T) {
	type endpoint struct {
		Secret  signer.Secret
		Private signer.PrivateKey
	}
	secret, private := used(t)
	other, otherPrivate := used(t)
	copied, err := signer.ParseSecret(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(endpoint{secret, private}, endpoint{copied, private}); diff != "" {
		t.Errorf("the same key differs: %s", diff)
	}
	diff := cmp.Diff(endpoint{secret, private}, endpoint{other, otherPrivate})
	if !strings.Contains(diff, "Secret") || !strings.Contains(diff, "Private") {
		t.Errorf("different keys: %q", diff)
	}
	assertNoTrace(t, traces(t, secret.Reveal(), private.Reveal()), "cmp", diff)
}

func TestErrorsQuoteNoKey(t *testing.T) {
	text := standardText("whsec_", 32)
	for _, broken := range []string{text[6:], text + "\n", text + "=", text[:30], strings.ToUpper(text)} {
		_, err := signer.ParseSecret(broken)
		if err == nil {
			t.Fatal("accepted")
		}
		for i := 6; i+5 <= len(broken); i++ {
			if strings.Contains(err.Error(), broken[i:i+5]) {
				t.Errorf("%v quotes the text", err)
			}
		}
	}
}
