package iniconf

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
)

// effective loads an application that has these lines.
func effective(t *testing.T, lines string, o LoadOptions) *Effective {
	t.Helper()
	if o.Dialect == Auto {
		o.Dialect = Python3
	}
	c, err := Load(writeFile(t, "[app:main]\nuse = egg:shop\n"+lines+"\n"), o)
	require.NoError(t, err)
	e, err := c.Effective()
	require.NoError(t, err, lines)
	return e
}

// notesOn are the warnings about an option.
func notesOn(e *Effective, option string) string {
	var out []string
	for _, w := range e.Warnings {
		if w.Option == option {
			out = append(out, w.Key+": "+w.Msg)
		}
	}
	return strings.Join(out, "\n")
}

func TestParseFramework(t *testing.T) {
	for f := GuessFramework; f <= CKAN210; f++ {
		got, err := ParseFramework(f.String())
		require.NoError(t, err)
		require.Equal(t, f, got)
	}
	for alias, want := range map[string]Framework{"": GuessFramework, "bottle": PlainBeaker, "pyramid": Pyramid, "turbogears-2.2": Pylons,
		"turbogears-2.3": TurboGears24, "turbogears-2.5": TurboGears} {
		got, err := ParseFramework(alias)
		require.NoError(t, err)
		require.Equal(t, want, got, alias)
	}
	_, err := ParseFramework("django")
	require.EqualError(t, err, `iniconf: framework "django" is not known: use one of auto, beaker, pylons, turbogears, turbogears-2.4, pyramid_beaker, ckan, ckan-2.9, ckan-2.10`)
}

func TestGuessFramework(t *testing.T) {
	const sure = "session.secret = s\nsession.data_dir = /d\n"
	for lines, want := range map[string]struct {
		framework Framework
		warning   string // about the guess; "" if it changes nothing, or there is none
	}{
		sure:                      {PlainBeaker, ""},
		sure + "cache_dir = /c":   {Pylons, ""},
		sure + "cache.type = x":   {PlainBeaker, ""},
		"session.enabled = true":  {TurboGears, ""},
		"tg.cookie_secret = x":    {TurboGears, ""},
		"trace_errors.from = x@y": {TurboGears, ""}, // the serializer has a warning of its own
		"trace_errors.from = x@y\ncache_dir = c\nsession.data_dir = d\nsession.enabled = no": {TurboGears, ""},
		"tg.x = y\nsession_secret = s": {TurboGears, "tg.x: this makes the file one of turbogears, which decides secret; if the application is one of pylons, name the framework (framework = \"pylons\" in the [session] of gobeaker.toml, --framework pylons)"},
		"trace_errors.from = x@y\nbeaker.session.secret = s": {TurboGears24,
			"which decides secret; if the application is one of turbogears, name the framework"},
		sure + "pyramid.includes = pyramid_beaker":                                        {Pyramid, ""},
		"cache_dir = /c\npyramid.includes = pyramid_debugtoolbar\n  pyramid_beaker":       {Pylons, "cache_dir: this makes the file one of pylons"}, // Pyramid would refuse it
		sure + "pyramid.reload_templates = on":                                            {Pyramid, "pyramid.reload_templates: this makes the file one of pyramid_beaker, which decides invalidate_corrupt; if the application is one of pylons"},
		"cache_dir = /c\npyramid.reload_templates = on":                                   {Pylons, "cache_dir: this makes the file one of pylons, which decides data_dir, invalidate_corrupt; if the application is one of pyramid_beaker"},
		sure + "cache_dir = /c\npyramid.debug = 1\nsession.invalidate_corrupt = true":     {Pyramid, ""},
		"cache_dir = /c\npyramid.debug = 1\nsession.type = cookie":                        {Pyramid, "decides data_dir, invalidate_corrupt"},
		"cache_dir = /c\nckan.site_id = x\nwho.config_file = w\nbeaker.session.key = k":   {CKAN29, ""},
		"cache_dir = /c\nckan.plugins = x\nbeaker.session.secret = k":                     {CKAN29, "ckan.plugins: this makes the file one of ckan-2.9, which decides data_dir, type, cookie_expires, key, validate_key, httponly;"},
		"ckan.site_url = http://x\nWTF_CSRF_ENABLED = true\nbeaker.session.secret = k":    {CKAN210, ""},
		"ckan.site_url = http://x\nckan.csrf_protection.x = 1\nbeaker.session.secret = k": {CKAN210, ""},
	} {
		e := effective(t, lines, LoadOptions{})
		require.Equal(t, want.framework, e.Framework, lines)
		if want.warning == "" {
			for _, w := range e.Warnings {
				require.NotContains(t, w.Msg, "this makes the file", lines)
			}
			continue
		}
		require.Contains(t, notesOn(e, ""), want.warning, lines)
	}
	c, err := Load(writeFile(t, "[app:main]\nuse = egg:CKAN\ncache_dir = /c\n"), LoadOptions{})
	require.NoError(t, err)
	e, err := c.Effective()
	require.NoError(t, err)
	require.Equal(t, CKAN29, e.Framework)
	require.Contains(t, notesOn(e, ""), "use = egg:CKAN#main: this makes the file one of ckan-2.9")
}

