package beakerfmt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
)

const (
	maxDefaultID = 128
	maxID        = 249 // a file name has 255 bytes, ".cache" takes six
)

// IDRule says which session ids are acceptable. Beaker takes any string; no path
// and no key of a store may be formed from one that a rule has not passed.
//
// The zero IDRule admits [A-Za-z0-9_-]{1,128}, which covers every id that
// Beaker ever made: uuid4 and md5 in hex, and 27 characters of url-safe base64.
type IDRule struct{ pattern *regexp.Regexp }

// NewIDRule returns the rule that an id as a whole matches pattern, in Go's
// regular expressions. Whatever the pattern, an id is never acceptable if it is
// empty, "." or "..", has more than 249 bytes, or holds a slash, a control
// character or anything beyond ASCII: Python 2 and Python 3 form different
// paths from the latter.
func NewIDRule(pattern string) (IDRule, error) {
	// Alone first, so that no unbalanced parenthesis gets out of the group below.
	if _, err := regexp.Compile(pattern); err != nil {
		return IDRule{}, fmt.Errorf("beakerfmt: session id pattern: %w", err)
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return IDRule{}, fmt.Errorf("beakerfmt: session id pattern: %w", err)
	}
	return IDRule{pattern: re}, nil
}

// String returns the pattern that NewIDRule was given; "" for the zero rule.
func (r IDRule) String() string {
	if r.pattern == nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(r.pattern.String(), `\A(?:`), `)\z`)
}

// Valid reports whether id is acceptable.
func (r IDRule) Valid(id string) bool {
	if r.pattern == nil {
		return validDefaultID(id)
	}
	return admissibleID(id) && r.pattern.MatchString(id)
}

func validDefaultID(id string) bool {
	if id == "" || len(id) > maxDefaultID {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if !isAlnum(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// admissibleID tells what no pattern can widen.
func admissibleID(id string) bool {
	if id == "" || id == "." || id == ".." || len(id) > maxID {
		return false
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; c < ' ' || c >= 0x7f || c == '/' {
			return false
		}
	}
	return true
}

// NewID makes a session id as Beaker does since 1.6: a version 4 UUID as 32
// lower-case hexadecimal digits, from 16 bytes of random (crypto/rand.Reader).
//
// Beaker: session.py, Session._create_id.
func NewID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("beakerfmt: new session id: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return hex.EncodeToString(b[:]), nil
}

// HashID returns a short name for a session id that may stand in logs and
// errors, where the id itself must not: 12 hexadecimal digits of its SHA-256.
func HashID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:6])
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
