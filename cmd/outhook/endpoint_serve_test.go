package main

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/httpapi"
	"go.smobi.com/outhook/queue/embedded/redistest"
	"go.smobi.com/outhook/signer"
)

// endpointWalk is the command against a serving process.
type endpointWalk struct {
	t   *testing.T
	env []string
}

// do runs a command of the group and checks its end and what it prints, however wide its columns are.
func (w endpointWalk) do(code int, stdin, out, errOut string, args ...string) outcome {
	w.t.Helper()
	args = append(append([]string{"endpoint"}, args...), "--brand=acme")
	got := commandWith(w.t, stdin, w.env, args...)
	got.out = regexp.MustCompile(` +`).ReplaceAllString(got.out, " ")
	if got.code != code || !strings.Contains(got.out, out) || !strings.Contains(got.errOut, errOut) || strings.Count(got.errOut, "\n") > 2 {
		w.t.Fatalf("%v: %+v, want exit code %d, %q, %q", args, got, code, out, errOut)
	}
	return got
}

// knowing starts a receiver that knows one secret, and returns its URL.
func knowing(t *testing.T, secret signer.Secret) string {
	t.Helper()
	server := httptest.NewServer(newReceiver([]signer.Verifier{secret}, faults{}, func(arrival) {}))
	t.Cleanup(server.Close)
	return server.URL + "/hook"
}

// Everything that an operator does with an endpoint in its life, against a real process.
func TestEndpointCommandsAgainstServe(t *testing.T) {
	t.Parallel()
	c := startServe(t, redistest.Start(t).Addr())
	c.awaitReady(t, 200, "ok\n")
	w := endpointWalk{t, []string{"OUTHOOK_SERVER=" + c.api, "OUTHOOK_KEY=" + testKey}}
	first, second := signer.NewSecret(), signer.NewSecret()
	old, changed := knowing(t, first), knowing(t, second)

	create := []string{"create", "--id=status", "--url", old, "--purpose=status", "--secret-file=-", "--metadata=team=core", "--header=X-Team: core", "--timeout=5s"}
	w.do(0, first.Reveal(), first.Reveal(), "shown this once", create...)
	repeated := w.do(0, first.Reveal(), "secret: …"+first.Hint(), "was there already", create...)
	if strings.Contains(repeated.out, first.Reveal()) {
		t.Error("the secret is shown again")
	}
	w.do(1, first.Reveal(), "", "the id is taken", append(create, "--description=other")...)
	w.do(1, "", "", "--event-type[0]: ", "create", "--url", old, "--event-type=nothing.*")
	w.do(1, "", "", "--header Host: ", "create", "--url", old, "--purpose=status", "--header=Host: example.com")

	w.do(0, "", "outcome: delivered\n", "", "test", "status")
	w.do(1, "", "", "--type: ", "test", "status", "--type=workflow.sms.matched_text")
	w.do(0, "", "reachable, answered 405\n", "", "check", old)
	w.do(1, "", "✗ policy", "is not reachable: policy: ", "check", "ftp://127.0.0.1/")

	w.do(0, "", "team=core2\n", "", "update", "status", "--url", changed, "--metadata=team=core2", "--remove-header=X-Team", "--timeout=0")
	card := w.do(0, "", "url: "+changed, "", "get", "status").out
	if strings.Contains(card, "X-Team") || !strings.Contains(card, "timeout: default\n") {
		t.Errorf("after the update:\n%s", card)
	}
	w.do(1, "", "status: 401 Unauthorized\n", "it answered 401", "test", "status")

	w.do(0, second.Reveal(), "old secret: …"+first.Hint()+", signs until ", "shown this once", "rotate-secret", "status", "--secret-file=-")
	w.do(0, "", "outcome: delivered\n", "", "test", "status")
	w.do(0, "", "", "", "update", "status", "--url", old)
	w.do(0, "", "outcome: delivered\n", "", "test", "status") // the old secret signs, too
	w.do(0, "", "secret: whsec_", "no old secret signs any more", "rotate-secret", "status", "--overlap=0")
	w.do(1, "", "", "it answered 401", "test", "status")

	w.do(0, "", "status disabled: manual\n", "", "disable", "status")
	w.do(0, "", "disabled: manual", "", "list")
	w.do(0, "", "status enabled\n", "", "enable", "status")
	w.do(0, "", "whpk_", "", "create", "--id=keys", "--url", old, "--event-type=message.*,delivery.dead", "--signature=ed25519")
	w.expectIDs("keys", "status")
	w.do(0, "", "status deleted\n", "", "delete", "status")
	w.do(1, "", "", "endpoint status of brand acme: not found", "get", "status")
	w.do(1, "", "", "endpoint status of brand acme: not found", "delete", "status")
	w.expectIDs("keys")
}

// expectIDs lists everything, and then only the first, with where it goes on.
func (w endpointWalk) expectIDs(want ...string) {
	w.t.Helper()
	var list httpapi.List[httpapi.Endpoint]
	if err := json.Unmarshal([]byte(w.do(0, "", "", "", "list", "-o=json", "--limit=0").out), &list); err != nil {
		w.t.Fatal(err)
	}
	var ids []string
	for _, e := range list.Items {
		ids = append(ids, e.ID)
	}
	if strings.Join(ids, " ") != strings.Join(want, " ") {
		w.t.Errorf("endpoints %v, want %v", ids, want)
	}
	if first := w.do(0, "", "ID", "", "list", "--limit=1"); len(want) > 1 && !strings.HasPrefix(first.errOut, "more: --cursor ") {
		w.t.Errorf("a list that goes on: %+v", first)
	}
}
