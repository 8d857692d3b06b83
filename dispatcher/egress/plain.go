package egress

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// endsSoon is how long before its end a certificate is spoken of.
const endsSoon = 14 * 24 * time.Hour

// phases puts a look into words: the phases after policy, as if none depended on another.
func (l *look) phases() []webhook.CheckPhase {
	phases := []webhook.CheckPhase{
		{Name: webhook.PhaseDNS, Result: webhook.PhaseOK, Duration: l.seen.dns.took, Detail: "resolves"},
		{Name: webhook.PhaseConnect, Result: webhook.PhaseOK, Duration: l.seen.connect.took, Detail: "connected"},
		{Name: webhook.PhaseTLS, Result: webhook.PhaseOK, Duration: l.seen.tls.took, Detail: validity(l.seen.certificateEndsAt())},
		{Name: webhook.PhaseHTTP, Result: webhook.PhaseOK, Duration: l.http.took, Detail: statusWords(l.status)},
	}
	if l.literal {
		phases[0].Result, phases[0].Detail = webhook.PhaseSkipped, "the host is an address"
	}
	if l.plain {
		phases[2].Result, phases[2].Detail = webhook.PhaseSkipped, "http URLs have no TLS"
	}
	broken, why := l.fault()
	for i, phase := range phases {
		if phase.Name == broken {
			phases[i].Result, phases[i].Detail = webhook.PhaseFailed, why
		}
	}
	return phases
}

func validity(end time.Time) string {
	text := "certificate valid until " + end.Format(time.DateOnly)
	if time.Until(end) < endsSoon {
		text += ", which is within 14 days: renew it"
	}
	return text
}

// statusWords uses the standard library's text: the receiver's may be anything.
func statusWords(status int) string {
	text := strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
	if status >= 300 && status <= 399 && status != http.StatusNotModified {
		text += "; redirects are not followed: register the final URL"
	}
	return text
}

// fault names the phase that failed, and why; nothing when none did.
func (l *look) fault() (phase, why string) {
	if l.err == nil {
		return "", ""
	}
	dial, dialling := errors.AsType[dialError](l.err)
	switch {
	case dialling && dial.reason == webhook.ReasonDNS:
		phase, why = webhook.PhaseDNS, l.dnsFault()
	case dialling:
		phase, why = webhook.PhaseConnect, l.connectFault(dial.reason)
	case l.seen.tlsErr != nil:
		phase, why = webhook.PhaseTLS, l.tlsFault()
	default:
		phase, why = webhook.PhaseHTTP, l.httpFault()
	}
	if l.reason == webhook.ReasonInterrupted {
		why = "interrupted"
	}
	return phase, why
}

func (l *look) dnsFault() string {
	err, _ := errors.AsType[*net.DNSError](l.seen.dnsErr)
	switch {
	case err != nil && err.IsNotFound:
		return "does not resolve"
	case l.reason == webhook.ReasonTimeout, err != nil && err.IsTimeout:
		return "the name servers did not answer in time"
	}
	return "the name servers gave no usable answer"
}

// connectFault says the most telling of what several addresses did.
func (l *look) connectFault(reason webhook.Reason) string {
	switch {
	case reason == webhook.ReasonBlocked:
		return "not allowed"
	case l.seen.refused:
		return "refused"
	case l.seen.timedOut, l.reason == webhook.ReasonTimeout:
		return "timed out"
	}
	return "unreachable"
}

func (l *look) tlsFault() string {
	if invalid, ok := errors.AsType[*tls.CertificateVerificationError](l.seen.tlsErr); ok {
		return certificateFault(invalid)
	}
	switch opening := l.seen.opening[:l.seen.heard]; {
	case isOldTLS(opening):
		return "the protocol version is too old: TLS 1.2 or later is needed"
	case isNotTLS(opening):
		return "the server does not speak TLS on this port"
	case l.reason == webhook.ReasonTimeout:
		return "no answer in time"
	case l.reason == webhook.ReasonReset:
		return "the connection was closed during the handshake"
	}
	return "the handshake failed"
}

func certificateFault(err *tls.CertificateVerificationError) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return expiry(invalid.Cert, invalid.Cert == err.UnverifiedCertificates[0])
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is issued for another host name"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate is signed by an unknown authority, or an intermediate certificate is missing"
	}
	return "the certificate cannot be verified"
}

// expiry tells two things apart that have one reason in crypto/x509.
func expiry(cert *x509.Certificate, own bool) string {
	whose := "the certificate"
	if !own {
		whose = "a certificate that the server's depends on"
	}
	if time.Now().Before(cert.NotBefore) {
		return whose + " is not valid before " + cert.NotBefore.UTC().Format(time.DateOnly)
	}
	return whose + " expired on " + cert.NotAfter.UTC().Format(time.DateOnly)
}

// Records of TLS, as the first that a server sends (RFC 8446, sections 4, 5.1 and 6).
const (
	recordAlert, recordHandshake = 21, 22
	messageServerHello           = 2
	alertProtocolVersion         = 70
)

// isOldTLS finds a server that answers in an older version than we offer, or
// refuses the newer ones.
func isOldTLS(opening []byte) bool {
	switch {
	case len(opening) >= 7 && opening[0] == recordAlert:
		return opening[6] == alertProtocolVersion
	case len(opening) == openingBytes && opening[0] == recordHandshake && opening[5] == messageServerHello:
		return binary.BigEndian.Uint16(opening[9:]) < tls.VersionTLS12
	}
	return false
}

// isNotTLS applies the test of crypto/tls to a first record: a kind that can
// stand there, and a version that can be one.
func isNotTLS(opening []byte) bool {
	if len(opening) > 1 && opening[1] >= 0x10 {
		return true
	}
	return len(opening) > 0 && opening[0] != recordAlert && opening[0] != recordHandshake
}

func (l *look) httpFault() string {
	const notHTTP = "the answer is not HTTP, or its header is over 64 KiB"
	if l.plain && !strings.HasPrefix("HTTP/", string(l.seen.opening[:min(l.seen.heard, len("HTTP/"))])) {
		return notHTTP // also when it came too early to be taken for an answer
	}
	switch l.reason {
	case webhook.ReasonTimeout:
		return "no answer in time"
	case webhook.ReasonReset:
		return "the connection was closed before an answer was complete"
	case webhook.ReasonTLS:
		return "the server ended TLS: it may ask for a client certificate"
	}
	return notHTTP
}
