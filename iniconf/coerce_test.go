package iniconf

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
)

// coerced reads lines of an application's section.
func coerced(t *testing.T, lines string, o LoadOptions) (*Effective, error) {
	t.Helper()
	c, err := Load(writeFile(t, "[app:main]\nuse = egg:x\n"+lines+"\n"), o)
	require.NoError(t, err)
	return c.Effective()
}

func release(t *testing.T, text string) compat.Release {
	t.Helper()
	if text == "" {
		return compat.Release{}
	}
	p, err := compat.ParsePeer("beaker-" + text)
	require.NoError(t, err)
	return p.Release()
}

// notes are the warnings about an option.
func notes(e *Effective, option string) string {
	var all []string
	for _, w := range e.Warnings {
		if w.Option == option {
			all = append(all, w.String())
		}
	}
	return strings.Join(all, "\n")
}

// TestReleases: what a Beaker does not know yet has no effect.
func TestReleases(t *testing.T) {
	for _, c := range []struct {
		beaker, lines string
		option        string
		want          any
		note          string
	}{
		{"", "session.samesite = Strict", "samesite", "Strict", ""},
		{"1.10.1", "session.samesite = Strict", "samesite", "Strict", ""},
		{"1.9.1", "session.samesite = Strict", "samesite", "", "works from 1.10.0 on"},
		{"1.9.1", "", "samesite", "", ""},
		{"1.10.0", "session.samesite = Strict", "samesite", "Strict", ""},
		{"1.10.0", "session.samesite = Strict\nsession.type = cookie", "samesite", "", ""},
		{"1.5.4", "session.httponly = true", "httponly", false, "works from 1.6.0 on"},
		{"1.5.4", "session.httponly = maybe", "httponly", false, "works from 1.6.0 on"},
		{"1.6.3", "session.cookie_path = /a", "cookie_path", "/", "works from 1.6.4 on"},
		{"1.6.4", "session.cookie_path = /a", "cookie_path", "/a", ""},
		{"1.7", "session.encrypt_nonce_bits = x", "encrypt_nonce_bits", int64(48), "works from 1.8.0 on"},
		{"1.7", "session.data_serializer = json", "data_serializer", "pickle", "works from 1.8.0 on"},
		{"1.8.0", "session.data_serializer = yaml", "data_serializer", "pickle", "takes everything but json for pickle"},
		{"1.8.0", "session.timeout = 5\nsession.save_accessed_time = no", "save_accessed_time", true, "works from 1.8.1 on"},
		{"1.8.1", "session.crypto_type = nss", "crypto_type", "default", "works from 1.9.0 on"},
		{"1.9.1", "session.crypto_type = nss", "crypto_type", "nss", ""},
		{"1.14", "session.crypto_type = pycryptodome", "crypto_type", "pycryptodome", ""},
		{"", "session.crypto_type = nss", "crypto_type", "nss", ""},
		{"1.5.4", "session.timeout = -5", "timeout", int64(0), "timed out when it is next used"},
		{"1.5.4", "session.timeout = - 5", "timeout", int64(0), "timed out"},
		{"1.5.4", "session.timeout = +300", "timeout", int64(300), ""},
		{"1.3", "session.secret =", "secret", nil, ""},
		{"1.6", "session.timeout = 99999999999999999999", "timeout", int64(9223372036), ""},
		{"", "session.samesite =", "samesite", "", "no SameSite attribute"},
	} {
		e, err := coerced(t, c.lines, LoadOptions{Dialect: Python2, Framework: PlainBeaker, Beaker: release(t, c.beaker)})
		require.NoError(t, err, "%s: %s", c.beaker, c.lines)
		i := slices.IndexFunc(e.List(), func(o Option) bool { return o.Name == c.option })
		require.Equal(t, c.want, e.List()[i].Value, "%s: %s", c.beaker, c.lines)
		if c.note == "" {
			require.NotContains(t, notes(e, c.option), "works from", "%s: %s", c.beaker, c.lines)
		} else {
			require.Contains(t, notes(e, c.option), c.note, "%s: %s", c.beaker, c.lines)
		}
	}
}

// TestReleaseRefusals: each Beaker has its own texts.
func TestReleaseRefusals(t *testing.T) {
	for _, c := range []struct{ beaker, lines, want string }{
		{"", "session.validate_key =", "Empty strings are invalid for: Session validate_key must be a string."},
		{"1.12", "session.validate_key =", "Empty strings are invalid for: Session encrypt_key must be a string."},
		{"1.12", "session.encrypt_key =", "Empty strings are invalid for: Session validate_key must be a string."},
		{"1.5.4", "session.cookie_expires = 300", "Cookie expires was not a boolean, datetime, or timedelta instance."},
		{"1.6", "session.cookie_expires = never", "Cookie expires was not a boolean, datetime, int, or timedelta instance."},
		{"1.6", "session.timeout = -5", "Session timeout must be an integer."},
		{"1.6", "session.use_cookies = true", "multiple values"},
		{"", "session.use_cookies =", "KeyError: 'set_cookie'"},
		{"1.8.1", "session.data_serializer = yaml", "Invalid value for data_serializer: yaml"},
		{"1.14", "session.crypto_type = nss", "No crypto backend with name 'nss' is registered. (write one of default, pycryptodome"},
		{"", "session.session_class = a.b", "must be a class"},
		{"", "session.namespace_class = a.b", "not callable"},
		{"", "session.digest_filenames = true", "multiple values"},
		{"", "session.key = a b", "Illegal key value: a b"},
		{"", "session.encrypt_nonce_bits = 50\nsession.timeout = x", "Session timeout must be an integer."},
		{"1.11", "session.secret = gehe\u00edm", "'ascii' codec"},
	} {
		_, err := coerced(t, c.lines, LoadOptions{Dialect: Python2, Framework: PlainBeaker, Beaker: release(t, c.beaker)})
		require.ErrorContains(t, err, c.want, "%s: %s", c.beaker, c.lines)
		require.ErrorContains(t, err, "main.ini:", c.lines)
		require.NotContains(t, err.Error(), "gehe")
	}
}