// What only one of two readings hands to the back end counts, too; and where one of
// them is refused there is nothing to compare.
func TestGuessComparesWholeReadings(t *testing.T) {
	e := effective(t, "beaker.session.table_name = t\nbeaker.session.sa.pool = 3\ntrace_errors.x = y", LoadOptions{})
	require.Contains(t, notesOn(e, ""), "which decides table_name, sa.pool; if the application is one of turbogears, name the framework")
	e = effective(t, "session.secret = s\nsession_timeout = never\ntrace_errors.x = y", LoadOptions{})
	require.NotContains(t, notesOn(e, ""), "this makes the file")
}

// An egg that a pipeline names has no section of its own.
func TestEggWithoutSection(t *testing.T) {
	c, err := Load(writeFile(t, "[DEFAULT]\nsession.secret = s\nsession.type = memory\n[pipeline:main]\npipeline = egg:ckan\n"), LoadOptions{Dialect: Python3})
	require.NoError(t, err)
	e, err := c.Effective()
	require.NoError(t, err)
	require.Equal(t, CKAN29, e.Framework)
	require.Equal(t, "s", e.Options.Secret)
}

// A release of CKAN that was left open is decided, and a framework that was named is
// not guessed again.
func TestNamedFramework(t *testing.T) {
	require.Equal(t, CKAN29, effective(t, "cache_dir = /c", LoadOptions{Framework: CKAN}).Framework)
	require.Equal(t, CKAN210, effective(t, "config.mode = strict", LoadOptions{Framework: CKAN}).Framework)
	e := effective(t, "pyramid.includes = pyramid_beaker\nckan.site_id = x\ncache_dir = /c\nsession.secret = s", LoadOptions{Framework: PlainBeaker})
	require.Equal(t, PlainBeaker, e.Framework)
	require.Equal(t, "", e.Options.DataDir, "Beaker alone knows no cache_dir")
}

func TestFilterAndFramework(t *testing.T) {
	path := writeFile(t, "[pipeline:main]\npipeline = s a\n[filter:s]\nuse = egg:Beaker#beaker_session\nsession.key = outer\nbeaker.cache.type = file\n"+
		"[app:a]\nuse = egg:x\nsession.key = inner\nsession.enabled = true\n")
	for framework, want := range map[Framework]string{GuessFramework: "outer", PlainBeaker: "outer", TurboGears: "inner"} {
		c, err := Load(path, LoadOptions{Framework: framework})
		require.NoError(t, err)
		e, err := c.Effective()
		require.NoError(t, err)
		require.Equal(t, want, e.Options.Key, framework)
		require.Empty(t, e.Options.Extra)
	}
}

