package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"go.smobi.com/outhook/config"
	"go.smobi.com/outhook/dispatcher/webhook"
)

// redisTLS is how to speak TLS with Redis, nil for not at all. The certificate is verified always, for the host in the URL; of a
// cluster and behind sentinels, for the host that was told. Errors are [webhook.FieldError]s whose field is a key.
func redisTLS(c config.Redis) (*tls.Config, error) {
	if !c.URL.Target().TLS {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if t.RootCAs, err = authorities("redis.caBundle", c.CABundle); err != nil {
		return nil, err
	}
	if c.ClientCertificate == "" {
		return t, nil
	}
	own, err := clientCertificate(c)
	if err != nil {
		return nil, err
	}
	t.Certificates = []tls.Certificate{own}
	return t, nil
}

// authorities returns those of a file and no others; nil, the system's, without one.
func authorities(key, path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readNamed(key, path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, webhook.Invalid(key, "must be a file that holds certificates in PEM")
	}
	return pool, nil
}

func clientCertificate(c config.Redis) (tls.Certificate, error) {
	const certificate, key = "redis.clientCertificate", "redis.clientKey"
	chain, err := readNamed(certificate, c.ClientCertificate)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := readNamed(key, c.ClientKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(chain) {
		return tls.Certificate{}, webhook.Invalid(certificate, "must be a file that holds a certificate in PEM")
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil { // which says more than one wants to see of a key
		return pair, webhook.Invalid(key, "must be a file that holds the key of %s in PEM, not encrypted", certificate)
	}
	return pair, nil
}

// readNamed reads a file that a key names.
func readNamed(key, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, webhook.Invalid(key, "must be a file that can be read: %v", cause(err))
	}
	return text, nil
}
