package iniconf

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
)

// session loads an application that has these lines.
func session(t *testing.T, lines string, o LoadOptions) (compat.Options, []string, error) {
	t.Helper()
	c, err := Load(writeFile(t, "[app:main]\nuse = egg:shop\n"+lines+"\n"), o)
	require.NoError(t, err)
	opts, warnings, err := c.Session()
	var texts []string
	for _, w := range warnings {
		texts = append(texts, strings.TrimPrefix(w.String(), filepath.Dir(c.Path())+"/"))
	}
	return opts, texts, err
}

// changed are the default options after f.
func changed(f func(*compat.Options)) compat.Options {
	o := compat.Defaults()
	f(&o)
	return o
}

func TestCoercion(t *testing.T) {
	type o = compat.Options
	after := func(d time.Duration) compat.CookieExpires {
		return compat.CookieExpires{Mode: compat.ExpiresAfter, After: d}
	}
	for lines, want := range map[string]func(*o){
		"session.key = shop":                                             func(o *o) { o.Key = "shop" },
		"beaker.session.secret = a;b # c":                                func(o *o) { o.Secret = "a;b # c" },
		"session.validate_key = k\nsession.encrypt_key = none":           func(o *o) { o.ValidateKey, o.EncryptKey = "k", "none" },
		"session.type = cookie\nsession.data_dir = d":                    func(o *o) { o.Type, o.DataDir = "cookie", "d" },
		"session.lock_dir = l\nsession.file_dir = f":                     func(o *o) { o.LockDir, o.FileDir = "l", "f" },
		"session.cookie_domain = .x.org\nsession.cookie_path = /a":       func(o *o) { o.CookieDomain, o.CookiePath = ".x.org", "/a" },
		"session.secure = Yes\nsession.httponly = T\nsession.auto = ON":  func(o *o) { o.Secure, o.HTTPOnly, o.Auto = true, true, true },
		"session.secure = n\nsession.save_accessed_time = OFF":           func(o *o) { o.SaveAccessedTime = false },
		"session.timeout = 60":                                           func(o *o) { o.Timeout = time.Minute },
		"session.timeout = 0":                                            func(o *o) { o.Timeout = 0 },
		"session.timeout = 007":                                          func(o *o) { o.Timeout = 7 * time.Second },
		"session.timeout = ٣":                                            func(o *o) { o.Timeout = 3 * time.Second },
		"session.timeout = 𝟗":                                            func(o *o) { o.Timeout = 9 * time.Second },
		"session.timeout = 99999999999999999999":                         func(o *o) { o.Timeout = math.MaxInt64 / time.Second * time.Second },
		"session.cookie_expires = true":                                  func(o *o) {},
		"session.cookie_expires = 1":                                     func(o *o) {},
		"session.cookie_expires = false":                                 func(o *o) { o.CookieExpires.Mode = compat.ExpiresNever },
		"session.cookie_expires = 0":                                     func(o *o) { o.CookieExpires.Mode = compat.ExpiresNever },
		"session.cookie_expires = 2":                                     func(o *o) { o.CookieExpires = after(2 * time.Second) },
		"session.cookie_expires = 300":                                   func(o *o) { o.CookieExpires = after(5 * time.Minute) },
		"session.encrypt_nonce_bits = 48":                                func(o *o) { o.EncryptNonceBits = 48 },
		"session.data_serializer = json":                                 func(o *o) { o.DataSerializer = "json" },
		"session.crypto_type = cryptography":                             func(o *o) { o.CryptoType = "cryptography" },
		"session.samesite = sTrict":                                      func(o *o) { o.SameSite = "sTrict" },
		"session.samesite =":                                             func(o *o) { o.SameSite = "" },
		"session.url =":                                                  func(o *o) {},
		"session.url = 127.0.0.1:11211":                                  func(o *o) { o.URL = "127.0.0.1:11211" },
		"session.table_name = t\nsession.sa.pool = 3":                    func(o *o) { o.Extra = m{"table_name": "t", "sa.pool": "3"} },
		"beaker.session.key = a\nsession.key = b":                        func(o *o) { o.Key = "b" },
		"session.key = b\nbeaker.session.key = a":                        func(o *o) { o.Key = "a" },
		"key = plain\ntimeout = 5\nbeaker.cache.type = x":                func(o *o) {},
		"cache_dir = /c":                                                 func(o *o) { o.DataDir = "/c/sessions" },
		"cache_dir = /c/":                                                func(o *o) { o.DataDir = "/c/sessions" },
		"cache_dir =":                                                    func(o *o) { o.DataDir = "sessions" },
		"cache_dir = /c\nsession.data_dir = /d":                          func(o *o) { o.DataDir = "/d" },
		"session.invalidate_corrupt = false\nsession.use_cookies = no":   func(o *o) { o.InvalidateCorrupt, o.UseCookies = false, false },
		"session.invalidate_corrupt = true\nsession.use_cookies = maybe": func(o *o) {},
		"session.invalidate_corrupt =":                                   func(o *o) { o.InvalidateCorrupt = false },
	} {
		got, _, err := session(t, lines, LoadOptions{Dialect: Python3})
		require.NoError(t, err, lines)
		require.Equal(t, changed(want), got, lines)
	}
}