func TestPylonsDataDir(t *testing.T) {
	e := effective(t, "session.secret = s\ncache_dir = /c", LoadOptions{Framework: Pylons, Dialect: Python2})
	require.Equal(t, "/c/sessions", e.Options.DataDir)
	require.Equal(t, Origin{Kind: FromFramework, Position: Position{e.Config.Path(), 4, 1}, Written: "cache_dir", Because: "cache_dir, as Pylons does"}, e.Origins["data_dir"])
	require.Equal(t, e.Config.Path()+":4 (cache_dir, as Pylons does)", e.Origins["data_dir"].String())
	require.Empty(t, e.Warnings)

	for lines, warning := range map[string]string{
		"session.data_dir = /d\ncache_dir = /c":        "Python 2 takes either, in no order that the file decides; this one is used here",
		"beaker.session.data_dir = /d\ncache_dir = /c": "",
		"session.data_dir = /c/sessions\ncache_dir=/c": "",
	} {
		e := effective(t, "session.secret = s\n"+lines, LoadOptions{Framework: Pylons, Dialect: Python2})
		require.Equal(t, FromIni, e.Origins["data_dir"].Kind)
		if warning == "" {
			require.Empty(t, e.Warnings, lines)
		} else {
			require.Contains(t, notesOn(e, "data_dir"), warning)
		}
	}
}

func TestTurboGears(t *testing.T) {
	e := effective(t, "cache_dir = /c\nsession.secret = s\nbeaker.session.key = k\nsession_timeout = 9\nsession.enabled = on", LoadOptions{Framework: TurboGears})
	require.Equal(t, changed(func(o *compat.Options) { o.Secret, o.DataDir = "s", "/c/sessions" }), e.Options)
	require.Contains(t, notesOn(e, "key"), "beaker.session.key: TurboGears 2.5 does not read this: write session.key. (Up to 2.4 it did: if this is an older one, name the framework (framework = \"turbogears-2.4\"")
	require.Contains(t, notesOn(e, "timeout"), "session_timeout: turbogears does not read this: write session.timeout")
	require.Equal(t, "cache_dir, as TurboGears does", e.Origins["data_dir"].Because)
	require.False(t, e.Disabled)

	// Quickstart's JSON cookie sessions.
	e = effective(t, "cache_dir = /c\nsession.key = shop\nsession.secret = s\nsession.type = cookie\nsession.validate_key = s\ntrace_errors.x = y", LoadOptions{})
	require.Equal(t, TurboGears, e.Framework)
	require.Equal(t, "json", e.Options.DataSerializer)
	require.Equal(t, Origin{Kind: FromFramework, Because: jsonOfQuickstart}, e.Origins["data_serializer"])
	require.Contains(t, notesOn(e, "data_serializer"), "If yours does not, write session.data_serializer = pickle")
	e = effective(t, "session.secret = s\nsession.data_serializer = pickle\nsession.data_dir=/d", LoadOptions{Framework: TurboGears})
	require.Equal(t, "pickle", e.Options.DataSerializer)
	require.Empty(t, e.Warnings)

	e = effective(t, "cache_dir = /c\nbeaker.session.data_dir = /d\nbeaker.session.secret = s\nsession.key = k", LoadOptions{Framework: TurboGears24})
	require.Equal(t, changed(func(o *compat.Options) { o.Secret, o.DataDir, o.Key = "s", "/c/sessions", "k" }), e.Options)
	require.Contains(t, notesOn(e, "data_dir"), "beaker.session.data_dir: TurboGears sets session.data_dir from cache_dir after this")
}

