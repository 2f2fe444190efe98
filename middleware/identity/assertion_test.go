package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"
)

func pemOf(t testing.TB, kind string, der []byte, err error) []byte {
	t.Helper()
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func ed25519PEM(t testing.TB) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf(t, "PRIVATE KEY", der, err)
}

// rsaKeys are made once: that takes a while.
var rsaKeys = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, minRSABits) })

func rsaPEM(t testing.TB) (pkcs8, pkcs1 []byte) {
	t.Helper()
	key, err := rsaKeys()
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf(t, "PRIVATE KEY", der, err), pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
}

// signer returns a signer and what its JWKS handler serves.
func signer(t testing.TB, keys ...[]byte) (*Signer, jose.JSONWebKeySet) {
	t.Helper()
	s, err := NewSigner("https://gate.example.org", keys...)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	s.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/jwks", nil))
	require.Equal(t, 200, w.Code)
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &set))
	return s, set
}

// claimsOf verifies a token against the keys and returns its claims.
func claimsOf(t testing.TB, token string, set jose.JSONWebKeySet) map[string]any {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.EdDSA, jose.RS256})
	require.NoError(t, err)
	require.Equal(t, "JWT", parsed.Headers[0].ExtraHeaders[jose.HeaderType])
	keys := set.Key(parsed.Headers[0].KeyID)
	require.Len(t, keys, 1)
	claims := map[string]any{}
	require.NoError(t, parsed.Claims(keys[0], &claims))
	return claims
}

func TestAssertion(t *testing.T) {
	pkcs8, pkcs1 := rsaPEM(t)
	for name, key := range map[string][]byte{"Ed25519": ed25519PEM(t), "RSA": pkcs8, "RSA in PKCS #1": pkcs1} {
		t.Run(name, func(t *testing.T) {
			s, set := signer(t, key)
			now := time.Unix(1700000000, 900e6)
			p := policy(t, Options{
				Assertion: &Assertion{
					Signer: s, Audience: "https://app.example.org", Subject: "user.id", Lifetime: 2 * time.Minute,
					Claims: map[string]string{"email": "user.email", "groups": "groups", "n": "n", "none": "none", "nobody": "nobody", `q"`: "n"},
				},
				Now: func() time.Time { return now },
			})
			v := see(t, values{
				"user":   dict(str("id"), python(t, 7), str("email"), str("eve@example.org")),
				"groups": []string{"a,b", "c"}, "n": 1.5, "none": nil,
			})
			d := p.Decide(page(), v, nil)
			require.Equal(t, 200, d.Status)
			require.Empty(t, d.Reason)
			require.Len(t, d.Header, 1)
			claims := claimsOf(t, d.Header.Get("X-Gobeaker-Assertion"), set)
			require.Len(t, claims["jti"], 22)
			delete(claims, "jti")
			require.Equal(t, map[string]any{
				"iss": "https://gate.example.org", "aud": "https://app.example.org", "sub": "7",
				"iat": 1700000000.0, "nbf": 1700000000.0, "exp": 1700000120.0,
				"email": "eve@example.org", "groups": []any{"a,b", "c"}, "n": 1.5, "none": nil, `q"`: 1.5,
			}, claims)
		})
	}
}

// A token is told again for half of its lifetime, and to nobody else.
func TestTokensAreKept(t *testing.T) {
	s, set := signer(t, ed25519PEM(t))
	start := time.Unix(1700000000, 0)
	now := start
	p := policy(t, Options{
		Assertion: &Assertion{Signer: s, Audience: "app", Subject: "user_id", Claims: map[string]string{"role": "role"}},
		Now:       func() time.Time { return now },
	})
	tell := func(user, role string) string {
		return p.Decide(page(), see(t, values{"user_id": user, "role": role}), nil).Header.Get("X-Gobeaker-Assertion")
	}
	first := tell("eve", "editor")
	now = start.Add(29 * time.Second)
	require.Equal(t, first, tell("eve", "editor"))
	require.NotEqual(t, first, tell("eve", "reader"))
	require.NotEqual(t, first, tell("ann", "editor"))
	now = start.Add(30 * time.Second)
	second := tell("eve", "editor")
	require.NotEqual(t, first, second)
	require.NotEqual(t, claimsOf(t, first, set)["jti"], claimsOf(t, second, set)["jti"])
	now = start.Add(-time.Hour) // the clock was put back
	require.Equal(t, float64(now.Unix()), claimsOf(t, tell("eve", "editor"), set)["iat"])

	// A sub that looks like the end of a claim is no other claim.
	claims := claimsOf(t, tell(`eve","role":"admin`, "x"), set)
	require.Equal(t, `eve","role":"admin`, claims["sub"])
	require.Equal(t, "x", claims["role"])
}