func TestCoercionErrors(t *testing.T) {
	const expires = "Cookie expires was not a boolean, datetime, int, or timedelta instance."
	for lines, want := range map[string]string{
		"session.timeout = 3.5":                               `main.ini:3:1: session.timeout = "3.5": Session timeout must be an integer. (digits only)`,
		"session.timeout = -5":                                `Session timeout must be an integer.`,
		"session.timeout = None":                              `Session timeout must be an integer.`,
		"session.timeout =":                                   `main.ini:3:1: session.timeout: Session timeout must be an integer.`,
		"session.cookie_expires = -1":                         `session.cookie_expires = "-1": ` + expires,
		"session.cookie_expires = None":                       expires,
		"session.cookie_expires =":                            expires,
		"session.cookie_expires = never":                      expires,
		"session.cookie_expires = 2030-01-01":                 expires,
		"session.cookie_expires = 00":                         "Invalid argument for cookie_expires: 0",
		"session.cookie_expires = 999999999999":               "further away than the year 9999",
		"\nsession.secret =":                                  "main.ini:4:1: session.secret: Empty strings are invalid for: Session secret must be a string.",
		"session.cookie_domain =":                             "Empty strings are invalid for: Cookie domain must be a string.",
		"session.key =":                                       "Empty strings are invalid for: Session key must be a string.",
		"session.type =":                                      "Empty strings are invalid for: Session type must be a string.",
		"session.data_dir =":                                  "Empty strings are invalid for: data_dir must be a string referring to a directory.",
		"session.encrypt_key =":                               "Empty strings are invalid for: Session encrypt_key must be a string.",
		"session.secure = 2":                                  `session.secure = "2": Session secure must be a boolean. (write true or false)`,
		"session.httponly =":                                  "Session httponly must be a boolean.",
		"session.auto = maybe":                                "Session is created if accessed.",
		"session.save_accessed_time = x":                      "Session save_accessed_time must be a boolean (defaults to true).",
		"session.timeout = 9\nsession.save_accessed_time = f": "main.ini:4:1: session.save_accessed_time = \"f\": save_accessed_time must be true to use timeout",
		"session.encrypt_nonce_bits = x":                      "Session encrypt_nonce_bits must be a number",
		"session.encrypt_nonce_bits = 50":                     "Nonce complexity currently supports multiples of 8",
		"session.data_serializer = JSON":                      "Invalid value for data_serializer: JSON",
		"session.crypto_type = nope":                          "No crypto backend with name 'nope' is registered.",
		"session.crypto_type =":                               "No crypto backend with name '' is registered.",
		"session.secret =\nsession.timeout = x":               "Session secret must", // Beaker's order
		"session.timeout = " + strings.Repeat("x", 99):        strings.Repeat("x", 60) + `"…`,
	} {
		c, err := Load(writeFile(t, "[app:main]\nuse = egg:shop\n"+lines+"\n"), LoadOptions{Dialect: Python3})
		if err == nil {
			_, _, err = c.Session()
			var e *Error
			require.ErrorAs(t, err, &e, lines)
			require.Equal(t, KindOption, e.Kind, lines)
		}
		require.ErrorContains(t, err, want, lines)
	}
}

