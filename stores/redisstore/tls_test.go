package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// certificates are files of an authority, and of a certificate for "localhost" that
// serves the server and its clients.
type certificates struct{ ca, cert, key string }

func makeCertificates(t *testing.T) certificates {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	sign := func(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
		require.NoError(t, err)
		return der
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}}
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return certificates{
		ca:   write("ca.pem", "CERTIFICATE", sign(ca, ca, caKey, caKey)),
		cert: write("cert.pem", "CERTIFICATE", sign(leaf, ca, key, caKey)),
		key:  write("key.pem", "EC PRIVATE KEY", keyDER),
	}
}

func TestTLS(t *testing.T) {
	files, port := makeCertificates(t), servers.FreePort(t)
	servers.Redis(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca)
	caDir := t.TempDir()
	caText, err := os.ReadFile(files.ca)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(caDir, "12345678.0"), caText, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(caDir, "README"), []byte("no certificate"), 0o600))
	q := url.QueryEscape
	client := "&ssl_certfile=" + q(files.cert) + "&ssl_keyfile=" + q(files.key)
	for name, c := range map[string]struct {
		host, query string
		ok          bool
	}{
		"file":              {"localhost", "ssl_ca_certs=" + q(files.ca) + client, true},
		"directory":         {"localhost", "ssl_ca_path=" + q(caDir) + client, true},
		"data":              {"localhost", "ssl_ca_data=" + q(string(caText)) + client, true},
		"optional":          {"localhost", "ssl_cert_reqs=optional&ssl_ca_certs=" + q(files.ca) + client, true},
		"unknown authority": {"localhost", "ssl_cert_reqs=optional" + client, false},
		"no verification":   {"127.0.0.1", "ssl_cert_reqs=none" + client, true},
		"another name":      {"127.0.0.1", "ssl_ca_certs=" + q(files.ca) + client, false},
		"any name":          {"127.0.0.1", "ssl_check_hostname=no&ssl_ca_certs=" + q(files.ca) + client, true},
		"any name, unknown": {"127.0.0.1", "ssl_check_hostname=no" + client, false},
		"no client cert":    {"localhost", "ssl_ca_certs=" + q(files.ca), false},
		"no such file":      {"localhost", "ssl_ca_certs=/nowhere" + client, false},
		"no certificate":    {"localhost", "ssl_ca_certs=" + q(files.key) + client, false},
		"TLS 1.3":           {"localhost", "ssl_min_version=772&ssl_ca_certs=" + q(files.ca) + client, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{URL: fmt.Sprintf("rediss://%s:%d/0?%s", c.host, port, c.query)})
			err := s.Put(t.Context(), testID, pyvalue.Str("x"))
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, stores.ErrUnavailable)
			require.NotErrorIs(t, err, errAnswer)
			t.Log(err)
		})
	}
}