func TestTurboGearsSwitch(t *testing.T) {
	e := effective(t, "session.enabled = No\ncache_dir = rel", LoadOptions{})
	require.True(t, e.Disabled)
	require.Contains(t, notesOn(e, "enabled"), "TurboGears makes no sessions at all")
	require.Empty(t, notesOn(e, "data_dir")+notesOn(e, "secret"), "what is off cannot be unsafe")
	require.Empty(t, e.Options.Extra)

	c, err := Load(writeFile(t, "[app:main]\nuse = egg:x\nsession.enabled = maybe\n"), LoadOptions{})
	require.NoError(t, err)
	_, err = c.Effective()
	require.ErrorContains(t, err, `main.ini:3:1: session.enabled: String is not true/false: "maybe" (write true or false)`)
	require.Equal(t, KindOption, err.(*Error).Kind)

	for framework, maker := range map[Framework]string{PlainBeaker: "Beaker", Pylons: "pylons"} {
		e = effective(t, "session.enabled = false", LoadOptions{Framework: framework})
		require.False(t, e.Disabled)
		require.Contains(t, notesOn(e, "enabled"), "TurboGears' switch for sessions, which "+maker+" does not know")
	}
	e = effective(t, "beaker.session.enabled = off\nsession.enabled = on", LoadOptions{Framework: TurboGears24})
	require.True(t, e.Disabled, "session.enabled has its place in app_cfg.py, before the file")
}

func TestSettingsThatBeakerNeverSees(t *testing.T) {
	for framework := GuessFramework; framework <= CKAN210; framework++ {
		e := effective(t, "beaker.session.tg_avoid_touch = true\nbeaker.session.secret = s\nbeaker.session.constant_csrf_token = t", LoadOptions{Framework: framework})
		require.Empty(t, e.Options.Extra, framework)
		if framework == TurboGears {
			continue // does not see the prefix
		}
		require.Contains(t, notesOn(e, "tg_avoid_touch"), "TurboGears 2.1.2 to 2.3.4 did", framework)
		require.Contains(t, notesOn(e, "tg_avoid_touch"), "middleware.Peek, which writes nothing", framework)
		require.Contains(t, notesOn(e, "constant_csrf_token"), "pyramid_beaker for tests", framework)
		require.NotContains(t, notesOn(e, "tg_avoid_touch"), "no such option")
	}
	for value, want := range map[string]string{"true": "pyramid_beaker's default", "Yes": "pyramid_beaker's default",
		"no": "pyramid_beaker does not save a session if the view raises", "what": "does not save"} {
		e := effective(t, "session.cookie_on_exception = "+value, LoadOptions{Framework: Pyramid})
		require.Contains(t, notesOn(e, "cookie_on_exception"), want)
		require.Empty(t, e.Options.Extra)
	}
	e := effective(t, "session.cookie_on_exception = no", LoadOptions{Framework: Pylons})
	require.Contains(t, notesOn(e, "cookie_on_exception"), "a setting of pyramid_beaker, which pylons does not know")
}

func TestPyramid(t *testing.T) {
	path := writeFile(t, "[DEFAULT]\nsession.secret = global\nsession.key = both\n[app:main]\nuse = egg:x\nsession.key = both\nset session.samesite = Strict\nbeaker.session.data_dir = /d\ncache_dir = /c\nsession_timeout = 9\n")
	c, err := Load(path, LoadOptions{Framework: Pyramid})
	require.NoError(t, err)
	e, err := c.Effective()
	require.NoError(t, err)
	require.Equal(t, changed(func(o *compat.Options) { o.DataDir, o.InvalidateCorrupt = "/d", false }), e.Options)
	require.Equal(t, "pyramid_beaker, which has none of SessionMiddleware's defaults", e.Origins["invalidate_corrupt"].Because)
	require.Contains(t, notesOn(e, "secret"), "Pyramid does not see this: an application is handed")
	require.Contains(t, notesOn(e, "samesite"), "none that begins with \"set\"")
	require.Contains(t, notesOn(e, "key"), "Pyramid does not see this")
	require.Contains(t, notesOn(e, "timeout"), "pyramid_beaker does not read this: write beaker.session.timeout")

	e = effective(t, "session.invalidate_corrupt = true\ncache_dir = /c", LoadOptions{Framework: Pyramid})
	require.True(t, e.Options.InvalidateCorrupt)
	require.Equal(t, FromIni, e.Origins["invalidate_corrupt"].Kind)
	require.Equal(t, "", e.Options.DataDir)
	require.Contains(t, notesOn(e, "data_dir"), "sessions are in the memory of each process")
}

