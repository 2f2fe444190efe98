package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspector"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/middleware/gateway"
)

// maxPEM bounds a file of keys or certificates in bytes.
const maxPEM = 1 << 20

// minToken is how long a token is at least: then nobody guesses it, at any speed.
const minToken = 20

// material is what the configuration has in files of their own, beside the secrets of the
// sessions: keys, tokens, certificates. It is read with the configuration, so that a
// change of a file is a change of it.
type material struct {
	signing   [][]byte // PEM of private keys
	apiTokens []string
	users     []inspector.User // of the admin address
	upstream  []gateway.TLS    // of each route
	pair      [2][]byte        // PEM of the certificate of the main address, and of its key
	cert      *tls.Certificate // the same; nil: no TLS
}

// reader reads the files that settings name, and notes them.
type reader struct {
	config *settings.Config
	getenv func(string) string
	files  *[]string
	err    error
}

// material reads all of it. files gets those that were read or are missing.
func readMaterial(c *settings.Config, getenv func(string) string, files *[]string) (material, error) {
	r := &reader{config: c, getenv: getenv, files: files}
	var m material
	for _, path := range c.Assertion.KeyFiles {
		m.signing = append(m.signing, r.pem(path, "assertion", "key_files"))
	}
	for _, path := range c.API.TokenFiles {
		m.apiTokens = append(m.apiTokens, r.secret("api.token_files", path))
	}
	if name := c.API.TokenEnv; name != "" {
		m.apiTokens = append(m.apiTokens, r.variable(name, "api", "token_env"))
	}
	for _, path := range c.Admin.TokenFiles {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		m.users = append(m.users, inspector.User{Name: name, Token: r.secret("admin.token_files", path)})
	}
	if name := c.Admin.TokenEnv; name != "" {
		m.users = append(m.users, inspector.User{Name: "admin", Token: r.variable(name, "admin", "token_env")})
	}
	for _, u := range m.users {
		if len(u.Token) < minToken {
			r.fail(fmt.Errorf("the token of %s has fewer than %d characters", u.Name, minToken), "admin", "token_files")
		}
	}
	for _, token := range m.apiTokens {
		if len(token) < minToken {
			r.fail(fmt.Errorf("a token has fewer than %d characters", minToken), "api", "token_files")
		}
	}
	for i, route := range c.Routes {
		m.upstream = append(m.upstream, r.upstream(route.TLS, i))
	}
	if s := c.Server; s.TLSCertificate != "" {
		m.pair = [2][]byte{r.pem(s.TLSCertificate, "server", "tls_certificate"), r.pem(s.TLSKey, "server", "tls_key")}
		if r.err == nil {
			m.cert, r.err = r.certificate(m.pair)
		}
	}
	return m, r.err
}

// fail keeps the first error, with the place of the setting.
func (r *reader) fail(err error, key ...string) {
	if r.err == nil {
		r.err = fmt.Errorf("server: %s%s: %w: %w", r.config.At(key...), r.config.Name(key...), settings.ErrConfig, err)
	}
}

func (r *reader) secret(key, path string) string {
	text, err := r.config.Secret(key, path, r.files)
	if err != nil && r.err == nil {
		r.err = err
	}
	return text
}

func (r *reader) variable(name string, key ...string) string {
	text := r.getenv(name)
	if text == "" {
		r.fail(fmt.Errorf("the environment variable %s is not set", name), key...)
	}
	return text
}

// pem reads a file of PEM blocks, whole.
func (r *reader) pem(path string, key ...string) []byte {
	path = r.config.Follow(strings.Join(key, "."), path, r.files)
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s: it is not a file", path)
	case info.Size() > maxPEM:
		err = fmt.Errorf("%s: it is larger than %d bytes", path, maxPEM)
	default:
		var data []byte
		if data, err = os.ReadFile(path); err == nil {
			return data
		}
	}
	r.fail(err, key...)
	return nil
}

func (r *reader) upstream(t *settings.TLS, route int) (out gateway.TLS) {
	if t == nil {
		return out
	}
	out = gateway.TLS{ServerName: t.ServerName, Insecure: t.Insecure}
	for _, f := range []struct {
		key, path string
		to        *[]byte
	}{{"ca_file", t.CAFile, &out.CA}, {"certificate_file", t.CertificateFile, &out.Certificate}, {"key_file", t.KeyFile, &out.Key}} {
		if f.path != "" {
			*f.to = r.pem(f.path, "route", strconv.Itoa(route), "tls", f.key)
		}
	}
	return out
}

// certificate parses the pair; while one of its files is new and the other is not yet, that
// is an error.
func (r *reader) certificate(pair [2][]byte) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(pair[0], pair[1])
	if err == nil && cert.Leaf == nil {
		cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0])
	}
	if err != nil {
		r.fail(err, "server", "tls_certificate")
		return nil, r.err
	}
	return &cert, nil
}
