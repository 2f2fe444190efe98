package identity

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of an RSA key: NIST's least, and what signs in a few milliseconds.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// Signer signs assertions. It is safe for concurrent use.
type Signer struct {
	issuer string
	signer jose.Signer
	jwks   []byte
}

// NewSigner reads private keys, PEM text (PKCS #8 or PKCS #1; Ed25519, which signs by
// EdDSA, or RSA of 2048 to 8192 bits, RS256). The first signs; all are in the JWKS, so
// that a key is known before it signs and after it did. Issuer is the iss claim. A key's
// id (kid) is its thumbprint by RFC 7638, with SHA-256. Errors wrap [ErrConfig] and have
// nothing of a key in them.
func NewSigner(issuer string, keys ...[]byte) (*Signer, error) {
	s, err := newSigner(issuer, keys)
	if err != nil {
		return nil, fmt.Errorf("identity: signer: %w: %w", err, ErrConfig)
	}
	return s, nil
}

func newSigner(issuer string, keys [][]byte) (*Signer, error) {
	switch {
	case issuer == "":
		return nil, errors.New("no issuer")
	case !utf8.ValidString(issuer) || strings.ContainsFunc(issuer, unicode.IsControl):
		return nil, errors.New("issuer: not printable text")
	case len(keys) == 0:
		return nil, errors.New("no key")
	}
	s := &Signer{issuer: issuer}
	var set jose.JSONWebKeySet
	for i, text := range keys {
		key, err := readKey(text)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if len(set.Key(key.KeyID)) > 0 {
			return nil, fmt.Errorf("key %d: it is the same as one before it", i+1)
		}
		set.Keys = append(set.Keys, key.Public())
		if i > 0 {
			continue
		}
		signing := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}
		if s.signer, err = jose.NewSigner(signing, (&jose.SignerOptions{}).WithType("JWT")); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
	}
	var err error
	if s.jwks, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return s, nil
}

// readKey reads the one private key in a PEM text. Certificates and public keys beside it
// are passed over.
func readKey(text []byte) (jose.JSONWebKey, error) {
	var found *pem.Block
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if found != nil {
			return jose.JSONWebKey{}, errors.New("two private keys in one text")
		}
		found = block
	}
	if found == nil {
		if bytes.Contains(text, []byte("-----BEGIN")) {
			return jose.JSONWebKey{}, errors.New("no private key in the PEM text")
		}
		return jose.JSONWebKey{}, errors.New("no PEM text")
	}
	private, err := parseKey(found)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key := jose.JSONWebKey{Key: private, Use: "sig"}
	switch private := private.(type) {
	case ed25519.PrivateKey:
		key.Algorithm = string(jose.EdDSA)
	case *rsa.PrivateKey:
		if bits := private.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return jose.JSONWebKey{}, fmt.Errorf("an RSA key of %d bits: %d to %d are taken", bits, minRSABits, maxRSABits)
		}
		key.Algorithm = string(jose.RS256)
	default:
		return jose.JSONWebKey{}, fmt.Errorf("a key of type %T: Ed25519 and RSA are taken", private)
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return key, nil
}

func parseKey(block *pem.Block) (key any, err error) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, errors.New("it is encrypted: take the passphrase off (openssl pkey -in KEY -out NEW)")
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%s: Ed25519 and RSA are taken (PRIVATE KEY, RSA PRIVATE KEY)", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be read: %w", err)
	}
	return key, nil
}

// sign returns the claims as a JWT in compact form.
func (s *Signer) sign(claims []byte) (string, error) {
	signed, err := s.signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("identity: sign: %w", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("identity: sign: %w", err)
	}
	return token, nil
}

// JWKS answers with the public keys (RFC 7517). Who has them may keep them for five
// minutes: so long, and an assertion's lifetime, a new key stands behind the old one
// before it signs, and the old one behind it afterwards.
func (s *Signer) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !mayRedirect(r.Method) {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the keys can only be read", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(s.jwks)
	})
}
