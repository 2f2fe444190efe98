package tree

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Secrets are the patterns of keys under which sessions keep what nobody should read over
// somebody's shoulder.
func Secrets() []string {
	return []string{
		"*passw*", "*passphrase*", "pwd", "*secret*", "*token*", "*csrf*", "*xsrf*", "*api_key*",
		"*private_key*", "*access_key*", "*signing_key*", "*encrypt_key*", "*validate_key*", "*encryption_key*", "*signature*",
		"*jwt*", "*bearer*", "otp", "totp", "pin", "pw", "ssn", "sid", "creds", "*credential*", "*auth*", "*cookie*", "*session_id*", "*credit_card*", "*card_number*",
	}
}

var secret, _ = Mask(Secrets())

// Secret tells, for [Options.Hide], whether a key is one of [Secrets].
func Secret(key string) bool { return secret(key) }

// Mask makes an [Options.Hide] of patterns as in path.Match. Neither case nor the signs
// between words matter: "*api_key*" is apiKey, too. The error names the pattern that is
// malformed.
func Mask(patterns []string) (func(key string) bool, error) {
	var words, others []string // most are a word with anything around it, which is quick to find
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("tree: mask: pattern %q: %w", p, err)
		}
		p = plain(p)
		if word := strings.Trim(p, "*"); p == "*"+word+"*" && !strings.ContainsAny(word, `*?[\`) {
			words = append(words, joined.Replace(word))
			continue
		}
		if others = append(others, p); !strings.ContainsAny(p, `[\`) { // a hyphen means something else there
			others = append(others, joined.Replace(p))
		}
	}
	return func(key string) bool {
		key = plain(key)
		short := joined.Replace(key)
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(short, word) }) ||
			slices.ContainsFunc(others, func(p string) bool { return matches(p, key) || matches(p, short) })
	}, nil
}

// plain is in lower case, without the slashes, which the * of path.Match stops at, and
// without what nobody sees, such as a zero-width space.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return '_'
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}

var joined = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// hides reports whether the value of k is not to be shown.
func (b *builder) hides(k kid) bool {
	switch {
	case b.Hide == nil:
		return false
	case k.key != nil:
		return b.Hide(name(k.key))
	case k.first != nil:
		text, ok := rawText(k.first)
		return ok && b.Hide(text)
	}
	return false
}

// name is what a key is called: its text as it is, or how Python writes it.
func name(key pyvalue.Value) string {
	if text, ok := rawText(key); ok {
		return text
	}
	return pyvalue.Repr(key)
}

// rawText returns the text or the bytes of a value, in any coding.
func rawText(v pyvalue.Value) (string, bool) {
	switch v := v.(type) {
	case pyvalue.Str:
		return string(v), true
	case pyvalue.Py2Str:
		return string(v), true
	case pyvalue.Bytes:
		return string(v), true
	}
	return "", false
}