func TestCKANUpTo29(t *testing.T) {
	for lines, want := range map[string]func(*compat.Options){
		"cache_dir = /tmp/x/\nbeaker.session.key = ckan": func(o *compat.Options) { o.Key, o.DataDir = "ckan", "/tmp/x/sessions" },
		"cache.dir = /tmp/x":                             func(o *compat.Options) { o.DataDir = "/tmp/x/sessions" },
		"cache.dir =":                                    func(o *compat.Options) { o.DataDir = "/sessions" },
		"cache_dir =\ncache.dir = /y":                    func(o *compat.Options) { o.DataDir = "/y/sessions" },
		"":                                               func(o *compat.Options) { o.DataDir = "None/sessions" },
		"cache_dir = /c\nbeaker.session.data_dir = /d":               func(o *compat.Options) { o.DataDir = "/d" },
		"cache_dir = /c\nbeaker.session.data_dir =":                  func(o *compat.Options) { o.DataDir = "/c/sessions" },
		"cache_dir = /c\nbeaker.session.type = dbm":                  func(o *compat.Options) { o.Type, o.DataDir = "dbm", "/c/sessions" },
		"cache_dir = /c\nbeaker.session.type = file":                 func(o *compat.Options) { o.Type, o.DataDir = "file", "/c/sessions" },
		"beaker.session.type = memory":                               func(o *compat.Options) { o.Type = "memory" },
		"cache_dir=/c\nsession.timeout = 60\nbeaker.session.auto=on": func(o *compat.Options) { o.DataDir, o.Timeout, o.Auto = "/c/sessions", time.Minute, true },
	} {
		e := effective(t, lines, LoadOptions{Framework: CKAN29})
		require.Equal(t, changed(want), e.Options, lines)
	}
	e := effective(t, "cache_dir = /c\nsession.timeout = 60", LoadOptions{Framework: CKAN29})
	require.Contains(t, notesOn(e, "timeout"), "CKAN 2.7 and later do not read this in Flask: write beaker.session.timeout")
	require.Equal(t, "cache_dir, as CKAN does", e.Origins["data_dir"].Because)
	e = effective(t, "", LoadOptions{Framework: CKAN29})
	require.Contains(t, notesOn(e, "data_dir"), "there is no cache_dir: CKAN from 2.7 on then keeps sessions in the directory None/sessions")
	require.Contains(t, notesOn(e, "data_dir"), "is a relative path")
}

