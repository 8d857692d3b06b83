package session_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.smobi.com/outhook/dispatcher/session"
)

var secret = []byte(strings.Repeat("k", session.MinSecret))

func TestSignedTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, until := session.New(secret, "cookie"), time.Now().Add(time.Hour)
		for _, text := range []string{"", "acme", "with.dots.1", "key_1.acme"} {
			signed := s.Sign(text, until)
			if got, end, ok := s.Read(signed); !ok || got != text || !end.Equal(until) {
				t.Errorf("%q is read as %q until %s, %v", text, got, end, ok)
			}
		}
		signed := s.Sign("acme", until)
		time.Sleep(time.Hour - time.Second)
		if _, _, ok := s.Read(signed); !ok {
			t.Error("over before its time")
		}
		time.Sleep(time.Second)
		if _, _, ok := s.Read(signed); ok {
			t.Error("good at its end")
		}
	})
}

func TestOthersTextsAreNone(t *testing.T) {
	s, until := session.New(secret, "cookie"), time.Now().Add(time.Hour)
	signed := s.Sign("acme", until)
	for name, other := range map[string]string{
		"nothing": "", "no dots": "acme", "another secret": session.New([]byte(strings.Repeat("x", 32)), "cookie").Sign("acme", until),
		"another purpose": session.New(secret, "link").Sign("acme", until), "unsigned": "1.acme.9999999999.",
		"another text": strings.Replace(signed, "acme", "acne", 1), "longer": signed + "A", "cut": signed[:len(signed)-1],
		"text in the purpose": "1.a." + session.New(secret, "cookie1.a.").Sign("acme", until),
	} {
		if text, _, ok := s.Read(other); ok {
			t.Errorf("%s is read as %q", name, text)
		}
	}
	for i := range signed { // the last character has bits that do not count in base64, which Strict refuses
		changed := []byte(signed)
		changed[i] ^= 1
		if _, _, ok := s.Read(string(changed)); ok {
			t.Errorf("good with byte %d changed", i)
		}
	}
}
