package tomlconf_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// folder makes a folder of files and returns its path.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

// load loads a gobeaker.toml beside other files.
func load(t testing.TB, text string, files map[string]string, env map[string]string) (*iniconf.Effective, string, error) {
	t.Helper()
	all := map[string]string{"gobeaker.toml": text}
	maps.Copy(all, files)
	dir := folder(t, all)
	e, err := tomlconf.Load(filepath.Join(dir, "gobeaker.toml"), tomlconf.Environment{Getenv: func(name string) string { return env[name] }})
	require.NotNil(t, e)
	return e, dir, err
}

// sample is a value for each option that is not its default.
func sample(t *testing.T, info iniconf.OptionInfo) any {
	t.Helper()
	named := map[string]any{
		"type": "file", "data_serializer": "json", "crypto_type": "nss", "samesite": "Strict", "write": "replace",
		"peer": "beaker-1.11/python2", "id_pattern": "[a-z]+", "encrypt_nonce_bits": int64(48),
		"invalidate_corrupt": false, "use_cookies": false, "save_accessed_time": false, "delete_records": false,
		"data_dir": "/a/data_dir", "file_dir": "/a/file_dir", "lock_dir": "/a/lock_dir", "dbm_dir": "/a/dbm_dir",
	}
	if v, ok := named[info.Name]; ok {
		return v
	}
	switch info.Type {
	case iniconf.TypeText:
		return "text of " + info.Name
	case iniconf.TypeBool:
		return true
	case iniconf.TypeInt, iniconf.TypeSeconds, iniconf.TypeExpires:
		return int64(77)
	case iniconf.TypeDuration:
		return "1m30s"
	case iniconf.TypeTexts:
		return []string{"a", "b"}
	}
	require.Fail(t, "no sample", "%s", info.Name)
	return nil
}

// inTOML writes options as the [session] table of a file.
func inTOML(t testing.TB, options map[string]any) string {
	t.Helper()
	session, extra := map[string]any{}, map[string]any{}
	for name, value := range options {
		if _, known := iniconf.LookupOption(name); known {
			session[name] = value
		} else {
			extra[name] = value
		}
	}
	if len(extra) > 0 {
		session["extra"] = extra
	}
	text, err := toml.Marshal(map[string]any{"session": session})
	require.NoError(t, err)
	return string(text)
}

func TestEveryOption(t *testing.T) {
	all := map[string]any{}
	for _, info := range iniconf.OptionInfos() {
		t.Run(info.Name, func(t *testing.T) {
			want := sample(t, info)
			all[info.Name] = want
			e, dir, err := load(t, "\n"+inTOML(t, map[string]any{info.Name: want}), nil, nil)
			require.NoError(t, err)
			require.Equal(t, map[string]iniconf.Origin{info.Name: {
				Kind: iniconf.FromTOML, Written: info.Name,
				Position: iniconf.Position{File: filepath.Join(dir, "gobeaker.toml"), Line: 3},
			}}, e.Origins)
			if info.PassedOn() {
				require.Equal(t, map[string]string{info.Name: fmt.Sprint(want)}, e.Options.Extra)
				return
			}
			for _, o := range e.List() {
				if o.Name == info.Name {
					require.Equal(t, want, o.Value)
				} else {
					require.Zero(t, o.Origin)
				}
			}
		})
	}
	e, _, err := load(t, inTOML(t, all), nil, nil)
	require.NoError(t, err)
	again, _, err := load(t, inTOML(t, listed(e)), nil, nil)
	require.NoError(t, err)
	require.Equal(t, e.Options, again.Options)
	require.Len(t, listed(e), len(iniconf.OptionInfos()), "each of them is set")
}

// listed are the values of all options that are set.
func listed(e *iniconf.Effective) map[string]any {
	out := map[string]any{}
	for _, o := range e.List() {
		if o.Value != nil {
			out[o.Name] = o.Value
		}
	}
	return out
}