func TestWarnings(t *testing.T) {
	for lines, want := range map[string][]string{
		"session.key = a":                        nil,
		"session_key = a":                        {"main.ini:3:1: session_key: the prefix session_ is deprecated in Beaker; write session.key"},
		"session.timout = 9":                     {"session.timout: Beaker has no such option and hands it to its back end; did you mean timeout?"},
		"session.http_only = true":               {"did you mean httponly?"},
		"session.completely_else = 1":            {"session.completely_else: Beaker has no such option and hands it to its back end"},
		"session." + strings.Repeat("x", 40):     nil,
		"session.secret = None":                  {"session.secret: this is the text None"},
		"session.cookie_expires = 0":             {"Beaker takes 0 for false"},
		"session.webtest_varname = x":            {"session.webtest_varname: gobeaker has no such option and ignores it"},
		"session.invalidate_corrupt = false":     {`in Python the text "false" is true; gobeaker reads it as it is written`},
		"session.key = a\nbeaker.session.key =b": {"main.ini:4:1: beaker.session.key: also set as session.key on line 3"},
		"session.key = a\nbeaker.session.key =a": nil,
		"a = 1":                                  {"main.ini:1:1: beaker.session: application \"main\" sets no session option"},
	} {
		if !strings.Contains(lines, "=") {
			lines += " = 1"
			want = []string{"hands it to its back end"}
		}
		if strings.Contains(lines, "session") { // and nothing else to warn of
			lines += "\nsession.type = memory"
			if !strings.Contains(lines, "secret") {
				lines += "\nsession.secret = s"
			}
		}
		_, got, err := session(t, lines, LoadOptions{Dialect: Python3})
		require.NoError(t, err, lines)
		require.Len(t, got, len(want), "%s: %v", lines, got)
		for i := range want {
			require.Contains(t, got[i], want[i], lines)
		}
	}
	_, got, err := session(t, "session.key = a\nbeaker.session.key =b", LoadOptions{Dialect: Python2})
	require.NoError(t, err)
	require.Contains(t, got[0], "Python 2 takes either")
}

// Settings with which nothing is shared, or with which anybody gets in.
func TestUnsafeSettings(t *testing.T) {
	const (
		memory   = "session.data_dir: there is neither a type nor a data_dir (nor a cache_dir): sessions are in the memory of each process"
		unsigned = "session.secret: there is no secret: the cookie is the bare session id"
		relative = "is a relative path: it is looked up in the working directory of each process, in Python as well as here"
	)
	for lines, want := range map[string][]string{
		"session.key = a": {"main.ini:1:1: " + memory, "main.ini:1:1: " + unsigned},
		"session.type = memory\nsession.secret = s":                 nil,
		"session.type = memory":                                     {unsigned},
		"session.type = cookie\nsession.validate_key = s":           nil,
		"session.data_dir = %(here)s/d\nsession.secret = s":         nil,
		"session.file_dir = /d\nsession.secret = s":                 nil,
		"cache_dir = /c\nsession.secret = s":                        nil,
		"cache_dir = c\nsession.secret = s":                         {`main.ini:3:1: cache_dir: "c/sessions" ` + relative},
		"beaker.session.data_dir = d\nsession.secret = s":           {`main.ini:3:1: beaker.session.data_dir: "d" ` + relative},
		"session.type = file\nsession.lock_dir=d\nsession.secret=s": {`session.lock_dir: "d" ` + relative},
	} {
		_, got, err := session(t, lines, LoadOptions{})
		require.NoError(t, err, lines)
		require.Len(t, got, len(want), "%s: %v", lines, got)
		for i := range want {
			require.Contains(t, got[i], want[i], lines)
		}
	}
	c, err := Load(writeFile(t, "[app:main]\nuse = egg:x\ncache_dir = c\n"), LoadOptions{})
	require.NoError(t, err)
	_, warnings, err := c.Session()
	require.NoError(t, err)
	var options []string
	for _, w := range warnings {
		options = append(options, w.Option)
	}
	require.Equal(t, []string{"", "data_dir", "secret"}, options)
}

func TestDialectDifferences(t *testing.T) {
	const base = "\nsession.secret = 5%%0\nsession.type = memory"
	for lines, want := range map[string]string{
		"":                                   "session.secret: Python 2 and Python 3 read this differently: %% in it is one % to Python 3",
		"session.table_name = a ; c":         `what follows " ;" is a comment to Python 2`,
		"session.table_name=\"\"":            `to Python 2 the value "" is empty`,
		"session.table_name = a\n  # b\n  c": "the comments and empty lines among the lines that continue it",
	} {
		_, got, err := session(t, lines+base, LoadOptions{})
		require.NoError(t, err, lines)
		all := strings.Join(got, "\n")
		require.Contains(t, all, want, lines)
		require.Contains(t, all, `or ini_dialect = "python2" in the [session]`)
		require.NotContains(t, all, "5%")
		_, got, err = session(t, lines+base, LoadOptions{Dialect: Python3})
		require.NoError(t, err, lines)
		require.Empty(t, got, "%s: a dialect that is named is no reason for warnings", lines)
	}
}

