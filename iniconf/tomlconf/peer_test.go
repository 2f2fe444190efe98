package tomlconf

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/iniconf"
)

// TestPeerDecidesDialect: a peer on Python 2 reads the ini as Python 2 does.
func TestPeerDecidesDialect(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.ini"), []byte("[app:main]\nuse = egg:x\nsession.secret = s ; mine\nsession.timeout = 60 ; seconds\n"), 0o600))
	file := filepath.Join(dir, "gobeaker.toml")
	for lines, want := range map[string]string{
		`peer = "beaker-1.11/python2"`:                          "",
		`peer = "pylons-1.0"`:                                   "",
		`ini_dialect = "python2"`:                               "",
		`ini_dialect = "auto"`:                                  "Python 2 takes it",
		`peer = "beaker-1.11"`:                                  "Python 2 takes it",
		`peer = "beaker-1.11/python3"`:                          "Python 2 takes it",
		"ini_dialect = 'python3'\npeer = 'beaker-1.11/python2'": "Session timeout must be an integer",
	} {
		require.NoError(t, os.WriteFile(file, []byte("[session]\nini = 'a.ini'\n"+lines+"\n"), 0o600))
		e, err := Load(file, Environment{})
		if want != "" {
			require.ErrorContains(t, err, want, lines)
			continue
		}
		require.NoError(t, err, lines)
		require.Equal(t, iniconf.Python2, e.Config.Dialect(), lines)
		require.Equal(t, "s", e.Options.Secret, lines)
		require.Equal(t, time.Minute, e.Options.Timeout, lines)
	}
}

func TestReadSecretRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for text, want := range map[string]string{
		"hunter2 hunter2\r\nmore": "",
		"h\u00e9":                 "",
		"\ufeffhunter2":           "",
		"   \n":                   "begins or ends with a blank",
		"hunter2 \n":              "begins or ends with a blank",
		"\thunter2":               "begins or ends with a blank",
		"hunter2\rmore":           "not plain text in UTF-8",
		"hun\x00ter2":             "not plain text in UTF-8",
		"\xff\xfeh\x00u\x00":      "not plain text in UTF-8",
		"h\xe9":                   "not plain text in UTF-8",
		"":                        "is empty",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := ReadSecret(file)
		if want == "" {
			require.NoError(t, err, "%q", text)
			continue
		}
		require.ErrorContains(t, err, want, "%q", text)
	}
}

// TestMisplacedSecrets: what stands for a name may be the secret itself.
func TestMisplacedSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gobeaker.toml")
	for _, lines := range []string{`secret_file = "HUNTER2/x.y"`, `old_secret_files = ["HUNTER2"]`, `secret_env = "HUNTER2SECRET"`, `secret_env = "hunter2_SECRET"`} {
		require.NoError(t, os.WriteFile(file, []byte("[session]\n"+lines+"\n"), 0o600))
		_, err := Load(file, Environment{})
		require.ErrorContains(t, err, "gobeaker.toml:2: ", lines)
		require.NotRegexp(t, "(?i)hunter2", err.Error())
	}
}
