// Package session signs short texts that browsers carry for us, in a cookie or a link: bound to a purpose, and good until
// a time. Nothing is kept; who has the secret can read and make them, in every process.
package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// MinSecret is the least length of a secret, in bytes.
const MinSecret = 32

// format begins every text, so that another one can come.
const format = "1"

// Signer makes signed texts and reads them: format, text, end in Unix seconds, and HMAC-SHA256 of these, with dots between.
// Safe for concurrent use.
type Signer struct {
	secret  []byte
	purpose string
}

// New returns a signer for a purpose: what one signs is nothing to one of another purpose, or secret. The secret should have
// MinSecret random bytes.
func New(secret []byte, purpose string) Signer { return Signer{secret, purpose} }

// Sign returns text, signed, good until a time, whose fraction of a second does not count. What fits into a cookie or URL
// does so signed, too. The text can be read by whoever has it.
func (s Signer) Sign(text string, until time.Time) string {
	said := strings.Join([]string{format, text, strconv.FormatInt(until.Unix(), 10)}, ".")
	return said + "." + base64.RawURLEncoding.EncodeToString(s.sum(said))
}

// Read returns what was signed and its end; false for whatever Sign did not make, and for what is over.
func (s Signer) Read(signed string) (text string, until time.Time, ok bool) {
	said, signature, ok := cutLast(signed)
	if !ok {
		return "", time.Time{}, false
	}
	given, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || !hmac.Equal(given, s.sum(said)) {
		return "", time.Time{}, false
	}
	said, end, _ := cutLast(said) // ours from here on
	seconds, err := strconv.ParseInt(end, 10, 64)
	text, known := strings.CutPrefix(said, format+".")
	until = time.Unix(seconds, 0)
	if err != nil || !known || !time.Now().Before(until) {
		return "", time.Time{}, false
	}
	return text, until, true
}

func (s Signer) sum(said string) []byte {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(s.purpose + "\x00" + said))
	return mac.Sum(nil)
}

// cutLast cuts a text at its last dot.
func cutLast(text string) (before, after string, ok bool) {
	at := strings.LastIndexByte(text, '.')
	if at < 0 {
		return "", "", false
	}
	return text[:at], text[at+1:], true
}