// The two dialects may find a setting in different places, or not at all.
func TestDifference(t *testing.T) {
	at := func(line int, value string) Setting {
		return Setting{Value: value, Position: Position{"a.ini", line, 1}}
	}
	for want, got := range map[string]string{
		"to Python 2 it is not set":                                       difference(at(1, "x"), true, Setting{}, false),
		"to Python 3 it is not set":                                       difference(Setting{}, false, at(1, "x"), true),
		"Python 3 takes it from line 2 of a.ini, Python 2 from line 1 of": difference(at(2, "x"), true, at(1, "y"), true),
		"comments after a value, %":                                       difference(at(1, "x"), true, at(1, "y"), true),
	} {
		require.Contains(t, got, want)
	}
	settings := func(d Dialect, conf ...[2]string) *Config {
		c := &Config{dialect: d, root: &context{global: newTable(), local: newTable()}}
		for i, p := range conf {
			c.root.local.set(Setting{Key: p[0], Value: p[1], Position: Position{"a.ini", i + 1, 1}})
		}
		return c
	}
	got := differences(settings(Python3), settings(Python2, [2]string{"session.key", "k"}))
	require.Len(t, got, 1)
	require.Equal(t, "session.key", got[0].Key)
	require.Contains(t, got[0].Msg, "to Python 3 it is not set")
}

func TestParseDialect(t *testing.T) {
	for _, d := range []Dialect{Auto, Python2, Python3} {
		got, err := ParseDialect(d.String())
		require.NoError(t, err)
		require.Equal(t, d, got)
	}
	got, err := ParseDialect("")
	require.NoError(t, err)
	require.Equal(t, Auto, got)
	_, err = ParseDialect("python4")
	require.ErrorContains(t, err, "use auto, python2, python3 (3.10 and later) or python3.9 (3.6 to 3.9)")
}

func TestBooleansAsBeakerReadsThem(t *testing.T) {
	o, got, err := session(t, "session.invalidate_corrupt = false\nsession.use_cookies = no", LoadOptions{Booleans: BoolAsBeaker})
	require.NoError(t, err)
	require.True(t, o.InvalidateCorrupt)
	require.True(t, o.UseCookies)
	require.Contains(t, got[0], "gobeaker reads it as Beaker does")
}

func TestWarningWithoutPlace(t *testing.T) {
	require.Equal(t, "k: m", Warning{Key: "k", Msg: "m"}.String())
}

func TestBeakerAsFilter(t *testing.T) {
	const filter = "[filter:s]\nuse = egg:Beaker#beaker_session\nsession.type = memory\nsession.key = inner\nsecret = x\ntimeout = 60\n"
	for name, text := range map[string]string{
		"pipeline":    "[pipeline:main]\npipeline = s a\n",
		"filter-with": "[pipeline:main]\npipeline = b\n[app:b]\nuse = a\nfilter-with = s\n",
		"filter-app":  "[filter-app:main]\nnext = a\nuse = egg:beaker#beaker_session\nsession.type = memory\nsession.key = inner\nsecret = x\ntimeout = 60\n",
		"two of them": "[pipeline:main]\npipeline = outer s a\n[filter:outer]\npaste.filter_factory = beaker.middleware:session_filter_factory\nsession.key = outer\n",
		"by use":      "[pipeline:main]\npipeline = t a\n[filter:t]\nuse = s\n",
		"on a filter": "[pipeline:main]\npipeline = t a\n[filter:t]\nuse = egg:t\nfilter-with = s\n",
	} {
		c, err := Load(writeFile(t, "[DEFAULT]\nsession.lock_dir = /l\n"+text+filter+"[app:a]\nuse = egg:x\nsession.key = no\ncache_dir = /c\n"), LoadOptions{})
		require.NoError(t, err, name)
		o, warnings, err := c.Session()
		require.NoError(t, err, name)
		require.Equal(t, changed(func(o *compat.Options) {
			o.Type, o.Key, o.Secret, o.Timeout, o.LockDir = "memory", "inner", "x", time.Minute, "/l"
		}), o, name)
		require.Len(t, warnings, 1, name)
		require.Contains(t, warnings[0].String(), "timeout: without a prefix Beaker takes it for text")
	}
	// Another filter changes nothing.
	c, err := Load(writeFile(t, "[pipeline:main]\npipeline = f a\n[filter:f]\nuse = egg:f\nsession.key = no\n[app:a]\nuse = egg:x\nsession.key = a\n"), LoadOptions{})
	require.NoError(t, err)
	o, _, err := c.Session()
	require.NoError(t, err)
	require.Equal(t, "a", o.Key)
}

