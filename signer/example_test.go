package signer_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/signer"
)

// A sender in the middle of a rotation signs with both secrets; a receiver
// that still holds the old one verifies, and notices a changed body.
func Example() {
	secret, former := signer.NewSecret(), signer.NewSecret()
	const id, body = "evt_1", `{"to":"15552223333","status":"DELIVERED"}`

	now := time.Now()
	signature, err := signer.Sign(id, now, []byte(body), secret, former)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodPost, "https://example.com/webhooks", strings.NewReader(body))
	r.Header.Set(signer.HeaderID, id)
	r.Header.Set(signer.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(signer.HeaderSignature, signature)

	received, err := io.ReadAll(r.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = signer.Verify(r.Header, received, time.Now(), signer.DefaultTolerance, former)
	fmt.Println("verified:", err == nil)

	err = signer.Verify(r.Header, append(received, ' '), time.Now(), signer.DefaultTolerance, former)
	fmt.Println("changed body refused:", errors.Is(err, signer.ErrSignature))

	fmt.Println("secret in a log:", secret)
	// Output:
	// verified: true
	// changed body refused: true
	// secret in a log: [redacted]
}
