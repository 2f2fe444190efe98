package server_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Files with secrets that others could read are named once, and their contents never.
func TestExposedFiles(t *testing.T) {
	const warning = "other users of this machine can read or change a secret"
	toml := pageRoute + "[session]\ntype = \"memory\"\nsecret_file = \"secret\"\nold_secret_files = [\"older\"]\n" +
		"[admin]\nlisten = \"127.0.0.1:0\"\ntoken_files = [\"ann\"]\n[assertion]\nissuer = \"https://a.example.org\"\nkey_files = [\"key.pem\"]\n"
	for name, c := range map[string]struct {
		modes map[string]os.FileMode
		want  []string
	}{
		"their owner's":       {nil, nil},
		"read by the group":   {map[string]os.FileMode{"secret": 0o640, "ann": 0o440}, nil},
		"read by everybody":   {map[string]os.FileMode{"secret": 0o644, "older": 0o604}, []string{"session.secret_file", "session.old_secret_files"}},
		"written by a group":  {map[string]os.FileMode{"ann": 0o660}, []string{"admin.token_files"}},
		"of those that sign":  {map[string]os.FileMode{"key.pem": 0o644}, []string{"assertion.key_files"}},
		"written, never read": {map[string]os.FileMode{"ann": 0o602}, []string{"admin.token_files"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"secret": "the-first-secret", "older": "the-older-secret", "ann": apiToken + "\n", "key.pem": signingKey(t)}
			config := write(t, toml, files)
			for file, mode := range c.modes {
				require.NoError(t, os.Chmod(config.Relative("", file), mode))
			}
			r := start(t, config, nil)
			r.end(t)
			log := r.log.String()
			require.Equal(t, len(c.want), strings.Count(log, warning), log)
			for _, option := range c.want {
				require.Contains(t, log, "option="+option+" file="+config.Relative("", ""), option)
			}
			for _, text := range files {
				require.NotContains(t, log, strings.TrimSpace(text))
			}
		})
	}
}
