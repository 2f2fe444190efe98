package iniconf

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// secretWords are parts of the names of settings that hold keys or passwords.
var secretWords = [...]string{"secret", "pass", "pwd", "token", "credential", "url", "uri", "dsn", "salt", "private", "signature",
	"hmac", "fernet", "instance_uuid", "connect_args"}

// secretTokens are such names, or words of them, that are short enough to be in others.
var secretTokens = []string{"pw", "pin", "auth", "seed"}

// sensitive reports whether the value of a setting may be a key or a password,
// so that no message may show it. It is deliberately generous.
func sensitive(key string) bool {
	k := strings.ToLower(key)
	name, _, prefixed := bareName(k)
	if prefixed {
		if info, known := LookupOption(name); known {
			return info.Secret
		}
	}
	for _, word := range secretWords {
		if strings.Contains(k, word) {
			return true
		}
	}
	words := strings.FieldsFunc(k, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, word := range words {
		if slices.Contains(secretTokens, word) || strings.HasSuffix(word, "pw") {
			return true
		}
	}
	if strings.HasSuffix(k, "key") || strings.Contains(k, "_key") || strings.Contains(k, "key_") {
		return true
	}
	return misspeltSecret(k[strings.LastIndexByte(k, '.')+1:])
}

// misspeltSecret reports whether a name is nearly that of a secret.
func misspeltSecret(name string) bool {
	_, known := LookupOption(name)
	return !known && Nearest(name, []string{"secret", "validate_key", "encrypt_key", "password"}) != ""
}

// shortestSecret is the number of bytes from which on a secret is looked for in other texts.
const shortestSecret = 6

// secretsIn are the values of the settings that may be keys or passwords: by
// interpolation, they may be in others too. What is shorter could be any word.
func secretsIn(conf *table) (values []string) {
	for _, set := range conf.items {
		if sensitive(set.Key) && len(set.Value) >= shortestSecret {
			values = append(values, set.Value)
		}
	}
	return values
}

func (s *sessionSettings) hides(value string) bool {
	return slices.ContainsFunc(s.secrets, func(secret string) bool { return strings.Contains(value, secret) })
}

// shown is the function of this name, for a value of these settings.
func (s *sessionSettings) shown(key, value string) string {
	if s.hides(value) {
		return "(not shown)"
	}
	return shown(key, value)
}

// clip is the function of this name, for a value of these settings.
func (s *sessionSettings) clip(value string) string {
	if s.hides(value) {
		return "(not shown)"
	}
	return clip(value)
}

// withoutSecrets takes the secrets of the files out of a message: by interpolation, one
// may be where a name is meant.
func (src *source) withoutSecrets(msg string) string {
	if src.seen != len(src.docs) {
		src.seen, src.hidden = len(src.docs), nil
		for _, doc := range src.docs {
			for _, sec := range append(slices.Clone(doc.sections), doc.defaults) {
				src.hide(sec.opts)
			}
		}
		if src.global != nil {
			src.hide(src.global)
		}
	}
	for _, secret := range src.hidden {
		msg = strings.ReplaceAll(msg, secret, "(not shown)")
	}
	return msg
}

// hide notes secrets in the forms that messages give them: shortened, in quotes, or one
// part of "config:…" or "…#name".
func (src *source) hide(conf *table) {
	for _, value := range secretsIn(conf) {
		value = strings.ReplaceAll(value, "%%", "%")
		quoted := strconv.Quote(value)
		forms := append(strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(":#/", r) }),
			value, quoted[1:len(quoted)-1], strings.TrimSuffix(clip(value), "…"))
		for _, form := range forms {
			if len(form) >= shortestSecret && !strings.Contains(form, "%(") {
				src.hidden = append(src.hidden, form)
			}
		}
	}
	slices.SortFunc(src.hidden, func(a, b string) int { return len(b) - len(a) }) // the whole before its parts
}
