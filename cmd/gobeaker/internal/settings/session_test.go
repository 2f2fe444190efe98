package settings_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/compat"
)

// options reads the [session] of a gobeaker.toml.
func options(t *testing.T, session string, env map[string]string) (compat.Options, string, error) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"gobeaker.toml": "[session]\n" + session,
		"app.ini":       "[app:main]\nuse = egg:App\nsession.key = fromini\nsession.timeout = 60\nsession.secret = inisecret\nsession.secure = true\n[app:other]\nuse = egg:App\nsession.key = other\n",
		"app2.ini":      "[app:main]\nuse = egg:App\nsession.key = a ; a comment to Python 2\nsession.secret = s\n",
		"secret.txt":    "filesecret\r\nmore\n",
		"empty.txt":     "\n",
	}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	c, err := settings.Load(filepath.Join(dir, "gobeaker.toml"))
	if err != nil {
		return compat.Options{}, dir, err
	}
	e, err := c.Effective(func(k string) string { return env[k] })
	return e.Options, dir, err
}

func TestSessionOptions(t *testing.T) {
	for name, c := range map[string]struct {
		toml string
		env  map[string]string
		want func(*compat.Options, string)
	}{
		"nothing": {"", nil, func(*compat.Options, string) {}},
		"Beaker's": {`
type = "file"
data_dir = "data"
lock_dir = "/locks"
key = "sid"
secret = "s"
old_secrets = ["o"]
cookie_domain = ".example.com"
cookie_path = "/app"
secure = true
httponly = true
samesite = ""
auto = true
save_accessed_time = false
invalidate_corrupt = false
use_cookies = false
data_serializer = "json"
validate_key = "v"
encrypt_key = "e"
encrypt_nonce_bits = 48
crypto_type = "nss"
url = "u"
`, nil, func(o *compat.Options, dir string) {
			o.Type, o.DataDir, o.LockDir = "file", filepath.Join(dir, "data"), "/locks"
			o.Key, o.Secret, o.OldSecrets = "sid", "s", []string{"o"}
			o.CookieDomain, o.CookiePath, o.SameSite = ".example.com", "/app", ""
			o.Secure, o.HTTPOnly, o.Auto = true, true, true
			o.SaveAccessedTime, o.InvalidateCorrupt, o.UseCookies = false, false, false
			o.DataSerializer, o.ValidateKey, o.EncryptKey = "json", "v", "e"
			o.EncryptNonceBits, o.CryptoType, o.URL = 48, "nss", "u"
		}},
		"gobeaker's": {`
peer = "beaker-1.11/python2"
write = "replace"
delete_records = false
touch_interval = "30s"
adopt_unknown_ids = true
lenient_cookies = true
accept_plaintext = true
secret = "s"
old_secrets = ["s1", "s2"]
validate_key = "v"
old_validate_keys = ["v1"]
encrypt_key = "e"
old_encrypt_keys = ["e1"]
`, nil, func(o *compat.Options, _ string) {
			o.Secret, o.OldSecrets, o.ValidateKey, o.OldValidateKeys = "s", []string{"s1", "s2"}, "v", []string{"v1"}
			o.EncryptKey, o.OldEncryptKeys, o.AcceptPlaintext = "e", []string{"e1"}, true
			o.Peer = compat.Peer{Major: 1, Minor: 11, Python: 2}
			o.Write, o.DeleteRecords, o.TouchInterval = compat.WriteReplace, false, 30*time.Second
			o.AdoptUnknownIDs, o.LenientCookies = true, true
		}},
		"of the back end": {"type = \"ext:database\"\nurl = \"sqlite:///s.db\"\n[session.extra]\ntable_name = \"t\"\nsa.pool_size = 5\nsa.echo = true", nil, func(o *compat.Options, _ string) {
			o.Type, o.URL = "ext:database", "sqlite:///s.db"
			o.Extra = map[string]string{"table_name": "t", "sa.pool_size": "5", "sa.echo": "true"}
		}},
		"merge":       {`write = "merge"`, nil, func(*compat.Options, string) {}},
		"timeout":     {"timeout = 300", nil, func(o *compat.Options, _ string) { o.Timeout = 5 * time.Minute }},
		"no timeout":  {"timeout = false", nil, func(*compat.Options, string) {}},
		"never":       {"cookie_expires = false", nil, func(o *compat.Options, _ string) { o.CookieExpires.Mode = compat.ExpiresNever }},
		"the browser": {"cookie_expires = true", nil, func(*compat.Options, string) {}},
		"seconds": {"cookie_expires = 300", nil, func(o *compat.Options, _ string) {
			o.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: 5 * time.Minute}
		}},
		"secret_file":          {`secret_file = "secret.txt"`, nil, func(o *compat.Options, _ string) { o.Secret = "filesecret" }},
		"secret_env":           {`secret_env = "S"`, map[string]string{"S": "envsecret"}, func(o *compat.Options, _ string) { o.Secret = "envsecret" }},
		"the environment wins": {`secret = "s"`, map[string]string{"GOBEAKER_SECRET": "e"}, func(o *compat.Options, _ string) { o.Secret = "e" }},
		"an ini as the base": {"ini = \"app.ini\"\nsecure = false\ntimeout = 5", nil, func(o *compat.Options, _ string) {
			o.Key, o.Secret, o.Timeout = "fromini", "inisecret", 5*time.Second
		}},
		"its dialect":     {"ini = \"app2.ini\"\nini_dialect = \"python2\"", nil, func(o *compat.Options, _ string) { o.Key, o.Secret = "a", "s" }},
		"its application": {"ini = \"app.ini#other\"", nil, func(o *compat.Options, _ string) { o.Key = "other" }},
	} {
		t.Run(name, func(t *testing.T) {
			got, dir, err := options(t, c.toml, c.env)
			require.NoError(t, err)
			want := compat.Defaults()
			c.want(&want, dir)
			if len(got.Extra) == 0 {
				got.Extra = nil
			}
			require.Equal(t, want, got)
		})
	}
}

