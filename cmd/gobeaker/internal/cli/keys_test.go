package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
)

// All keys are tried, each once: those of the flags, of the environment, and what is
// configured, in that order.
func TestKeys(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	flag := file("flag", "\ufeffof the flag\n")
	config := file("gobeaker.toml", "[session]\nsecret = 'configured'\nold_secrets = ['older', 'of the environment']\nencrypt_key_env = 'E'\n")
	env := func(name string) string {
		return map[string]string{"GOBEAKER_SECRET": "of the environment", "GOBEAKER_URL": "elsewhere", "E": "e"}[name]
	}
	k := keyFlags{secret: []string{flag}, config: config}
	o, keys, err := k.load(env)
	require.NoError(t, err)
	require.Empty(t, o.URL, "whose variable that is depends on the command")
	require.Equal(t, inspect.Keys{
		Secrets: []inspect.Key{
			{Name: "secret", From: flag, Key: "of the flag"},
			{Name: "secret", From: "GOBEAKER_SECRET", Key: "of the environment"},
			{Name: "secret", From: config, Key: "configured"},
			{Name: "secret", From: "an older one in " + config, Key: "older"},
		},
		Encrypt: []inspect.Key{{Name: "encrypt_key", Key: "e"}},
	}, keys)

	k.secret = []string{filepath.Join(dir, "gone")}
	_, _, err = k.load(env)
	require.ErrorContains(t, err, "secret file")
	k = keyFlags{config: file("bad.toml", "[session]\nsecrets = 'x'\n")}
	_, _, err = k.load(env)
	require.ErrorContains(t, err, "bad.toml:2: unknown key")
	k = keyFlags{ini: filepath.Join(dir, "gone.ini") + "#app"}
	_, _, err = k.load(env)
	require.ErrorContains(t, err, "it cannot be read")
}
