package iniconf

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDialectOfPython: the Python that runs the application decides what nobody says.
func TestDialectOfPython(t *testing.T) {
	const (
		comment = "[app:main]\nuse = egg:x\nsession.secret = s ; change me\n"
		minute  = "[app:main]\nuse = egg:x\nsession.secret = s\nsession.timeout = 60 ; a minute\n"
		onlyOld = "[app:main]\nuse = egg:x\nsession.secret = s\nsession.secret = t\n"
		headers = "[app:main]\nuse = egg:x\nsession.secret = s\n[a]b]\nx = 1\n[a]\ny = 1\n"
	)
	for _, c := range []struct {
		name, text string
		python     int
		dialect    Dialect // given
		want       Dialect
		secret     string
		err        string
	}{
		{"nobody says", comment, 0, Auto, Python3, "s ; change me", ""},
		{"Python 2", comment, 2, Auto, Python2, "s", ""},
		{"Python 3", comment, 3, Auto, Python3, "s ; change me", ""},
		{"the dialect is given", comment, 2, Python3, Python3, "s ; change me", ""},
		{"a value that only the other takes", minute, 3, Auto, 0, "", `digits only); Python 2 takes it: if that runs the application, say so (peer = "…/python2"`},
		{"nobody says which takes it", minute, 0, Auto, 0, "", "Python 2 takes it"},
		{"the one that takes it", minute, 2, Auto, Python2, "s", ""},
		{"a file that only the other reads", onlyOld, 3, Auto, 0, "", "Python 2 can read the file, so check which Python runs the application"},
		{"the one that reads it", onlyOld, 2, Auto, Python2, "t", ""},
		{"an older Python 3", headers, 3, Auto, Python3, "s", ""},
	} {
		conf, err := Load(writeFile(t, c.text), LoadOptions{Dialect: c.dialect, Python: c.python})
		var e *Effective
		if err == nil {
			e, err = conf.Effective()
		}
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, conf.Dialect(), c.name)
		require.Equal(t, c.secret, e.Options.Secret, c.name)
		differ := slices.ContainsFunc(e.Warnings, func(w Warning) bool { return w.Code == CodeDialectsDiffer })
		require.Equal(t, c.python == 0, differ, "%s: %v", c.name, e.Warnings)
	}
	apps, err := Applications(writeFile(t, onlyOld), LoadOptions{Python: 3})
	require.Error(t, err, "%v", apps)
	apps, err = Applications(writeFile(t, onlyOld), LoadOptions{Python: 2})
	require.NoError(t, err)
	require.Len(t, apps, 1)
}

// TestKeywords: what a filter sets without a prefix is text to Beaker.
func TestKeywords(t *testing.T) {
	for _, c := range []struct {
		line     string
		dialect  Dialect
		booleans BoolText
		beaker   string
		option   string
		want     any
		err      string
	}{
		{"secure = false", Python3, BoolAsWritten, "", "secure", false, ""},
		{"secure = false", Python3, BoolAsBeaker, "", "secure", true, ""},
		{"secure =", Python3, BoolAsBeaker, "", "secure", false, ""},
		{"httponly = no", Python2, BoolAsBeaker, "", "httponly", true, ""},
		{"timeout = 60", Python3, BoolAsWritten, "", "timeout", int64(60), ""},
		{"timeout = 60", Python3, BoolAsBeaker, "", "", nil, `timeout = "60": TypeError: str and no number (without a prefix it is text to Beaker; write session.timeout)`},
		{"timeout = 60", Python2, BoolAsBeaker, "1.11", "", nil, "TypeError"},
		{"timeout = 60", Python2, BoolAsBeaker, "1.9.1", "timeout", nil, ""}, // a text is more than any number
		{"timeout = 60\ntype = cookie\nvalidate_key = v", Python2, BoolAsBeaker, "1.11", "timeout", nil, ""},
		{"timeout = 60\ntype = cookie\nvalidate_key = v", Python3, BoolAsBeaker, "1.11", "", nil, "TypeError"},
		{"cookie_expires = 300", Python3, BoolAsWritten, "", "cookie_expires", int64(300), ""},
		{"cookie_expires = true", Python3, BoolAsBeaker, "", "", nil, "Invalid argument for cookie_expires (without a prefix"},
		{"encrypt_nonce_bits = 48", Python3, BoolAsBeaker, "", "", nil, "TypeError"},
		{"cookie_domain =", Python3, BoolAsWritten, "", "", nil, "Empty strings are invalid"},
		{"cookie_domain =", Python3, BoolAsBeaker, "", "cookie_domain", nil, ""},
		{"data_serializer =", Python3, BoolAsBeaker, "", "", nil, "Invalid value for data_serializer"},
		{"invalidate_corrupt = no", Python3, BoolAsBeaker, "", "invalidate_corrupt", true, ""},
	} {
		conf, err := Load(writeFile(t, "[app:main]\nuse = egg:x\nfilter-with = f\n[filter:f]\nuse = egg:Beaker#beaker_session\nsecret = s\n"+c.line+"\n"),
			LoadOptions{Dialect: c.dialect, Booleans: c.booleans, Beaker: release(t, c.beaker)})
		require.NoError(t, err)
		e, err := conf.Effective()
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.line)
			continue
		}
		require.NoError(t, err, c.line)
		info, _ := LookupOption(c.option)
		require.Equal(t, c.want, info.valueOf(&e.Options), c.line)
	}
}

