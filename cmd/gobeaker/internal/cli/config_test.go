package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// configure runs "gobeaker config".
func configure(getenv func(string) string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	code = cli.Main(append([]string{"config"}, args...), cli.Environment{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Getenv: getenv,
	})
	return code, out.String(), errs.String()
}

// configGenerator writes inis that Beaker takes.
type configGenerator struct{ *rand.Rand }

func (g configGenerator) pick(from ...string) string { return from[g.IntN(len(from))] }

// settings are likely ones, and some that nobody should write.
func (g configGenerator) settings() map[string]string {
	all := map[string]string{
		"type": g.pick("file", "memory", "dbm", "ext:memcached", "ext:database"), "data_dir": g.pick("/srv/data", "data", "/a b/é", "%(here)s/d"),
		"lock_dir": g.pick("/srv/locks", "locks"), "file_dir": "/srv/files", "dbm_dir": g.pick("/srv/dbm", "dbm"),
		"cookie_expires": g.pick("true", "false", "300", "0", "1", "99999999999"), "cookie_domain": g.pick(".example.org", "None", "é"),
		"cookie_path": g.pick("/", "/shop", `/a"b\c`), "key": g.pick("sid", "beaker.session.id"),
		"secret": g.pick("s3cret-s3cret", "50%%", "None", "é-é-é-é-é", `a"b\c'd e f`), "validate_key": "validate-validate", "encrypt_key": "encrypt-encrypt",
		"encrypt_nonce_bits": g.pick("128", "48"), "secure": g.pick("true", "no"), "httponly": g.pick("on", "F"), "timeout": g.pick("0", "3600", "99999999999"),
		"auto": g.pick("yes", "off"), "data_serializer": g.pick("json", "pickle"), "crypto_type": g.pick("default", "cryptography"),
		"samesite": g.pick("Lax", "None", "Strict", "", "odd\x01"), "invalidate_corrupt": g.pick("true", "false", "False", ""), "use_cookies": g.pick("true", "false"),
		"url": g.pick("127.0.0.1:11211", "redis://user:pass-word@h/0"), "table_name": g.pick("t", "", "true"), "optimistic": "true", "id": "x",
		"sa.pool_size": "5", "sa.url": "sqlite:///private", "behavior.ketama": "1", "unheard of": "x", "é": "é", "urls": "a:1,b:2", "tg_avoid_touch": "true",
	}
	maps.DeleteFunc(all, func(string, string) bool { return g.IntN(3) > 0 })
	return all
}

func (g configGenerator) ini() string {
	var b strings.Builder
	if g.IntN(4) == 0 {
		b.WriteString("[DEFAULT]\ncache_dir = /var/cache\n")
	}
	b.WriteString("[app:main]\nuse = egg:x\n")
	prefix := g.pick("session.", "beaker.session.")
	for name, value := range g.settings() {
		b.WriteString(prefix + name + " = " + value + "\n")
	}
	return b.String()
}

// TestConfigTOMLRoundTrip: the gobeaker.toml that is written has the same effect as the
// ini, with its secrets in it or in the environment.
func TestConfigTOMLRoundTrip(t *testing.T) {
	dir := t.TempDir()
	ini, toml := filepath.Join(dir, "app.ini"), filepath.Join(dir, "other", "gobeaker.toml")
	require.NoError(t, os.Mkdir(filepath.Dir(toml), 0o700))
	n := 400
	if testing.Short() {
		n = 80
	}
	tested := 0
	for seed := range n {
		g := configGenerator{rand.New(rand.NewPCG(uint64(seed), 3))}
		require.NoError(t, os.WriteFile(ini, []byte(g.ini()), 0o600))
		load := iniconf.LoadOptions{Framework: []iniconf.Framework{iniconf.GuessFramework, iniconf.PlainBeaker, iniconf.Pylons, iniconf.Pyramid, iniconf.TurboGears}[g.IntN(5)]}
		args := []string{ini, "--toml", "--framework", load.Framework.String()}
		if g.IntN(2) == 0 {
			peer, err := compat.ParsePeer(g.pick("beaker-1.5", "beaker-1.6", "beaker-1.8", "beaker-1.9", "beaker-1.10.0", "beaker-1.13"))
			require.NoError(t, err)
			load.Beaker = peer.Release()
			args = append(args, "--peer", peer.String())
		}
		c, err := iniconf.Load(ini, load)
		require.NoError(t, err)
		want, err := c.Effective()
		code, out, errs := configure(nil, append(args, "--show-secrets")...)
		if err != nil {
			require.Equal(t, 2, code)
			require.Contains(t, errs, "app.ini:")
			continue
		}
		tested++
		require.Zero(t, code, errs)
		require.NoError(t, os.WriteFile(toml, []byte(out), 0o600))
		got, err := tomlconf.Load(toml, tomlconf.Environment{})
		require.NoError(t, err, out)
		requireSameEffect(t, want, got, out)

		code, out, errs = configure(nil, args...)
		require.Zero(t, code, errs)
		if strings.Contains(out, "--show-secrets") { // what has no variable
			continue
		}
		require.NoError(t, os.WriteFile(toml, []byte(out), 0o600))
		o := want.Options
		env := map[string]string{"GOBEAKER_SECRET": o.Secret, "GOBEAKER_VALIDATE_KEY": o.ValidateKey, "GOBEAKER_ENCRYPT_KEY": o.EncryptKey, "GOBEAKER_URL": o.URL}
		got, err = tomlconf.Load(toml, tomlconf.Environment{Getenv: func(name string) string { return env[name] }})
		require.NoError(t, err, out)
		requireSameEffect(t, want, got, out)
	}
	require.Greater(t, tested, n/3)
}