func TestNoAssertion(t *testing.T) {
	s, _ := signer(t, ed25519PEM(t))
	o := Options{Assertion: &Assertion{Signer: s, Audience: "app", Subject: "user_id", Claims: map[string]string{"doc": "doc"}}}
	for _, v := range []values{nil, {}, {"user_id": nil}, {"user_id": ""}} {
		d := policy(t, o).Decide(page(), see(t, v), nil)
		require.Equal(t, 200, d.Status)
		require.Empty(t, d.Header)
		require.Empty(t, d.Reason)
	}
	// Whoever cannot be named is not asserted; of the claims those that can be told are.
	d := policy(t, o).Decide(page(), see(t, values{"user_id": list(str("a"))}), nil)
	require.Equal(t, 200, d.Status)
	require.Empty(t, d.Header)
	require.Equal(t, "X-Gobeaker-Assertion is left out: "+sessionvalue.ErrKind.Error(), d.Reason)

	object := see(t, values{"user_id": "eve", "doc": instance(dict(str("a"), str("b")))})
	d = policy(t, o).Decide(page(), object, nil)
	require.Equal(t, 200, d.Status)
	require.Len(t, d.Header, 1)
	require.Equal(t, `X-Gobeaker-Assertion, claim "doc" is left out: `+sessionvalue.ErrNotJSON.Error(), d.Reason)

	long := see(t, values{"user_id": "eve", "doc": strings.Repeat("x", maxLine-500)})
	d = policy(t, o).Decide(page(), long, nil)
	require.Equal(t, 200, d.Status)
	require.Empty(t, d.Header)
	require.Contains(t, d.Reason, sessionvalue.ErrTooLong.Error())

	o.Require = []string{"user_id"}
	require.Equal(t, 403, policy(t, o).Decide(page(), long, nil).Status)
	require.Equal(t, 403, policy(t, o).Decide(page(), see(t, values{"user_id": list(str("a"))}), nil).Status)
	require.Equal(t, 200, policy(t, o).Decide(page(), object, nil).Status)
	o.Require = []string{"doc"}
	d = policy(t, o).Decide(page(), object, nil)
	require.Equal(t, 403, d.Status)
	require.Empty(t, d.Header)
}

func TestAssertionConfig(t *testing.T) {
	s, _ := signer(t, ed25519PEM(t))
	good := Assertion{Signer: s, Audience: "app", Subject: "user_id"}
	for want, change := range map[string]func(*Assertion){
		"no signer":                 func(a *Assertion) { a.Signer = nil },
		"no audience":               func(a *Assertion) { a.Audience = "" },
		"audience: not printable":   func(a *Assertion) { a.Audience = "a\n" },
		"no subject":                func(a *Assertion) { a.Subject = "" },
		"secret":                    func(a *Assertion) { a.Subject = "_id" },
		"lifetime 1s":               func(a *Assertion) { a.Lifetime = time.Second },
		"lifetime 1h0m1s":           func(a *Assertion) { a.Lifetime = time.Hour + time.Second },
		"lifetime 5.5s":             func(a *Assertion) { a.Lifetime = 5500 * time.Millisecond },
		"lifetime -1m0s":            func(a *Assertion) { a.Lifetime = -time.Minute },
		`claim "exp" is not`:        func(a *Assertion) { a.Claims = map[string]string{"exp": "exp"} },
		`claim "" is not`:           func(a *Assertion) { a.Claims = map[string]string{"": "a"} },
		`claim "a": an empty path`:  func(a *Assertion) { a.Claims = map[string]string{"a": ""} },
		"Cookie is not":             func(a *Assertion) { a.Header = "cookie" },
		"Remote-User is set twice":  func(a *Assertion) { a.Header = "remote-user" },
		"assertion: ' ' in the nam": func(a *Assertion) { a.Header = "a b" },
	} {
		a := good
		change(&a)
		_, err := New(Options{Headers: []Header{{Name: "Remote-User", Path: "user_id"}}, Assertion: &a})
		require.ErrorIs(t, err, ErrConfig)
		require.ErrorContains(t, err, want)
	}
}