// TestSecretsStayHidden: by interpolation, a secret may be anywhere.
func TestSecretsStayHidden(t *testing.T) {
	const secret = "hunter2-hunter2:and more#of it"
	for _, text := range []string{
		"[app:main]\nuse = egg:x\nsmtp_pass = S\nsession.timeout = %(smtp_pass)s\n",
		"[app:main]\nuse = egg:x\nsession.secert = S\nsession.timeout = %(session.secert)s\n",
		"[app:main]\nsecret = S\nuse = %(secret)s\n",
		"[app:main]\nsecret = S\nuse = config:%(secret)s\n",
		"[app:main]\nsecret = S\nuse = egg:x#%(secret)s\nnext = %(secret)s\nsession.type = cookie\nsession.data_serializer = %(secret)s\n",
		"[DEFAULT]\nsecret = S\n[composite:main]\nuse = egg:Paste#urlmap\n/ = %(secret)s\n",
		"[DEFAULT]\nsecret = S\n[composite:main]\nuse = egg:Paste#cascade\ncatch = %(secret)s\n",
		"[pipeline:main]\nsecret = S\npipeline = %(secret)s\n",
	} {
		for _, d := range dialects {
			path := writeFile(t, strings.ReplaceAll(text, "S", secret))
			conf, err := Load(path, LoadOptions{Dialect: d})
			if err == nil {
				_, _, err = conf.Session()
			}
			require.Error(t, err, text)
			require.NotContains(t, err.Error(), "hunter2", text)
			require.NotContains(t, err.Error(), "more", text)
			apps, err := Applications(path, LoadOptions{Dialect: d})
			require.NoError(t, err)
			for _, a := range apps {
				if a.Err != nil {
					require.NotContains(t, a.Err.Error(), "hunter2", text)
				}
			}
		}
	}
	for key, want := range map[string]bool{
		"session.key": false, "beaker.session.key": false, "session_key": false, "beaker.session.type": false, "session.secure": false,
		"here": false, "debug": false, "cache_dir": false, "spin": false, "session.timeout": false, "author": false, "sa.echo": false,
		"key": true, "smtp_pass": true, "db.pass": true, "pw": true, "bindpw": true, "passphrase": true, "tls.private": true, "auth": true, "pin": true,
		"signature": true, "seed": true, "hmac": true, "fernet.x": true, "app_instance_uuid": true, "sa.connect_args": true, "session.secert": true,
		"beaker.session.url": true, "session.validate_kye": true, "session.id": true, "my.session.key": true,
	} {
		require.Equal(t, want, Sensitive(key), key)
	}
}

