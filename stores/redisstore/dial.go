package redisstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// tlsSettings are redis-py's ssl_ options.
type tlsSettings struct {
	verifyNone            bool
	checkHostname         bool
	caFile, caDir, caData string
	certFile, keyFile     string
	minVersion            uint16
}

// dialError is an error from before anything could be sent.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// dialer connects, over TLS if the url asks for it.
func (c settings) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: c.dialTimeout}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := plain.DialContext(ctx, network, addr)
		if err != nil {
			return nil, dialError{err}
		}
		if c.kind != overTLS {
			return conn, nil
		}
		secure, err := c.handshake(ctx, conn, addr)
		if err != nil {
			_ = conn.Close()
			return nil, dialError{err}
		}
		return secure, nil
	}
}

func (c settings) handshake(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config, err := c.tls.config(host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.dialTimeout, errHandshake)
	defer cancel()
	secure := tls.Client(conn, config)
	err = secure.HandshakeContext(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errHandshake) {
		err = errHandshake
	}
	return secure, err
}

// errHandshake looks like the system's timeouts.
var errHandshake = fmt.Errorf("TLS handshake: %w", os.ErrDeadlineExceeded)

// config reads the files each time, so that certificates can be renewed while the
// service runs.
func (s tlsSettings) config(host string) (*tls.Config, error) {
	config := &tls.Config{ServerName: host, MinVersion: max(s.minVersion, tls.VersionTLS12)}
	if s.minVersion != 0 {
		config.MinVersion = s.minVersion
	}
	if s.certFile != "" {
		key := orElse(s.keyFile, s.certFile) // Python looks for the key in the same file
		pair, err := tls.LoadX509KeyPair(s.certFile, key)
		if err != nil {
			return nil, fmt.Errorf("ssl_certfile, ssl_keyfile: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if s.verifyNone {
		config.InsecureSkipVerify = true // ssl_cert_reqs=none says so
		return config, nil
	}
	roots, err := s.roots()
	if err != nil {
		return nil, err
	}
	config.RootCAs = roots
	if !s.checkHostname {
		config.InsecureSkipVerify = true // the chain is verified below, without the name
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyChain(state, roots)
		}
	}
	return config, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(opts)
	return err
}

// roots are the system's certificates and those that the options add to them
// (connection.py, SSLConnection: create_default_context, load_verify_locations).
func (s tlsSettings) roots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	files := []string{}
	if s.caFile != "" {
		files = append(files, s.caFile)
	}
	if s.caDir != "" {
		entries, err := os.ReadDir(s.caDir)
		if err != nil {
			return nil, fmt.Errorf("ssl_ca_path: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				files = append(files, filepath.Join(s.caDir, e.Name()))
			}
		}
	}
	for _, name := range files {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("ssl_ca_certs, ssl_ca_path: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) && name == s.caFile {
			return nil, errors.New("ssl_ca_certs: there is no certificate in the file")
		}
	}
	if s.caData != "" && !pool.AppendCertsFromPEM([]byte(s.caData)) {
		return nil, errors.New("ssl_ca_data: there is no certificate in it")
	}
	return pool, nil
}