func TestSignerKeys(t *testing.T) {
	key, _ := rsaPEM(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	smallDER, err := x509.MarshalPKCS8PrivateKey(small)
	smallPEM := pemOf(t, "PRIVATE KEY", smallDER, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	curveDER, err := x509.MarshalPKCS8PrivateKey(curve)
	curvePEM := pemOf(t, "PRIVATE KEY", curveDER, err)
	sec1DER, err := x509.MarshalECPrivateKey(curve)
	sec1PEM := pemOf(t, "EC PRIVATE KEY", sec1DER, err)
	public, err := x509.MarshalPKIXPublicKey(&small.PublicKey)
	publicPEM := pemOf(t, "PUBLIC KEY", public, err)
	legacy := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: []byte("x"),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
	})
	other := ed25519PEM(t)
	for _, c := range []struct {
		want string
		keys [][]byte
	}{
		{"no key", nil},
		{"key 1: no PEM text", [][]byte{nil}},
		{"key 1: no PEM text", [][]byte{[]byte("hunter2")}},
		{"key 2: no PEM text", [][]byte{key, []byte("hunter2")}},
		{"key 1: no private key in the PEM text", [][]byte{publicPEM}},
		{"key 1: no private key in the PEM text", [][]byte{key[:len(key)/2]}},
		{"an RSA key of 1024 bits", [][]byte{smallPEM}},
		{"*ecdsa.PrivateKey: Ed25519 and RSA are taken", [][]byte{curvePEM}},
		{"EC PRIVATE KEY: Ed25519 and RSA are taken", [][]byte{sec1PEM}},
		{"it is encrypted: take the passphrase off", [][]byte{pemOf(t, "ENCRYPTED PRIVATE KEY", []byte("x"), nil)}},
		{"it is encrypted: take the passphrase off", [][]byte{legacy}},
		{"the private key cannot be read", [][]byte{pemOf(t, "PRIVATE KEY", []byte("hunter2"), nil)}},
		{"two private keys in one text", [][]byte{append(append([]byte{}, key...), other...)}},
		{"key 3: it is the same as one before it", [][]byte{key, other, key}},
	} {
		_, err := NewSigner("gate", c.keys...)
		require.ErrorIs(t, err, ErrConfig)
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "hunter2")
	}
	for _, issuer := range []string{"", "a\n", "\xff"} {
		_, err := NewSigner(issuer, key)
		require.ErrorIs(t, err, ErrConfig)
	}
	// What stands beside the key in its file does no harm.
	_, err = NewSigner("gate", append(append([]byte("a comment\n"), publicPEM...), key...))
	require.NoError(t, err)
}

// Keys change without a token that cannot be verified: the next one is in the JWKS before
// it signs, and the last one after it did.
func TestRotation(t *testing.T) {
	old, next := ed25519PEM(t), ed25519PEM(t)
	token := func(s *Signer) string {
		text, err := s.sign([]byte(`{"sub":"eve"}`))
		require.NoError(t, err)
		return text
	}
	announced, set1 := signer(t, old, next)
	swapped, set2 := signer(t, next, old)
	require.Len(t, set1.Keys, 2)
	for _, s := range []*Signer{announced, swapped} {
		for _, set := range []jose.JSONWebKeySet{set1, set2} {
			require.Equal(t, "eve", claimsOf(t, token(s), set)["sub"])
		}
	}
	require.NotEqual(t, strings.Split(token(announced), ".")[0], strings.Split(token(swapped), ".")[0], "the kid tells the key")
}

func TestJWKS(t *testing.T) {
	key, _ := rsaPEM(t)
	s, set := signer(t, ed25519PEM(t), key)
	require.Len(t, set.Keys, 2)
	for _, k := range set.Keys {
		require.True(t, k.IsPublic())
		require.Equal(t, "sig", k.Use)
		require.Len(t, k.KeyID, 43)
	}
	require.Equal(t, []string{"EdDSA", "RS256"}, []string{set.Keys[0].Algorithm, set.Keys[1].Algorithm})

	w := httptest.NewRecorder()
	s.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, "application/jwk-set+json", w.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=300", w.Header().Get("Cache-Control"))
	var raw struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &raw))
	for _, k := range raw.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			require.NotContains(t, k, private)
		}
	}
	w = httptest.NewRecorder()
	s.JWKS().ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
}

// A policy is used by many requests at once.
func TestConcurrentDecisions(t *testing.T) {
	s, set := signer(t, ed25519PEM(t))
	p := policy(t, Options{
		Require: []string{"user_id"}, Allow: `session.user_id != "" and request.method == "GET"`,
		Headers:   []Header{{Name: "Remote-User", Path: "user_id"}},
		Assertion: &Assertion{Signer: s, Audience: "app", Subject: "user_id"},
	})
	var wg sync.WaitGroup
	for i := range 8 {
		user := fmt.Sprint("user", i%4)
		v := see(t, values{"user_id": user})
		wg.Go(func() {
			for range 20 {
				d := p.Decide(page(), v, nil)
				if d.Header.Get("Remote-User") != user || claimsOf(t, d.Header.Get("X-Gobeaker-Assertion"), set)["sub"] != user {
					t.Error("another one's identity")
				}
			}
		})
	}
	wg.Wait()
}