// TestWarningCodes: others go by the codes.
func TestWarningCodes(t *testing.T) {
	const plain = "session.type = memory\nsession.secret = s\n"
	for lines, code := range map[string]string{
		"a = 1":                      CodeNothingSet,
		plain + "session_key = a":    CodeDeprecatedPrefix,
		plain + "session.timout = 9": CodeUnknownOption,
		plain + "sesion.timeout = 9": CodeWrongPrefix,
		plain + "session.secure = true\nbeaker.session.secure = false": CodeTwice,
		plain + "session.invalidate_corrupt = false":                   CodeNotCoerced,
		plain + "session.cookie_domain = None":                         CodeNoneIsText,
		plain + "session.timeout = 0":                                  CodeTimeoutZero,
		plain + "session.timeout = 99999999999999999999":               CodeTimeoutCapped,
		plain + "session.cookie_expires = 1":                           CodeExpiresWord,
		plain + "session.cookie_expires = 60":                          CodeCookieEndsFirst,
		plain + "session.samesite =":                                   CodeSameSiteEmpty,
		plain + "session.samesite = None":                              CodeSameSiteInsecure,
		plain + "session.samesite = lux":                               CodeSameSiteUnknown,
		plain + "session.lock_dir = locks":                             CodeRelativePath,
		plain + "session.id = one":                                     CodeSharedID,
		plain + "session.webtest_varname = one":                        CodeIgnored,
		plain + "session.tg_avoid_touch = true":                        CodeObsolete,
		plain + "session.enabled = true\ncache_dir = /c":               CodeSerializerGuessed,
		plain + "pyramid.x = 1":                                        CodeFrameworkGuessed,
		"session.secret = s":                                           CodeInMemory,
		"session.type = memory":                                        CodeNoSecret,
	} {
		e := effective(t, lines, LoadOptions{})
		require.Len(t, e.Warnings, 1, "%s: %v", lines, e.Warnings)
		require.Equal(t, code, e.Warnings[0].Code, lines)
	}
}

// TestEnvironmentUnread: with envvars CKAN's secret may be anywhere but in the file.
func TestEnvironmentUnread(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for _, c := range []struct {
		framework Framework
		plugins   string
		lookup    func(string) (string, bool)
		want      bool
	}{
		{CKAN29, "x envvars", nil, true},
		{CKAN210, "envvars", nil, true},
		{CKAN29, "envvars", none, false},
		{CKAN29, "x", nil, false},
		{Pylons, "envvars", nil, false},
	} {
		e := effective(t, "ckan.plugins = "+c.plugins+"\nbeaker.session.secret = s", LoadOptions{Framework: c.framework, LookupEnv: c.lookup})
		got := false
		for _, w := range e.Warnings {
			if w.Code == CodeEnvironmentUnread {
				got = true
				require.Equal(t, "ckan.plugins", w.Key)
				require.Equal(t, 3, w.Line)
			}
		}
		require.Equal(t, c.want, got, "%+v", c)
	}
}

func TestRhodeCode(t *testing.T) {
	for egg, want := range map[string]Framework{"rhodecode-enterprise-ce": Pyramid, "RhodeCode-enterprise-ee": Pyramid, "rhodecode": Pylons} {
		conf, err := Load(writeFile(t, "[app:main]\nuse = egg:"+egg+"\ncache_dir = /c\nbeaker.session.type = file\nbeaker.session.secret = s\n"), LoadOptions{})
		require.NoError(t, err)
		e, err := conf.Effective()
		require.NoError(t, err)
		require.Equal(t, want, e.Framework, egg)
	}
}

func TestManyApplications(t *testing.T) {
	text := "[app:main]\nuse = egg:x\nx = %(y)s\n[DEFAULT]\ny = 1\n"
	for i := range 9 {
		text += "[app:a" + string(rune('0'+i)) + "]\nuse = main\n"
	}
	path := writeFile(t, text)
	apps, err := Applications(path, LoadOptions{})
	require.NoError(t, err)
	require.Len(t, apps, 10)
	_, err = Applications(path, LoadOptions{Limits: Limits{MaxApplications: 9}})
	require.ErrorContains(t, err, "more than 9 applications; name the one that is meant")
	require.Equal(t, KindLimit, err.(*Error).Kind)
	// The limits are for all of them together.
	apps, err = Applications(path, LoadOptions{Limits: Limits{MaxReferences: 5}})
	require.NoError(t, err)
	require.NoError(t, apps[0].Err)
	require.ErrorContains(t, apps[9].Err, "more references than the limit allows")
}

// TestLoopOfOtherNames: "./a.ini" is "a.ini".
func TestLoopOfOtherNames(t *testing.T) {
	path := writeFile(t, "[app:main]\nuse = config:./main.ini\n")
	for _, d := range dialects {
		_, err := Load(path, LoadOptions{Dialect: d})
		require.ErrorContains(t, err, "leads back to itself")
	}
	e := &Error{Msg: "m"}
	for i := range 9 {
		e.Via = append(e.Via, Position{File: "/f", Line: i + 1})
	}
	require.EqualError(t, e, "iniconf: m (included from f:1, f:2, f:3, … 3 more …, f:7, f:8, f:9)")
	e.Via = e.Via[:6]
	require.EqualError(t, e, "iniconf: m (included from f:1, f:2, f:3, f:4, f:5, f:6)")
}