// The table of ckan/config/config_declaration.yaml in CKAN 2.10.4 to 2.10.10.
func TestCKAN210(t *testing.T) {
	ckan := func(f func(*compat.Options)) compat.Options {
		return changed(func(o *compat.Options) {
			o.Key, o.Type, o.HTTPOnly, o.CookieExpires.Mode = "ckan", "cookie", true, compat.ExpiresNever
			o.Secret, o.ValidateKey = "s", "s"
			f(o)
		})
	}
	for lines, want := range map[string]func(*compat.Options){
		"":                                                            func(*compat.Options) {},
		"beaker.session.validate_key = v":                             func(o *compat.Options) { o.ValidateKey = "v" },
		"beaker.session.validate_key =":                               func(*compat.Options) {},
		"beaker.session.timeout = 60":                                 func(o *compat.Options) { o.Timeout = time.Minute },
		"beaker.session.timeout = +1_0":                               func(o *compat.Options) { o.Timeout = 10 * time.Second },
		"beaker.session.timeout =":                                    func(*compat.Options) {},
		"beaker.session.cookie_expires = true":                        func(o *compat.Options) { o.CookieExpires.Mode = compat.ExpiresWithBrowser },
		"beaker.session.cookie_expires = 1":                           func(o *compat.Options) { o.CookieExpires.Mode = compat.ExpiresWithBrowser },
		"beaker.session.cookie_expires = 2592000":                     func(*compat.Options) {},
		"beaker.session.cookie_expires =":                             func(*compat.Options) {},
		"beaker.session.secure = Yes":                                 func(o *compat.Options) { o.Secure = true },
		"beaker.session.secure = on":                                  func(*compat.Options) {},
		"beaker.session.httponly = maybe":                             func(o *compat.Options) { o.HTTPOnly = false },
		"beaker.session.save_accessed_time = on":                      func(o *compat.Options) { o.SaveAccessedTime = false },
		"beaker.session.samesite = Strict":                            func(o *compat.Options) { o.SameSite = "Strict" },
		"session.key = k\nsession_auto = on":                          func(*compat.Options) {},
		"cache_dir = /c/":                                             func(*compat.Options) {},
		"beaker.session.type = file\ncache_dir = /c":                  func(o *compat.Options) { o.Type, o.DataDir = "file", "/c/sessions" },
		"beaker.session.type = file\ncache.dir = /c":                  func(o *compat.Options) { o.Type, o.DataDir = "file", "/c/sessions" },
		"beaker.session.type = file":                                  func(o *compat.Options) { o.Type, o.DataDir = "file", "None/sessions" },
		"beaker.session.type = dbm\ncache_dir = /c":                   func(o *compat.Options) { o.Type = "dbm" },
		"beaker.session.type=ext:redis\nbeaker.session.url=redis://h": func(o *compat.Options) { o.Type, o.URL = "ext:redis", "redis://h" },
	} {
		e := effective(t, "beaker.session.secret = s\n"+lines, LoadOptions{Framework: CKAN210})
		require.Equal(t, ckan(want), e.Options, lines)
	}
	e := effective(t, "beaker.session.secret = s\nbeaker.session.cookie_expires = 300\nsession.key = k", LoadOptions{Framework: CKAN210})
	require.Contains(t, notesOn(e, "cookie_expires"), `beaker.session.cookie_expires: CKAN 2.10 takes "300" for false`)
	require.Contains(t, notesOn(e, "key"), "session.key: ckan-2.10 does not read this: write beaker.session.key")
	require.Contains(t, notesOn(e, "type"), "CKAN 2.10.2 and later keep sessions in the cookie then")
	require.Equal(t, Origin{Kind: FromFramework, Because: ckanDeclaration}, e.Origins["httponly"])
	require.Equal(t, Origin{Kind: FromFramework, Position: Position{e.Config.Path(), 3, 1}, Written: "beaker.session.secret",
		Because: "beaker.session.secret, as CKAN does from 2.10.4 on"}, e.Origins["validate_key"])
	require.Equal(t, FromIni, e.Origins["cookie_expires"].Kind)

	e = effective(t, "", LoadOptions{Framework: CKAN210})
	require.Equal(t, "", e.Options.ValidateKey)
	for _, text := range []string{"3.5", "x", "-5", "_5", "1__0", "+"} {
		c, err := Load(writeFile(t, "[app:main]\nuse = egg:x\nbeaker.session.timeout = "+text+"\n"), LoadOptions{Framework: CKAN210})
		require.NoError(t, err)
		_, err = c.Effective()
		require.ErrorContains(t, err, "Session timeout must be an integer.", text)
	}
}

