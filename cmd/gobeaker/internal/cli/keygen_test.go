package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// readIni prints the options of an ini file as Python's ConfigParser reads them.
const readIni = `
import json, sys
try:
    from configparser import ConfigParser
except ImportError:
    from ConfigParser import SafeConfigParser as ConfigParser
p = ConfigParser()
p.read(sys.argv[1])
print(json.dumps(dict(p.items("app:main"))))
`

// The keys mean themselves to every ConfigParser, and no two are the same.
func TestKeygenInIniFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.ini")
	text := gobeaker(t, "", "keygen")
	require.NoError(t, os.WriteFile(path, []byte("[app:main]\nuse = egg:App\nbeaker.session.data_dir = /sessions\n"+text), 0o600))
	want := map[string]string{"use": "egg:App", "beaker.session.data_dir": "/sessions"}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(\S+) = (\S+)$`).FindAllStringSubmatch(text, -1) {
		want[m[1]] = m[2]
		require.False(t, seen[m[2]], "a key twice")
		seen[m[2]] = true
	}
	require.Len(t, seen, 3)

	conf, err := iniconf.Load(path, iniconf.LoadOptions{})
	require.NoError(t, err)
	o, warnings, err := conf.Session()
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, want["beaker.session.secret"], o.Secret)
	require.Equal(t, want["beaker.session.validate_key"], o.ValidateKey)
	require.Equal(t, want["beaker.session.encrypt_key"], o.EncryptKey)

	for _, p := range peers.Pythons(t) {
		out, err := exec.CommandContext(t.Context(), p.Exe, "-c", readIni, path).Output()
		require.NoError(t, err, p.Name())
		var got map[string]string
		require.NoError(t, json.Unmarshal(out, &got))
		require.Equal(t, want, got, p.Name())
	}
}