// requireSameEffect compares options. What has no effect in Python is left out of a
// gobeaker.toml, and directories are absolute in it.
func requireSameEffect(t *testing.T, wanted, got *iniconf.Effective, text string) {
	t.Helper()
	want := wanted.Options
	want.Peer = got.Options.Peer
	for _, dir := range []*string{&want.DataDir, &want.LockDir, &want.FileDir} {
		*dir = absolute(t, *dir)
	}
	want.Extra = maps.Clone(want.Extra)
	maps.DeleteFunc(want.Extra, func(name, _ string) bool {
		info, known := iniconf.LookupOption(name)
		return known && !info.PassedOn()
	})
	if dir, ok := want.Extra["dbm_dir"]; ok {
		want.Extra["dbm_dir"] = absolute(t, dir)
	}
	have := got.Options
	for _, o := range []*compat.Options{&want, &have} {
		if len(o.Extra) == 0 {
			o.Extra = nil
		}
	}
	require.Equal(t, want, have, text)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	if path == "" {
		return ""
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

// TestConfigHidesSecrets: whatever an ini holds under a name that promises a secret is
// in no output, not even where it was interpolated.
func TestConfigHidesSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.ini")
	n := 100
	if testing.Short() {
		n = 25
	}
	for seed := range n {
		g := configGenerator{rand.New(rand.NewPCG(uint64(seed), 4))}
		secrets := map[string]string{}
		hidden := func(name string) string {
			secrets[name] = fmt.Sprintf("hidden%08x%s", g.Uint32(), g.pick("", "'", " z", "é", "%%"))
			return secrets[name]
		}
		var b strings.Builder
		b.WriteString("[DEFAULT]\nsmtp_password = " + hidden("default") + "\nnote = the password is %(smtp_password)s\n[app:main]\nuse = egg:x\n")
		for _, name := range []string{"session.secret", "session.validate_key", "beaker.session.encrypt_key", "session.url", "session.sa.url", "session.urls",
			"sqlalchemy.url", "api_key", "beaker.cache.url", "session.password", "sesion.secret"} {
			if g.IntN(4) > 0 {
				b.WriteString(name + " = " + hidden(name) + "\n")
			}
		}
		b.WriteString(g.pick("", "session.cookie_path = /%(smtp_password)s\n", "session.unheard = %(smtp_password)s\n", "session.samesite = %(smtp_password)s\n", "session.data_dir = /d/%(smtp_password)s\n", "session.timeout = %(smtp_password)s\n",
			"session.data_serializer = %(smtp_password)s\n", "session.key = %(smtp_password)s;\n", "session.crypto_type = x%(smtp_password)s\n", "session.lock_dir = %(smtp_password)s\n"))
		b.WriteString(g.pick("", "session.timeout = 5\nsession.save_accessed_time = no\n", "session.type = cookie\n"))
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
		for _, args := range [][]string{{}, {"--json"}, {"--toml"}, {"--conf"}, {"--conf", "--json"}, {"--apps"}, {"--apps", "--json"}, {"--dialect", "python2"}, {"--peer", "1.6", "--toml"}} {
			_, out, errs := configure(nil, append([]string{file}, args...)...)
			for name, secret := range secrets {
				require.NotContains(t, out+errs, secret[:14], "%s in config %v\n%s", name, args, b.String())
			}
		}
	}
}

func TestConfigJSON(t *testing.T) {
	code, out, errs := configure(nil, "../../../../testdata/ini/production.ini", "--json", "site=other")
	require.Zero(t, code, errs)
	var got struct {
		Framework, Dialect, Application string
		Files                           []string
		Options                         []struct {
			Name, Type, Secret, Help string
			Value                    any
			Set                      bool
			Origin                   struct {
				Kind, File, Written string
				Line                int
				Via                 []string
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, "main", got.Application)
	require.Len(t, got.Files, 2)
	require.Len(t, got.Options, len(iniconf.OptionInfos()))
	for _, o := range got.Options {
		require.NotEmpty(t, o.Type, o.Name)
		require.NotEmpty(t, o.Help, o.Name)
		switch o.Name {
		case "secret":
			require.Nil(t, o.Value)
			require.Equal(t, "set", o.Secret)
		case "key":
			require.Equal(t, "shop", o.Value)
			require.Equal(t, "beaker.session.key", o.Origin.Written)
			require.Equal(t, 6, o.Origin.Line)
			require.Len(t, o.Origin.Via, 1)
		case "timeout":
			require.Equal(t, 1209600.0, o.Value)
		case "cookie_path":
			require.False(t, o.Set)
			require.Equal(t, "default", o.Origin.Kind)
		}
	}
}

// TestConfigOfTOML: the options that only a gobeaker.toml can give.
func TestConfigOfTOML(t *testing.T) {
	dir := t.TempDir()
	file, again := filepath.Join(dir, "gobeaker.toml"), filepath.Join(dir, "again.toml")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "old.txt"), []byte("older-secret\n"), 0o600))
	require.NoError(t, os.WriteFile(file, []byte(`[session]
type = "file"
data_dir = "data"
secret = "present-secret"
old_secrets = ["past-secret", "a\"b\\c"]
old_validate_keys = ["validated"]
validate_key = "validate"
cookie_expires = 2030-01-01T00:00:00Z
timeout = 7200
touch_interval = "90s"
write = "replace"
id_pattern = "[0-9a-f]{32}"
peer = "beaker-1.11/python2"
delete_records = false
unknown = { }
`), 0o600))
	code, _, errs := configure(nil, "--config", file)
	require.Equal(t, 2, code)
	require.Contains(t, errs, "gobeaker.toml:15:")

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(text, []byte("unknown = { }\n"), []byte("extra.\"sa.pool_size\" = 5\n")), 0o600))
	code, out, errs := configure(nil, "--config", file, "--toml", "--show-secrets")
	require.Zero(t, code, errs)
	require.NoError(t, os.WriteFile(again, []byte(out), 0o600))
	want, err := tomlconf.Load(file, tomlconf.Environment{})
	require.NoError(t, err)
	got, err := tomlconf.Load(again, tomlconf.Environment{})
	require.NoError(t, err, out)
	require.Equal(t, want.Options, got.Options, out)

	for _, args := range [][]string{{}, {"--json"}, {"--toml"}} {
		code, out, errs = configure(nil, append([]string{"--config", file}, args...)...)
		require.Zero(t, code, errs)
		for _, secret := range []string{"present-secret", "past-secret", "validated", `a"b`} {
			require.NotContains(t, out, secret, "%v", args)
		}
	}
	_, out, _ = configure(nil, "--config", file)
	for _, want := range []string{
		`old_secrets +set, 2 of them`, `cookie_expires +2030-01-01T00:00:00Z`, `timeout +7200 \(2 hours\)`, `touch_interval +"1m30s"`,
		`write +"replace"`, `peer +"beaker-1.11/python2"`, `sa.pool_size +"5"`, `delete_records +false`,
	} {
		require.Regexp(t, `(?m)^  `+want+` `, out)
	}
	_, out, _ = configure(nil, "--config", file, "--show-secrets")
	require.Regexp(t, `old_secrets +"past-secret", "a\\"b\\\\c"`, out)
}

// TestConfigNotUTF8: Python 2 takes any bytes, TOML does not.
func TestConfigNotUTF8(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.ini")
	require.NoError(t, os.WriteFile(file, []byte("[app:main]\nuse = egg:x\nsession.type = memory\nsession.cookie_domain = caf\xe9\nsession.table_name = caf\xe9\nsession.id = x\n"), 0o600))
	code, out, errs := configure(nil, file, "--dialect", "python2", "--toml")
	require.Zero(t, code, errs)
	require.Contains(t, out, "cookie_domain = {}  # not UTF-8, which a gobeaker.toml cannot hold\n")
	require.Contains(t, out, "# id: without effect here\n")
	code, out, errs = configure(nil, file, "--dialect", "python2")
	require.Zero(t, code, errs)
	require.Contains(t, out, `"caf\xe9"`)
	require.Regexp(t, `(?m)^  id +no effect `, out)
}