func TestCKANEnvironment(t *testing.T) {
	environ := map[string]string{
		"CKAN___BEAKER__SESSION__SECRET": "from-env", "CKAN___BEAKER__SESSION__TIMEOUT": "60", "CKAN___CACHE_DIR": "/e",
		"CKAN_SITE_ID": "x", "BEAKER__SESSION__KEY": "no", "CKAN___BEAKER__SESSION__SA__URL": "db",
	}
	o := LoadOptions{LookupEnv: func(name string) (string, bool) { v, ok := environ[name]; return v, ok }}
	const on = "ckan.plugins = stats envvars\ncache_dir = /c\nbeaker.session.secret = file\n"
	o.Framework = CKAN29
	e := effective(t, on, o)
	require.Equal(t, "from-env", e.Options.Secret)
	require.Equal(t, time.Minute, e.Options.Timeout)
	require.Equal(t, "beaker.session.id", e.Options.Key)
	require.Equal(t, "/c/sessions", e.Options.DataDir)
	require.Equal(t, "environment CKAN___BEAKER__SESSION__SECRET", e.Origins["secret"].String())
	require.Equal(t, FromEnvironment, e.Origins["timeout"].Kind)
	require.Contains(t, notesOn(e, "data_dir"), "CKAN___CACHE_DIR: CKAN makes data_dir of the cache_dir in the file")
	require.Equal(t, "db", e.Options.Extra["sa.url"])

	// validate_key was made of the secret before the environment counted.
	o.Framework = CKAN210
	e = effective(t, on, o)
	require.Equal(t, "from-env", e.Options.Secret)
	require.Equal(t, "file", e.Options.ValidateKey)
	e = effective(t, "ckan.plugins = envvars", o)
	require.Equal(t, "from-env", e.Options.ValidateKey)
	require.Equal(t, Origin{Kind: FromEnvironment, Written: "CKAN___BEAKER__SESSION__SECRET", Because: "beaker.session.secret, as CKAN does from 2.10.4 on"},
		e.Origins["validate_key"])

	e = effective(t, "ckan.plugins = stats\ncache_dir = /c\nbeaker.session.secret = file", o)
	require.Equal(t, "file", e.Options.Secret, "the plugin is off")
	require.Contains(t, notesOn(e, "secret"), "CKAN___BEAKER__SESSION__SECRET is set in the environment and does not count: ckan.plugins has no envvars")

	o.Framework = Pylons
	e = effective(t, on, o)
	require.Equal(t, "file", e.Options.Secret, "only CKAN reads the environment")

	o.Framework = CKAN29
	environ["CKAN___BEAKER__SESSION__TIMEOUT"] = "x"
	c, err := Load(writeFile(t, "[app:main]\nuse = egg:ckan\n"+on), o)
	require.NoError(t, err)
	_, err = c.Effective()
	require.ErrorContains(t, err, `iniconf: CKAN___BEAKER__SESSION__TIMEOUT = "x": Session timeout must be an integer.`)
}

func TestCKANDefaultSection(t *testing.T) {
	for framework := CKAN29; framework <= CKAN210; framework++ {
		c, err := Load(writeFile(t, "[DEFAULT]\ncache_dir = /d\nbeaker.session.secret = d\nbeaker.session.key = same\ndebug = 1\n"+
			"[app:main]\nuse = egg:ckan\ncache_dir = /a\nbeaker.session.secret = a\nbeaker.session.key = same\ndebug = 0\n"), LoadOptions{Framework: framework})
		require.NoError(t, err)
		e, err := c.Effective()
		require.NoError(t, err)
		require.Equal(t, "d", e.Options.Secret)
		require.Contains(t, notesOn(e, "secret"), "beaker.session.secret: also set on line 9 of "+c.Path()+": CKAN from 2.9 on takes that one")
		require.Contains(t, notesOn(e, "data_dir"), "cache_dir: also set on line 8")
		require.Empty(t, notesOn(e, "key"))
	}
}