func TestBackEnd(t *testing.T) {
	e, dir, err := load(t, `[session]
optimistic = true
dbm_dir = "dbm"
[session.extra]
table_name = "t"
sa.pool_size = 5
sa.deep.er = 0.5
"sa.echo" = false
`, nil, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"optimistic": "true", "dbm_dir": filepath.Join(dir, "dbm"), "table_name": "t",
		"sa.pool_size": "5", "sa.deep.er": "0.5", "sa.echo": "false"}, e.Options.Extra)
	require.Equal(t, 6, e.Origins["sa.pool_size"].Line)
	require.Equal(t, 7, e.Origins["sa.deep.er"].Line)
	require.Equal(t, "extra.sa.echo", e.Origins["sa.echo"].Written)
}

func TestSecretSources(t *testing.T) {
	for option, field := range map[string]func(compat.Options) string{
		"secret":       func(o compat.Options) string { return o.Secret },
		"validate_key": func(o compat.Options) string { return o.ValidateKey },
		"encrypt_key":  func(o compat.Options) string { return o.EncryptKey },
		"url":          func(o compat.Options) string { return o.URL },
	} {
		files := map[string]string{"keys/one": "from file\r\nmore\n", "empty": "\n"}
		variable := "GOBEAKER_" + strings.ToUpper(option)

		e, dir, err := load(t, "[session]\n"+option+"_file = 'keys/one'", files, nil)
		require.NoError(t, err)
		require.Equal(t, "from file", field(e.Options))
		from := e.Origins[option]
		require.Equal(t, iniconf.FromFile, from.Kind)
		require.Equal(t, filepath.Join(dir, "keys/one"), from.String())
		require.Equal(t, []iniconf.Position{{File: filepath.Join(dir, "gobeaker.toml"), Line: 2}}, from.Via)
		require.Equal(t, []string{filepath.Join(dir, "gobeaker.toml"), filepath.Join(dir, "keys/one")}, e.Files)

		e, dir, err = load(t, "[session]\n"+option+"_env = 'MINE'", nil, map[string]string{"MINE": "from env"})
		require.NoError(t, err)
		require.Equal(t, "from env", field(e.Options))
		require.Equal(t, "environment MINE", e.Origins[option].String())
		require.Equal(t, []iniconf.Position{{File: filepath.Join(dir, "gobeaker.toml"), Line: 2}}, e.Origins[option].Via)

		e, _, err = load(t, "[session]\n"+option+" = 'here'", nil, map[string]string{variable: "above"})
		require.NoError(t, err)
		require.Equal(t, "above", field(e.Options))
		require.Equal(t, "environment "+variable, e.Origins[option].String())

		for _, wrong := range []string{"%s = 'a'\n%[1]s_file = 'keys/one'", "%s = 'a'\n%[1]s_env = 'MINE'", "%s_file = 'keys/one'\n%[1]s_env = 'MINE'"} {
			_, _, err = load(t, "[session]\n"+fmt.Sprintf(wrong, option), files, nil)
			require.ErrorContains(t, err, fmt.Sprintf("gobeaker.toml:2: give one of %s, %[1]s_file and %[1]s_env", option))
		}
		_, _, err = load(t, "[session]\n"+option+"_file = 'empty'", files, nil)
		require.ErrorContains(t, err, "gobeaker.toml:2: "+option+"_file: secret file empty: its first line is empty")
		_, _, err = load(t, "[session]\n"+option+"_env = 'MINE'", nil, nil)
		require.ErrorContains(t, err, "gobeaker.toml:2: "+option+"_env: the environment has no MINE")
		_, _, err = load(t, "[session]\n"+option+"_env = 'hunter2'", nil, nil)
		require.ErrorContains(t, err, "give the variable's name, not its value")
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestOlderSecrets(t *testing.T) {
	files := map[string]string{"a": "key a", "b": "key b"}
	e, dir, err := load(t, `[session]
old_secret_files = ["a", "b"]
old_validate_keys = ["x"]
old_validate_key_files = ["a"]
old_encrypt_key_files = ["b"]
`, files, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"key a", "key b"}, e.Options.OldSecrets)
	require.Equal(t, []string{"x", "key a"}, e.Options.OldValidateKeys)
	require.Equal(t, []string{"key b"}, e.Options.OldEncryptKeys)
	require.Equal(t, iniconf.FromFile, e.Origins["old_secrets"].Kind)
	require.Equal(t, filepath.Join(dir, "gobeaker.toml")+":3", e.Origins["old_validate_keys"].String())
	require.Equal(t, []string{filepath.Join(dir, "gobeaker.toml"), filepath.Join(dir, "a"), filepath.Join(dir, "b")}, e.Files)

	for text, want := range map[string]string{
		`old_secret_files = ["a", "gone"]`:                             "gobeaker.toml:2: old_secret_files: the file that it names cannot be read",
		`old_secret_files = "a"`:                                       "gobeaker.toml:2: old_secret_files: give a list of texts",
		`old_secret_files = ["a", ""]`:                                 "old_secret_files: give a list of texts, none of them empty",
		"old_secrets = [5]\nold_secret_files = [\"a\"]":                "gobeaker.toml:2: old_secrets: give a list of texts",
		`old_secrets = ["a", 5]`:                                       "gobeaker.toml:2: old_secrets: give a list of texts",
		"old_secrets_files = []":                                       `did you mean "old_secret_files"`,
		"old_secret_files = []\nold_encrypt_key_files = [\n\"gone\",]": "gobeaker.toml:3: old_encrypt_key_files: the file that it names cannot be read",
	} {
		_, _, err := load(t, "[session]\n"+text, files, nil)
		require.ErrorContains(t, err, want)
	}
}

const included = "[DEFAULT]\ncache_dir = /from/base\n[app:main]\nuse = egg:App\nbeaker.session.key = inikey\nbeaker.session.secret = inisecret\nbeaker.session.invalidate_corrupt = false\n"

func TestIniBase(t *testing.T) {
	files := map[string]string{
		"conf/app.ini": "[app:main]\nuse = config:base.ini\nbeaker.session.timeout = 60\n[app:other]\nuse = egg:App\nbeaker.session.key = %(name)s\nbeaker.session.secret = s\n", "conf/base.ini": included,
		"conf/dialect.ini": "[app:main]\nuse = egg:App\nsession.key = a ; of Python 2\nsession.secret = s\n",
	}
	e, dir, err := load(t, "[session]\nini = 'conf/app.ini'\nkey = 'mine'\nlock_dir = 'locks'", files, nil)
	require.NoError(t, err)
	require.Equal(t, "mine", e.Options.Key)
	require.Equal(t, "inisecret", e.Options.Secret)
	require.Equal(t, time.Minute, e.Options.Timeout)
	require.Equal(t, filepath.Join(dir, "locks"), e.Options.LockDir)
	require.False(t, e.Options.InvalidateCorrupt)
	require.NotNil(t, e.Config)
	require.Equal(t, filepath.Join(dir, "gobeaker.toml")+":3", e.Origins["key"].String())
	require.Equal(t, filepath.Join(dir, "conf/base.ini")+":6", e.Origins["secret"].String())
	require.Equal(t, []string{filepath.Join(dir, "gobeaker.toml"), filepath.Join(dir, "conf/app.ini"), filepath.Join(dir, "conf/base.ini")}, e.Files)

	e, _, err = load(t, "[session]\nini = 'conf/app.ini'\nstrict_beaker = true", files, nil)
	require.NoError(t, err)
	require.True(t, e.Options.InvalidateCorrupt, "as Beaker takes the text")

	e, _, err = load(t, "[session]\nini = 'conf/app.ini#other'\nini_global = { name = 'g' }", files, nil)
	require.NoError(t, err)
	require.Equal(t, "g", e.Options.Key)

	e, _, err = load(t, "[session]\nini = 'conf/dialect.ini'\nini_dialect = 'python2'", files, nil)
	require.NoError(t, err)
	require.Equal(t, "a", e.Options.Key)

	e, _, err = load(t, "[session]\nini = 'conf/app.ini'\nframework = 'pylons'\npastedeploy = '2.1'\npeer = 'beaker-1.6.4'", files, nil)
	require.NoError(t, err)
	require.Equal(t, iniconf.Pylons, e.Framework)
	_, _, err = load(t, "[session]\nini = 'conf/app.ini'\npastedeploy = '1.5'", files, nil)
	require.NoError(t, err)
}

// The peer and the environment matter to what the ini means.
func TestIniReading(t *testing.T) {
	files := map[string]string{"app.ini": "[app:main]\nuse = egg:ckan\nckan.plugins = envvars\nbeaker.session.secret = s\nbeaker.session.samesite = Strict\n"}
	env := map[string]string{"CKAN___BEAKER__SESSION__KEY": "ours", "CKAN___BEAKER__SESSION__SECRET": ""}
	e, _, err := load(t, "[session]\nini = 'app.ini'\nframework = 'ckan'", files, env)
	require.NoError(t, err)
	require.Equal(t, "ours", e.Options.Key)
	require.Equal(t, "s", e.Options.Secret, "an empty variable is none")
	require.Equal(t, "environment CKAN___BEAKER__SESSION__KEY", e.Origins["key"].String())
	require.Equal(t, "Strict", e.Options.SameSite)

	e, _, err = load(t, "[session]\nini = 'app.ini'\nframework = 'beaker'\npeer = 'beaker-1.9'", files, env)
	require.NoError(t, err)
	require.Equal(t, "beaker.session.id", e.Options.Key)
	require.NotEqual(t, "Strict", e.Options.SameSite, "which that Beaker does not know")
}

// A warning about the ini is not given where the table decides the same.
func TestWarnings(t *testing.T) {
	files := map[string]string{"app.ini": "[app:main]\nuse = egg:App\nsession.key = a\n", "s": "sekrit"}
	for _, c := range []struct {
		text           string
		memory, signed bool
	}{
		{"", true, true},
		{"data_dir = 'd'", false, true},
		{"type = 'memory'", false, true},
		{"file_dir = 'd'", false, true},
		{"secret = 's'", true, false},
		{"secret_file = 's'", true, false},
		{"secret_env = 'S'", true, false},
	} {
		e, _, err := load(t, "[session]\nini = 'app.ini'\n"+c.text, files, map[string]string{"S": "s"})
		require.NoError(t, err)
		var all string
		for _, w := range e.Warnings {
			all += w.String()
		}
		require.Equal(t, c.memory, strings.Contains(all, "nothing is shared"), c.text)
		require.Equal(t, c.signed, strings.Contains(all, "there is no secret"), c.text)
	}
	e, dir, err := load(t, "[session]\nini_dialect = 'python2'\nframework = 'ckan'", nil, nil)
	require.NoError(t, err)
	require.Len(t, e.Warnings, 2)
	require.Equal(t, filepath.Join(dir, "gobeaker.toml")+":2: ini_dialect: without ini it has no effect", e.Warnings[0].String())
}

func TestErrors(t *testing.T) {
	files := map[string]string{
		"bad.ini": "[app:main]\nuse = egg:App\nsession.timeout = soon\n", "broken.ini": "[app:main]\nuse = config:syntax.ini\n", "syntax.ini": "nonsense\n",
	}
	for _, c := range []struct{ text, want string }{
		{"", "gobeaker.toml: there is no [session] in it"},
		{"session = 5", "gobeaker.toml:1: session: give a table"},
		{"[[session]]\nkey = 'a'", "gobeaker.toml:1: session: give a table"},
		{"[session", "gobeaker.toml:1: "},
		{"[session]\nkey = 'a'\nkey = 'b'", "gobeaker.toml:3: this key is set a second time"},
		{"[session]\nkey = hunter2", "gobeaker.toml:2: "},
		{"[session]\nsecret = 2026-99-99", "gobeaker.toml:2: invalid datetime: (text not shown)"},
		{"[session]\nsecret = 99999999999999999999", "gobeaker.toml:2: the number is out of range for int64"},
		{"[session]\nkey = 5", "gobeaker.toml:2: key: give a text in quotes"},
		{"[session]\nsecure = 'yes'", "gobeaker.toml:2: secure: give true or false"},
		{"[session]\ntimeout = -1", "gobeaker.toml:2: timeout: give whole seconds"},
		{"[session]\ntimeout = 1.5", "gobeaker.toml:2: timeout: give whole seconds"},
		{"[session]\ncookie_expires = 07:32:00", "gobeaker.toml:2: cookie_expires: a time of day needs a date"},
		{"[session]\noptimistic = 1", "gobeaker.toml:2: optimistic: give a text"},
		{"[session]\nencrypt_nonce_bits = '48'", "encrypt_nonce_bits: give a whole number"},
		{"[session]\ntouch_interval = '-1s'", "gobeaker.toml:2: touch_interval: give a time such as 10s"},
		{"[session]\nwrite = 'both'", "gobeaker.toml:2: write: \"both\": use \"merge\" or \"replace\""},
		{"[session]\npeer = 'snake'", "gobeaker.toml:2: peer: "},
		{"[session]\nsecrets = 'hunter2'", `gobeaker.toml:2: unknown key "session.secrets"; did you mean "secret"?`},
		{"[session]\nSecret = 'hunter2'", `did you mean "secret"?`},
		{"[session]\nbeaker.session.key = 'hunter2'", "write the options without a prefix"},
		{"[session]\npool_size = 5", "belong into [session.extra]"},
		{"[session]\nini = 5", "gobeaker.toml:2: ini: give a text in quotes"},
		{"[session]\nini = ''", "gobeaker.toml:2: ini: give a text in quotes, which is not empty"},
		{"[session]\nstrict_beaker = 'yes'", "strict_beaker: give true or false"},
		{"[session]\nini_global = 5", "ini_global: give a table of texts"},
		{"[session]\nini_global = { a = 5 }", "ini_global: give a table of texts"},
		{"[session]\nextra = 5", "extra: give a table"},
		{"[session]\nextra.sa = [5]", "gobeaker.toml:2: extra.sa: give text, a number, true or false"},
		{"[session.extra]\nurl = 'hunter2'", "gobeaker.toml:2: extra.url: it stands in [session] itself"},
		{"[session.extra]\nini = 'a'", "extra.ini: it stands in [session] itself"},
		{"[session]\ntable_name = 'a'\nextra.table_name = 'b'", "gobeaker.toml:3: extra.table_name: it stands in [session] itself"},
		{"[session]\nini = 'gone.ini'", "gobeaker.toml:2: ini: iniconf: "},
		{"[session]\nini = 'bad.ini'", "bad.ini:3"},
		{"[session]\nini = 'broken.ini'", "syntax.ini:1"},
		{"[session]\nini = 'bad.ini'\nini_dialect = 'perl'", "gobeaker.toml:3: ini_dialect: iniconf: dialect"},
		{"[session]\nini = 'bad.ini'\nframework = 'django'", "gobeaker.toml:3: framework: iniconf: framework"},
		{"[session]\nini = 'bad.ini'\npastedeploy = '3'", `gobeaker.toml:3: pastedeploy: use "1.5" or "2.1"`},
		{"[session]\nsecret_file = 5", "secret_file: give a text"},
		{"[session]\nsecret_env = 5", "secret_env: give a text"},
	} {
		e, dir, err := load(t, c.text, files, nil)
		require.ErrorContains(t, err, c.want, c.text)
		require.NotContains(t, err.Error(), "hunter2")
		require.Contains(t, e.Files, filepath.Join(dir, "gobeaker.toml"))
	}
	_, _, err := load(t, "[session]\ntimeout = -1\nkey = 5\nnonsense = 1\n", nil, nil)
	require.ErrorContains(t, err, ":4: unknown key")
	_, _, err = load(t, "[session]\ntimeout = -1\nkey = 5\n", nil, nil)
	require.ErrorContains(t, err, ":2: timeout")
	require.ErrorContains(t, err, ":3: key", "all of them")
}

// What cannot be loaded names the files that a watcher has to wait for.
func TestFilesWithErrors(t *testing.T) {
	files := map[string]string{"broken.ini": "[app:main]\nuse = config:syntax.ini\n", "syntax.ini": "nonsense\n", "bad.ini": "[app:main]\nuse = config:refused.ini\n",
		"refused.ini": "[app:main]\nuse = egg:App\nsession.timeout = soon\n"}
	for _, c := range []struct {
		text string
		want []string
	}{
		{"[session", nil},
		{"[session]\nini = 'gone.ini'\nsecret_file = 's'", []string{"gone.ini", "s"}},
		{"[session]\nini = 'broken.ini'\nold_secret_files = ['o']", []string{"broken.ini", "syntax.ini", "o"}},
		{"[session]\nini = 'bad.ini'", []string{"bad.ini", "refused.ini"}},
		{"[session]\nsecret_file = 's'\nkeys = 'x'", []string{"s"}},
		{"[session]\nsecret_file = 's'", []string{"s"}},
		{"[session]\nold_secret_files = ['s', 't']", []string{"s"}},
	} {
		e, dir, err := load(t, c.text, files, nil)
		require.Error(t, err)
		want := []string{filepath.Join(dir, "gobeaker.toml")}
		for _, name := range c.want {
			want = append(want, filepath.Join(dir, name))
		}
		require.ElementsMatch(t, want, e.Files, c.text)
	}
	e, err := tomlconf.Load("nowhere/gobeaker.toml", tomlconf.Environment{})
	require.ErrorContains(t, err, "tomlconf: nowhere/gobeaker.toml: it cannot be read: no such file")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.True(t, filepath.IsAbs(e.Files[0]))
}

// A Session can be made by hand, and has no file then.
func TestByHand(t *testing.T) {
	dir := folder(t, map[string]string{"app.ini": included, "s": "sekrit"})
	s := tomlconf.Session{
		Ini: filepath.Join(dir, "app.ini"), Options: map[string]any{"timeout": int64(5), "old_secrets": []string{"o"}, "data_dir": "d"},
		Files: map[string]string{"secret": filepath.Join(dir, "s")}, OlderFiles: map[string][]string{"old_secrets": {filepath.Join(dir, "s")}},
	}
	e, err := s.Resolve(nil, tomlconf.Environment{})
	require.NoError(t, err)
	require.Equal(t, "inikey", e.Options.Key)
	require.Equal(t, "sekrit", e.Options.Secret)
	require.Equal(t, []string{"o", "sekrit"}, e.Options.OldSecrets)
	require.Equal(t, "d", e.Options.DataDir)
	require.Equal(t, 5*time.Second, e.Options.Timeout)
	require.Equal(t, []string{s.Ini, filepath.Join(dir, "s")}, e.Files)
	require.Nil(t, e.Origins["secret"].Via)
	s.Variables = map[string]string{"url": "NONE"}
	_, err = s.Resolve(nil, tomlconf.Environment{})
	require.EqualError(t, err, "tomlconf: url_env: the environment has no NONE")
	s = tomlconf.Session{Options: map[string]any{"secret": 5}}
	_, err = s.Resolve(nil, tomlconf.Environment{})
	require.EqualError(t, err, "tomlconf: secret: give a text in quotes")
	e, err = (&tomlconf.Session{}).Resolve(nil, tomlconf.Environment{})
	require.NoError(t, err)
	require.Equal(t, compat.Defaults(), e.Options)
	require.Empty(t, e.Files)
}

func TestKeysHaveOneMeaning(t *testing.T) {
	var kept []string
	for _, info := range iniconf.OptionInfos() {
		kept = append(kept, info.Name)
		require.NotContains(t, []string{"ini", "framework", "extra", "editable"}, info.Name)
	}
	slices.Sort(kept)
	require.Len(t, slices.Compact(kept), len(iniconf.OptionInfos()))
}