func TestSessionDate(t *testing.T) {
	got, _, err := options(t, "cookie_expires = 2030-01-02T03:04:05Z", nil)
	require.NoError(t, err)
	require.Equal(t, compat.ExpiresAt, got.CookieExpires.Mode)
	require.True(t, got.CookieExpires.At.Equal(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)))
}

func TestIDPattern(t *testing.T) {
	got, _, err := options(t, `id_pattern = "[a-z.]+"`, nil)
	require.NoError(t, err)
	require.True(t, got.IDs.Valid("a.b"))
	require.False(t, got.IDs.Valid("A"))
}

func TestSessionOptionErrors(t *testing.T) {
	for toml, want := range map[string]string{
		`timeout = -1`:                            "whole seconds",
		`timeout = true`:                          "whole seconds",
		`timeout = "60"`:                          "whole seconds",
		`cookie_expires = -300`:                   "cookie_expires",
		`cookie_expires = "never"`:                "cookie_expires",
		`peer = "beaker"`:                         "peer",
		`write = "both"`:                          "merge",
		`id_pattern = "("`:                        "id",
		`secret_file = "nowhere.txt"`:             "secret_file: ",
		`secret_file = "empty.txt"`:               "first line is empty",
		`secret_env = "NOT_THERE"`:                "NOT_THERE",
		"secret = \"a\"\nsecret_env = \"B\"":      "one of",
		`ini = "nowhere.ini"`:                     "nowhere.ini",
		"ini = \"app.ini\"\nini_dialect = \"py\"": "use auto, python2, python3",
		`ini = "app.ini#nothing"`:                 "nothing",
		`touch_interval = "often"`:                "10s or 2m",
		`touch_interval = "-1s"`:                  "10s or 2m",
		"[session.extra]\nx = [1]":                "gobeaker.toml:3: extra.x: give text",
		"[session.extra]\nurl = \"hidden\"":       "extra.url: it stands in [session] itself",
		"secret = \"hidden\"\nsecrets = \"x\"":    `did you mean "secret"`,
	} {
		t.Run(want, func(t *testing.T) {
			_, _, err := options(t, toml, nil)
			require.ErrorIs(t, err, settings.ErrConfig)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "hidden")
		})
	}
	_, err := settings.Configured("a.ini", "b.toml", os.Getenv)
	require.ErrorIs(t, err, settings.ErrConfig)
}

// The commands that have flags for keys see what is configured beside the variables.
func TestConfigured(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gobeaker.toml")
	require.NoError(t, os.WriteFile(path, []byte("[session]\nsecret = 's'\nvalidate_key_env = 'V'\nurl = 'u'\n"), 0o600))
	env := func(name string) string {
		return map[string]string{"GOBEAKER_SECRET": "gs", "V": "v", "GOBEAKER_ENCRYPT_KEY": "ge", "GOBEAKER_URL": "gu"}[name]
	}
	c, err := settings.Load(path)
	require.NoError(t, err)
	above, err := c.Effective(env)
	require.NoError(t, err)
	require.Equal(t, "gs v ge gu", above.Options.Secret+" "+above.Options.ValidateKey+" "+above.Options.EncryptKey+" "+above.Options.URL)
	require.Equal(t, "environment GOBEAKER_SECRET", above.Origins["secret"].String())
	alone, err := settings.Configured("", path, env)
	require.NoError(t, err)
	require.Equal(t, "s v  u", alone.Options.Secret+" "+alone.Options.ValidateKey+" "+alone.Options.EncryptKey+" "+alone.Options.URL)
	require.Equal(t, path+":2", alone.Origins["secret"].String())

	e, err := settings.Configured("", filepath.Join(dir, "gone.toml"), env)
	require.ErrorIs(t, err, settings.ErrConfig)
	require.Equal(t, []string{filepath.Join(dir, "gone.toml")}, e.Files, "to be watched")
	e, err = settings.Configured(filepath.Join(dir, "gone.ini"), "", env)
	require.ErrorIs(t, err, settings.ErrConfig)
	require.Equal(t, []string{filepath.Join(dir, "gone.ini")}, e.Files)
	e, err = settings.Configured("a.ini", "b.toml", env)
	require.ErrorIs(t, err, settings.ErrConfig)
	require.NotNil(t, e)
}