// The small files under testdata/ini, one for each framework that reads in its own way.
func TestFilesOfFrameworks(t *testing.T) {
	root, err := filepath.Abs("../testdata/ini")
	require.NoError(t, err)
	for name, want := range map[string]struct {
		framework Framework
		options   func(*compat.Options)
		warned    []string // options
	}{
		"turbogears.ini": {TurboGears, func(o *compat.Options) {
			o.Key, o.Type, o.DataSerializer, o.DataDir, o.Timeout = "shop", "cookie", "json", root+"/data/sessions", time.Hour
			o.Secret, o.ValidateKey = "only-for-development", "only-for-development"
		}, []string{"data_serializer"}},
		"pyramid.ini": {Pyramid, func(o *compat.Options) {
			o.Type, o.DataDir, o.LockDir = "file", root+"/data/sessions/data", root+"/data/sessions/lock"
			o.Key, o.Secret, o.InvalidateCorrupt = "shop", "only-for-development", false
		}, []string{"cookie_on_exception", "httponly"}},
		"ckan.ini": {CKAN210, func(o *compat.Options) {
			o.Key, o.Type, o.HTTPOnly, o.CookieExpires.Mode, o.Timeout = "shop", "cookie", true, compat.ExpiresNever, 30*24*time.Hour
			o.Secret, o.ValidateKey = "only-for-development", "only-for-development"
		}, []string{"cookie_expires", "type"}},
	} {
		c, err := Load(filepath.Join(root, name), LoadOptions{LookupEnv: func(string) (string, bool) { return "", false }})
		require.NoError(t, err, name)
		e, err := c.Effective()
		require.NoError(t, err, name)
		require.Equal(t, want.framework, e.Framework, name)
		require.Equal(t, changed(want.options), e.Options, name)
		var warned []string
		for _, w := range e.Warnings {
			warned = append(warned, w.Option)
		}
		slices.Sort(warned)
		require.Equal(t, want.warned, warned, "%s: %v", name, e.Warnings)
	}
}

func TestCache(t *testing.T) {
	path := writeFile(t, "[DEFAULT]\nbeaker.cache.regions = short\n[app:main]\nuse = egg:x\ncache.type = file\nbeaker.cache.data_dir = /c\ncached = no\nsession.data_dir = /s\nsession.secret = s\n")
	c, err := Load(path, LoadOptions{})
	require.NoError(t, err)
	var keys []string
	for _, s := range c.Cache() {
		keys = append(keys, s.Key)
	}
	require.Equal(t, []string{"beaker.cache.regions", "cache.type", "beaker.cache.data_dir"}, keys)
	e, err := c.Effective()
	require.NoError(t, err)
	require.Empty(t, e.Warnings)
	require.Empty(t, e.Options.Extra)
}

func TestCacheInTheDirectoryOfSessions(t *testing.T) {
	for lines, shared := range map[string]bool{
		"session.data_dir = /d\nbeaker.cache.data_dir = /d/\nbeaker.cache.type = file":                                  true,
		"session.data_dir = /d\nbeaker.cache.data_dir = /d":                                                             false, // in memory
		"session.data_dir = /d\nbeaker.cache.data_dir = /d\ncache.type = dbm":                                           false, // container_dbm
		"session.type=dbm\nsession.data_dir = /d\nbeaker.cache.data_dir = /d\ncache.type = dbm":                         true,
		"session.file_dir = /d/f\nsession.type = file\ncache.type = file\ncache.file_dir = /d/f":                        true,
		"session.data_dir = /d\nbeaker.cache.regions = a, b,\nbeaker.cache.a.type = file\nbeaker.cache.a.data_dir = /d": true,
		"session.data_dir = /d\nbeaker.cache.regions = a\nbeaker.cache.a.type = file\nbeaker.cache.data_dir = /d":       true,
		"session.data_dir = /d\nbeaker.cache.regions = b\nbeaker.cache.a.type = file\nbeaker.cache.a.data_dir = /d":     false, // no such region
		"session.type = memory\nbeaker.cache.type = file":                                                               false,
		"session.type = file\nsession.lock_dir = /d\nbeaker.cache.type = file\nbeaker.cache.data_dir = /d":              false,
	} {
		if !strings.Contains(lines, "session.data_dir") && !strings.Contains(lines, "session.type = file") && !strings.Contains(lines, "session.type = memory") {
			t.Fatal(lines)
		}
		e := effective(t, lines+"\nsession.secret = s", LoadOptions{})
		require.Equal(t, shared, strings.Contains(notesOn(e, "data_dir"), "the files of the cache are in the directory of the sessions"), lines)
	}
}
