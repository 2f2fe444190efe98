package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"
)

// Assertion is the JWT (RFC 7519) of a policy: iss, aud, sub, iat, nbf, exp, jti and the
// Claims. Visitors of the same claims get the same token for half of its lifetime, so
// that a burst of requests costs one signature; a jti therefore names a token and not a
// request.
type Assertion struct {
	// Signer signs, and names the issuer.
	Signer *Signer
	// Header is that which holds the token; "": X-Gobeaker-Assertion.
	Header string
	// Audience is the application that is told, the aud claim. It is required: an
	// application that did not check it would take what another was told.
	Audience string
	// Lifetime is how long a token is valid, in whole seconds from 5 seconds to an hour; 0:
	// one minute.
	Lifetime time.Duration
	// Subject is the path of the sub claim, which is the value's text as in a header.
	// Where there is no such value there is no assertion.
	Subject string
	// Claims are further claims, and their paths. A value becomes JSON; what is not there
	// is no claim.
	Claims map[string]string
}

// Bounds of an assertion.
const (
	minLifetime = 5 * time.Second
	maxLifetime = time.Hour
	maxTokens   = 1024 // that are kept
)

// registered are the claims that are not the session's to tell.
var registered = []string{"iss", "aud", "sub", "iat", "nbf", "exp", "jti"}

type assertion struct {
	header   string
	signer   *Signer
	lifetime time.Duration
	subject  sessionvalue.Path
	further  []claim
	required bool   // the subject or a claim is
	prefix   []byte // of all claims: {"iss":…,"aud":…,"sub":

	// tokens are kept by a hash of what they claim, the times and the jti aside.
	tokens *lru.Cache[[sha256.Size]byte, token]
}

type claim struct {
	name     string
	path     sessionvalue.Path
	required bool
}

// token may be told again from the time at which it was signed until its renewal.
type token struct {
	text           string
	signed, renews time.Time
}

func newAssertion(o Assertion, isRequired func(sessionvalue.Path) bool) (*assertion, error) {
	a := &assertion{header: "X-Gobeaker-Assertion", signer: o.Signer, lifetime: time.Minute}
	var err error
	if o.Header != "" {
		if a.header, err = headerName(o.Header); err != nil {
			return nil, err
		}
	}
	if o.Lifetime != 0 {
		a.lifetime = o.Lifetime
	}
	switch {
	case o.Signer == nil:
		return nil, errors.New("no signer: there is no key to sign with")
	case o.Audience == "":
		return nil, errors.New("no audience: name the application that is told")
	case !utf8.ValidString(o.Audience) || strings.ContainsFunc(o.Audience, unicode.IsControl):
		return nil, errors.New("audience: not printable text")
	case a.lifetime < minLifetime || a.lifetime > maxLifetime || a.lifetime%time.Second != 0:
		return nil, fmt.Errorf("lifetime %v: whole seconds from %v to %v", a.lifetime, minLifetime, maxLifetime)
	case o.Subject == "":
		return nil, errors.New("no subject: say where the session has the visitor's name")
	}
	if a.subject, err = sessionvalue.ParsePath(o.Subject); err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	a.required = isRequired(a.subject)
	for _, name := range slices.Sorted(maps.Keys(o.Claims)) {
		if slices.Contains(registered, name) || name == "" || !utf8.ValidString(name) {
			return nil, fmt.Errorf("claim %q is not the session's to tell", name)
		}
		c := claim{name: name}
		if c.path, err = sessionvalue.ParsePath(o.Claims[name]); err != nil {
			return nil, fmt.Errorf("claim %q: %w", name, err)
		}
		c.required = isRequired(c.path)
		a.required = a.required || c.required
		a.further = append(a.further, c)
	}
	a.prefix = sessionvalue.AppendJSONString([]byte(`{"iss":`), o.Signer.issuer)
	a.prefix = sessionvalue.AppendJSONString(append(a.prefix, `,"aud":`...), o.Audience)
	a.prefix = append(a.prefix, `,"sub":`...)
	if a.tokens, err = lru.New[[sha256.Size]byte, token](maxTokens); err != nil {
		return nil, err
	}
	return a, nil
}

// claims returns what the session says, as the beginning of the claims; nil where it names
// nobody. What else cannot be told is left out, and d says so.
func (a *assertion) claims(v *compat.View, d *Decision) ([]byte, error) {
	value, ok := a.subject.Find(v)
	if !ok || sessionvalue.IsNone(value) {
		return nil, nil
	}
	subject, err := sessionvalue.Text(value, maxLine)
	if err != nil {
		return nil, err
	}
	if subject == "" {
		return nil, nil
	}
	claims := sessionvalue.AppendJSONString(slices.Clip(a.prefix), subject)
	for _, c := range a.further {
		value, ok := c.path.Find(v)
		if !ok {
			continue
		}
		told, err := sessionvalue.AppendJSON(nil, value, maxLine)
		switch {
		case err != nil && c.required:
			return nil, fmt.Errorf("claim %q: %w", c.name, err)
		case err != nil:
			d.leftOut(a.header+`, claim "`+c.name+`"`, err)
			continue
		}
		claims = append(sessionvalue.AppendJSONString(append(claims, ','), c.name), ':')
		claims = append(claims, told...)
	}
	return claims, nil
}

// token returns a signed token of the claims.
func (a *assertion) token(claims []byte, now time.Time) (string, error) {
	key := sha256.Sum256(claims)
	if t, ok := a.tokens.Get(key); ok && !now.Before(t.signed) && now.Before(t.renews) {
		return t.text, nil
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	signed := now.Unix()
	claims = appendTime(claims, "iat", signed)
	claims = appendTime(claims, "nbf", signed)
	claims = appendTime(claims, "exp", signed+int64(a.lifetime/time.Second))
	claims = sessionvalue.AppendJSONString(append(claims, `,"jti":`...), base64.RawURLEncoding.EncodeToString(id[:]))
	text, err := a.signer.sign(append(claims, '}'))
	if err != nil {
		return "", err
	}
	a.tokens.Add(key, token{text: text, signed: now, renews: now.Add(a.lifetime / 2)})
	return text, nil
}

func appendTime(claims []byte, name string, seconds int64) []byte {
	claims = append(claims, `,"`+name+`":`...)
	return strconv.AppendInt(claims, seconds, 10)
}
