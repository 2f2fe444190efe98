package tomlconf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// FuzzLoad: whatever the file is, there is no panic, and the result is there. What
// loads is the same after it was listed and written again, and compat takes it or
// says why not.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"[session]\nkey = 'a'\nsecret = 's'\ntimeout = 60\ncookie_expires = 2030-01-02T03:04:05\n",
		"[session]\ncookie_expires = 2030-01-02T03:04:05.5+02:00\ntouch_interval = '90m'\nold_secrets = ['a', 'b']\n",
		"[session]\ncookie_expires = 2030-01-02\nwrite = 'replace'\npeer = 'ckan-2.9'\nid_pattern = '[a-z]{3}'\n",
		"[session]\ntype = 'cookie'\nvalidate_key = 'v'\nencrypt_key = 'e'\ncrypto_type = 'nss'\nencrypt_nonce_bits = 7\n",
		"[session]\nini = 'app.ini'\nini_global = { a = 'b' }\nstrict_beaker = true\nframework = 'ckan'\n[session.extra]\nsa.echo = true\n\"\" = 'x'\n",
		"session = { timeout = false, secret_file = 'app.ini', table_name = 'x', optimistic = true }",
		"[session]\ndata_dir = 'x'\nsecret_env = 'HOME'\nold_secret_files = ['app.ini']\n[[route]]\nx = 1",
	} {
		f.Add(text)
	}
	dir := folder(f, map[string]string{"app.ini": included})
	path := filepath.Join(dir, "gobeaker.toml")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "..") || strings.ContainsRune(text, '/') {
			t.Skip("no files of the machine")
		}
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		e, err := tomlconf.Load(path, tomlconf.Environment{})
		require.NotNil(t, e)
		require.Equal(t, path, e.Files[0])
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "tomlconf: "+path), "%v", err)
			return
		}
		again, err := reload(t, filepath.Join(dir, "again.toml"), e)
		require.NoError(t, err)
		requireSame(t, e.Options, again.Options)
		if _, err := compat.New(e.Options, &memstore.Store{}, compat.Environment{}); err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "compat: "), "%v", err)
		}
	})
}

// reload writes the options as a gobeaker.toml of their own and loads that.
func reload(t *testing.T, path string, e *iniconf.Effective) (*iniconf.Effective, error) {
	require.NoError(t, os.WriteFile(path, []byte(inTOML(t, listed(e))), 0o600))
	return tomlconf.Load(path, tomlconf.Environment{})
}

// requireSame compares options. A timeout or interval that is not set is negative, and
// a time may come back in another form of the same zone.
func requireSame(t *testing.T, want, got compat.Options) {
	require.WithinDuration(t, want.CookieExpires.At, got.CookieExpires.At, 0)
	require.Equal(t, want.CookieExpires.At.Format(time.RFC3339Nano), got.CookieExpires.At.Format(time.RFC3339Nano))
	want.CookieExpires.At, got.CookieExpires.At = time.Time{}, time.Time{}
	require.Equal(t, want.IDs.String(), got.IDs.String())
	want.IDs = got.IDs
	if len(want.Extra) == 0 {
		want.Extra = got.Extra
		require.Empty(t, got.Extra)
	}
	require.Equal(t, want, got)
}

// FuzzNoSecretInErrors puts a secret into a line that may be wrong in any way.
func FuzzNoSecretInErrors(f *testing.F) {
	const marker = "hunter2hunter2"
	for _, around := range [][2]string{
		{"", ""}, {"'", "'"}, {"'", ""}, {"\"", "\\q\""}, {"\"\"\"", ""}, {"[5, '", "']"}, {"['", "'"}, {"{'", "' = 1}"}, {"{a = '", "'}"},
		{"1979-", ""}, {"0x", ""}, {"'", "' x"}, {"'a'", ""}, {"'", "'\x00"}, {"\"\\u", "\""}, {"1e", "."},
	} {
		for i := range secretKeys {
			f.Add(uint8(i), around[0], around[1])
		}
	}
	path := filepath.Join(f.TempDir(), "gobeaker.toml")
	f.Fuzz(func(t *testing.T, which uint8, before, after string) {
		if strings.ContainsAny(before+after, "\n\r") {
			t.Skip("what is on another line may be a key")
		}
		key := secretKeys[int(which)%len(secretKeys)]
		text := "[session]\n" + key + " = " + before + marker + after + "\n"
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		if _, err := tomlconf.Load(path, tomlconf.Environment{}); err != nil {
			require.NotContains(t, err.Error(), marker)
		}
	})
}

var secretKeys = []string{"secret", "validate_key", "encrypt_key", "url", "urls", "old_secrets", "old_validate_keys", "old_encrypt_keys", "secrets", "extra.password", "secret_env"}
