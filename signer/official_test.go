package signer_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	official "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"go.smobi.com/outhook/signer"
)

var bodies = []string{
	"", "{}", vectorBody, `{ "a" : 1e2, "a": 2 }`, "<\u2028😀>", "not.json", "\x00\xff",
}

func theirs(t testing.TB, secret signer.Secret) *official.Webhook {
	t.Helper()
	webhook, err := official.NewWebhook(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return webhook
}

func TestTheyVerifyWhatWeSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		current, former, private := signer.NewSecret(), signer.NewSecret(), signer.NewPrivateKey()
		for _, body := range bodies {
			h := sign(t, "evt_1", time.Now(), []byte(body), private, current, former)
			for _, secret := range []signer.Secret{current, former} {
				if err := theirs(t, secret).Verify([]byte(body), h); err != nil {
					t.Errorf("%q: %v", body, err)
				}
			}
			if err := theirs(t, signer.NewSecret()).Verify([]byte(body), h); err == nil {
				t.Errorf("%q: verified with another secret", body)
			}
		}
	})
}

func TestWeVerifyWhatTheySign(t *testing.T) {
	secret, other := signer.NewSecret(), signer.NewSecret()
	for n := 24; n <= 64; n += 8 {
		sized := mustSecret(t, standardText("whsec_", n))
		for _, body := range bodies {
			first, err1 := theirs(t, secret).Sign("evt_1", at, []byte(body))
			second, err2 := theirs(t, sized).Sign("evt_1", at, []byte(body))
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			h := headers("evt_1", at, first+" "+second)
			if err := signer.Verify(h, []byte(body), at, 0, sized); err != nil {
				t.Errorf("%d bytes, %q: %v", n, body, err)
			}
			if err := signer.Verify(h, []byte(body), at, 0, other); !errors.Is(err, signer.ErrSignature) {
				t.Errorf("%q: %v with another secret", body, err)
			}
		}
	}
}

// Both refuse the same times, the edges of the tolerance included.
func TestWeAgreeOnTheTolerance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := signer.NewSecret()
		verdicts := map[bool]int{}
		for offset := -302 * time.Second; offset <= 302*time.Second; offset += time.Second {
			h := sign(t, "evt_1", time.Now().Add(offset), []byte("{}"), secret)
			ours := signer.Verify(h, []byte("{}"), time.Now(), signer.DefaultTolerance, secret)
			opinion := theirs(t, secret).Verify([]byte("{}"), h)
			if fmt.Sprint(errors.Is(ours, signer.ErrTooOld), errors.Is(ours, signer.ErrTooNew)) !=
				fmt.Sprint(errors.Is(opinion, official.ErrMessageTooOld), errors.Is(opinion, official.ErrMessageTooNew)) {
				t.Errorf("%v: we say %v, they say %v", offset, ours, opinion)
			}
			verdicts[ours == nil]++
		}
		if verdicts[true] != 601 || verdicts[false] != 4 {
			t.Errorf("accepted and refused: %v", verdicts)
		}
	})
}
