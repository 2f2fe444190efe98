package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/iniconf"
)

// masker keeps secrets out of what is printed. An ini may use one secret in several
// values, by interpolation.
type masker struct {
	off     bool
	secrets []string
}

// learn notes a value that must not be shown. What is shorter could be any word.
func (m *masker) learn(value any) {
	const shortest = 6
	switch v := value.(type) {
	case string:
		if len(v) >= shortest {
			m.secrets = append(m.secrets, v)
		}
	case []string:
		for _, text := range v {
			m.learn(text)
		}
	}
}

// learnAll notes the secrets among the options and settings of a configuration.
func (m *masker) learnAll(e *iniconf.Effective, settings []iniconf.Setting) {
	if e != nil {
		for _, o := range e.List() {
			if text, _ := o.Value.(string); o.Secret && !plainAddress(o.Name, text) {
				m.learn(o.Value)
			}
		}
	}
	for _, s := range settings {
		if iniconf.Sensitive(s.Key) && !plainAddress(s.Key, s.Value) {
			m.learn(s.Value)
		}
	}
}

// anAddress is that of a server, without a user, a password or parameters; the path of
// any other could be a secret, too.
var anAddress = regexp.MustCompile(`^([A-Za-z0-9._-]+:[0-9]+|[a-z][a-z0-9+]*://[A-Za-z0-9._-]+(:[0-9]+)?(/[0-9]*)?|sqlite:///[^?@]*)$`)

// plainAddress reports whether a url, or all of several, may be shown.
func plainAddress(name, value string) bool {
	if name = name[strings.LastIndexByte(name, '.')+1:]; name != "url" && name != "urls" {
		return false
	}
	all := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",; \t\n", r) })
	return len(all) > 0 && !slices.ContainsFunc(all, func(one string) bool { return !anAddress.MatchString(one) })
}

// learnOptions notes the secrets among settings under Beaker's names: there "key" is the
// name of the cookie.
func (m *masker) learnOptions(settings []iniconf.Setting) {
	for _, s := range settings {
		info, known := iniconf.LookupOption(s.Key)
		if (known && info.Secret || !known && iniconf.Sensitive(s.Key)) && !plainAddress(s.Key, s.Value) {
			m.learn(s.Value)
		}
	}
}

// longEnough is how long a secret must be not to be in another text by chance.
const longEnough = 8

// hides reports whether a text has a secret in it.
func (m *masker) hides(text string) bool {
	return !m.off && slices.ContainsFunc(m.secrets, func(s string) bool {
		return len(s) >= longEnough && strings.Contains(text, s)
	})
}

// text takes the secrets out of a text that quotes a value.
func (m *masker) text(text string) string {
	if !m.hides(text) {
		return text
	}
	for _, s := range m.secrets {
		if len(s) < longEnough {
			continue
		}
		text = strings.ReplaceAll(text, s, "(not shown)")
	}
	return text
}

// value returns what may be shown of the value of something: the value itself, or nil
// and words that stand for it.
func (m *masker) value(name string, v any, secret bool) (shown any, instead string) {
	const short = 16 // short enough to be guessed
	if m.off || v == nil {
		return v, ""
	}
	text, isText := v.(string)
	if isText && plainAddress(name, text) {
		secret = false
	}
	switch {
	case isText && (secret && text != "" || m.hides(text) || withPassword(text)):
		if utf8.RuneCountInString(text) < short {
			return nil, "set, short"
		}
		return nil, "set"
	case secret:
		if list, ok := v.([]string); ok {
			return nil, fmt.Sprintf("set, %d of them", len(list))
		}
	}
	return v, ""
}

// withPassword: an address with a user's name and password before the host.
func withPassword(text string) bool {
	_, rest, ok := strings.Cut(text, "://")
	return ok && strings.Contains(rest, "@")
}