// TestStrays: settings that are nearly Beaker's, which Beaker does not see.
func TestStrays(t *testing.T) {
	for key, want := range map[string]string{
		"beaker.sesion.key":          "beaker.session.key",
		"beaker_session.key":         "beaker.session.key",
		"beaker.session_key":         "beaker.session.key",
		"becker.session.secret":      "beaker.session.secret",
		"beaker.session-timeout":     "beaker.session.timeout",
		"sesion.type":                "session.type",
		"sessoin.type":               "session.type",
		"sessions.cookie_expires":    "session.cookie_expires",
		"Session.secret":             "session.secret",
		"beaker.sesion.seecret":      "beaker.session.secret",
		"version.type":               "",
		"cache.type":                 "",
		"beaker.cache.type":          "",
		"beaker.cache.data_dir":      "",
		"key":                        "",
		"permission.key":             "",
		"session.type":               "",
		"sqlalchemy.url":             "",
		strings.Repeat("s.", 60):     "",
		"beaker.session.session.key": "",
	} {
		s := &sessionSettings{opts: newTable(), written: map[string]string{}}
		conf := newTable()
		conf.set(Setting{Key: key, Value: "hidden"})
		s.collect(conf, Python3)
		if want == "" {
			require.Empty(t, s.warnings, key)
			continue
		}
		require.Len(t, s.warnings, 1, key)
		require.Contains(t, s.warnings[0].Msg, "did you mean "+want+"?")
		require.NotContains(t, s.warnings[0].String(), "hidden")
		require.False(t, s.opts.has("key"), "what Beaker does not see has no effect")
	}
}

func TestMeant(t *testing.T) {
	for name, want := range map[string]string{
		"session.key": "key", "sessoin.key": "key", "beaker.session.secret": "secret", "Timeout": "timeout", "cookie-expires": "cookie_expires",
		"tmeout": "timeout", "factory": "", "x": "", "cookie_expire": "cookie_expires", strings.Repeat("x", 100): "",
	} {
		require.Equal(t, want, meant(name), name)
	}
}

// TestSurprises: what Beaker takes and hardly anybody means.
func TestSurprises(t *testing.T) {
	for _, c := range []struct{ lines, option, want string }{
		{"session.cookie_expires = 0", "cookie_expires", "stays until 2038"},
		{"session.cookie_expires = 1", "cookie_expires", "ends with the browser"},
		{"session.invalidate_corrupt = false", "invalidate_corrupt", "is true"},
		{"session.secret = None", "secret", "text None"},
		{"session.encrypt_key = none\nsession.validate_key = x", "encrypt_key", "takes this word as it stands"},
		{"session.samesite = None", "samesite", "set secure = true"},
		{"session.samesite = None\nsession.secure = true", "samesite", ""},
		{"session.samesite = sometimes", "samesite", "browsers know Lax, Strict and None only"},
		{"session.timeout = 0", "timeout", "timed out when it is next used"},
		{"session.timeout = 600\nsession.cookie_expires = 300", "timeout", "longer than cookie_expires: the browser forgets the cookie 300 seconds after"},
		{"session.timeout = 300\nsession.cookie_expires = 300", "cookie_expires", "logged out 300 seconds later"},
		{"session.type = cookie\nsession.validate_key = x\nsession.timeout = 300\nsession.cookie_expires = 300", "cookie_expires", ""},
		{"session.type = cookie\nsession.validate_key = x\nsession.timeout = 301\nsession.cookie_expires = 300", "timeout", "never comes to bear"},
		{"session.peer = beaker-1.6", "peer", "gobeaker's own"},
		{"session.secert = sid", "secert", "did you mean secret?"},
	} {
		e, err := coerced(t, c.lines, LoadOptions{})
		require.NoError(t, err, c.lines)
		if c.want == "" {
			require.Empty(t, notes(e, c.option), c.lines)
			continue
		}
		require.Contains(t, notes(e, c.option), c.want, c.lines)
	}
}

// TestDigits: each decimal digit of Unicode has its value.
func TestDigits(t *testing.T) {
	for _, zero := range []rune{'0', '٠', '०', '０', '𝟘', '𝟶', '෦'} {
		for i := range 10 {
			n, ok := Python3.digit(zero + rune(i))
			require.True(t, ok)
			require.Equal(t, i, n)
		}
	}
	require.Equal(t, 292*365*24*time.Hour, seconds(1<<62).Truncate(365*24*time.Hour))
}