func TestSettingsInsideAComposite(t *testing.T) {
	path := writeFile(t, "[composite:main]\nuse = egg:Paste#urlmap\n/ = a\n[app:a]\nuse = egg:x\nsession.key = a\n")
	c, err := Load(path, LoadOptions{App: "a"})
	require.NoError(t, err)
	s, err := c.SessionSettings()
	require.NoError(t, err)
	require.Len(t, s, 1)
	require.Equal(t, Setting{Key: "key", Value: "a", Position: Position{path, 6, 1}, Section: "app:a"}, s[0])
}

func TestAutoDialect(t *testing.T) {
	load := func(text string) *Config {
		c, err := Load(writeFile(t, text), LoadOptions{})
		require.NoError(t, err)
		return c
	}
	require.Equal(t, Python3, load("[app:main]\nuse = egg:x\n  # c\na = 1\n").Dialect())
	require.Equal(t, Python2, load("[app:main]\nuse = egg:x\na = 50%\n").Dialect())
	require.Equal(t, Python2, load("[app:main]\nuse = egg:x\na = 1\na = 2\n").Dialect())
	require.Equal(t, Python3, load("[app:main]\n  use = egg:x\n").Dialect())

	// What both can read, but not alike, is said.
	_, got, err := session(t, "session.table_name = a ; c\nx = \"\"\nsession.type = memory\nsession.secret = s", LoadOptions{})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Contains(t, got[0], "main.ini:3:1: session.table_name: Python 2 and Python 3 read this differently")
	// Neither can read it: Python 3's error.
	_, err = Load(writeFile(t, "[app:main]\nuse = egg:x\nb = 1\nb = 1\nword\n"), LoadOptions{})
	require.Equal(t, KindDuplicateOption, err.(*Error).Kind)
	// Composites have no session to compare.
	require.Empty(t, load("[composite:main]\nuse = egg:x\n").warnings)
}

func TestOwnFiles(t *testing.T) {
	dir := filepath.Join("..", "testdata", "ini")
	root, err := filepath.Abs(dir)
	require.NoError(t, err)
	open := func(name string) (compat.Options, []Warning) {
		c, err := Load(filepath.Join(dir, name), LoadOptions{})
		require.NoError(t, err)
		o, warnings, err := c.Session()
		require.NoError(t, err)
		return o, warnings
	}
	o, warnings := open("development.ini")
	require.Empty(t, warnings)
	require.Equal(t, changed(func(o *compat.Options) {
		o.Key, o.Secret, o.Timeout, o.DataDir = "shop", "only-for-development", time.Hour, root+"/data/sessions"
	}), o)

	o, warnings = open("production.ini")
	require.Contains(t, warnings[0].Msg, "%% in it is one % to Python 3") // in the secret
	require.Contains(t, warnings[1].Msg, "if the application is one of pyramid_beaker, name the framework")
	for _, w := range warnings {
		require.NotContains(t, w.String(), "really")
	}
	twoWeeks := 14 * 24 * time.Hour
	require.Equal(t, changed(func(o *compat.Options) {
		o.Type, o.Key, o.Secret, o.Auto, o.Timeout = "file", "shop", "50%-of/this:is=secret;really", true, twoWeeks
		o.DataDir, o.LockDir, o.CookieDomain = "/var/lib/shop/shop/sessions", "/var/lib/shop/locks", ".shop.example.org"
		o.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: twoWeeks}
		o.Secure, o.HTTPOnly = true, true
	}), o)

	o, _ = open("filters.ini")
	require.Equal(t, changed(func(o *compat.Options) {
		o.Type, o.Key, o.Secret, o.Timeout = "memory", "portal", "in-the-filter", 10*time.Minute
	}), o)

	c, err := Load(filepath.Join(dir, "python2.ini"), LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, Python2, c.Dialect())
	o, _ = open("python2.ini")
	require.Equal(t, changed(func(o *compat.Options) { o.Key, o.Secret = "old", "second" }), o)
}

func TestNearest(t *testing.T) {
	require.Equal(t, "secret", meant("Secrte"))
	require.Equal(t, "", meant("id2x"))
	require.Equal(t, 3, distance("kitten", "sitting"))
	require.Equal(t, "sessions", posixJoin("", "sessions"))
}
