package iniconf

import (
	"fmt"
	"strings"
)

// envSetting is an environment variable that CKAN takes for a setting.
type envSetting struct {
	variable string
	key      string // of the ini
	value    string
}

// ckanEnvironment returns the variables that the plugin envvars turns into settings of
// sessions (ckanext/envvars/plugin.py, EnvvarsPlugin._envvar_to_ini): "CKAN___" cut off,
// in lower case, with a dot for "__". CKAN itself reads a few more
// (ckan/config/environment.py, CONFIG_FROM_ENV_VARS), none of which is a session's.
func (c *Config) ckanEnvironment() []envSetting {
	if c.lookupEnv == nil {
		return nil
	}
	keys := []string{"cache_dir", "beaker.session.sa.url"}
	for _, name := range beakerNames {
		keys = append(keys, "beaker.session."+name)
	}
	var out []envSetting
	for _, key := range keys {
		variable := "CKAN___" + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
		if value, ok := c.lookupEnv(variable); ok {
			out = append(out, envSetting{variable, key, value})
		}
	}
	return out
}

// withCKANEnvironment returns the settings with those of the environment in their
// place, if the plugin is on: what it sets replaces what the file says.
func (s *sessionSettings) withCKANEnvironment(conf *table, c *Config) *table {
	out := conf.clone()
	plugins, _ := conf.get("ckan.plugins")
	on := hasWord(plugins.Value, "envvars")
	if on && c.lookupEnv == nil {
		s.warnAbout(CodeEnvironmentUnread, "", plugins, "the plugin envvars has CKAN take settings from the environment (CKAN___BEAKER__SESSION__SECRET …), which is not read here: give LoadOptions.LookupEnv, or Environment.Getenv of package tomlconf")
	}
	for _, env := range c.ckanEnvironment() {
		name, _, ok := bareName(env.key)
		set := Setting{Key: env.key, Value: env.value, Section: "environment"}
		written := Setting{Key: env.variable}
		switch {
		case env.key == "cache_dir":
			s.warnAbout(CodeUnread, "data_dir", written, "CKAN makes data_dir of the cache_dir in the file, before the environment counts; set CKAN___BEAKER__SESSION__DATA_DIR")
		case !ok:
		case !on:
			s.warnAbout(CodeUnread, name, written, "%s is set in the environment and does not count: ckan.plugins has no envvars", env.variable)
		default:
			s.environment[env.key] = env.variable
			out.set(set)
		}
	}
	return out
}

// ckan29: ckan/config/middleware.py and middleware/pylons_app.py (2.0 to 2.9) are
// Pylons'; ckan/config/middleware/flask_app.py, make_flask_stack (2.7 to 2.9) takes
// beaker.session.* only, and is the stricter one about data_dir.
func (s *sessionSettings) ckan29(conf *table, c *Config) {
	s.collect(s.withCKANEnvironment(conf, c), c.dialect)
	s.nothingSet(c)
	for _, set := range conf.items {
		if name, prefix, ok := bareName(set.Key); ok && prefix != "beaker.session." {
			s.warn(CodeUnread, set, "CKAN 2.7 and later do not read this in Flask: write beaker.session.%s", clip(name))
		}
	}
	if kind := s.opts.valueOf("type"); kind == "" || kind == "file" {
		s.flaskDataDir(conf)
		return
	}
	if cache, ok := conf.get("cache_dir"); ok && !s.opts.has("data_dir") {
		cache.Value = posixJoin(cache.Value, "sessions")
		s.derive("data_dir", cache, "cache_dir, as CKAN's Pylons does")
	}
}

// flaskDataDir: conf.get('cache_dir') or conf.get('cache.dir'), so that without them
// the directory is "None/sessions", literally.
func (s *sessionSettings) flaskDataDir(conf *table) {
	if s.opts.valueOf("data_dir") != "" {
		return
	}
	cache, ok := conf.get("cache_dir")
	if cache.Value == "" {
		cache, ok = conf.get("cache.dir")
	}
	if ok {
		cache.Value = strings.TrimSuffix(cache.Value, "/") + "/sessions"
		s.derive("data_dir", cache, cache.Key+", as CKAN does")
		return
	}
	s.derive("data_dir", Setting{Value: "None/sessions", Position: s.at}, "CKAN without a cache_dir")
	s.warnAbout(CodeNoCacheDir, "data_dir", Setting{Key: "cache_dir", Position: s.at},
		"there is no cache_dir: CKAN from 2.7 on then keeps sessions in the directory None/sessions of wherever it was started, and CKAN before that in the memory of each process; set cache_dir")
}

// shadowed warns of what PasteDeploy takes from [DEFAULT] and CKAN's own reader, which
// it has from 2.9 on (ckan/cli, CKANConfigLoader), from the application's section.
func (s *sessionSettings) shadowed(app *context) {
	if app.section == nil {
		return
	}
	for _, set := range app.global.items {
		name, _, ok := bareName(set.Key)
		if set.Key == "cache_dir" {
			name, ok = "data_dir", true
		}
		if here, both := app.section.opts.get(set.Key); ok && both && set.Section == "DEFAULT" && here.Value != set.Value {
			s.warnAbout(CodeTwice, name, set, "also set on line %d of %s: CKAN from 2.9 on takes that one, and this one, which is used here, was taken up to 2.8; remove one", here.Line, here.File)
		}
	}
}

// ckanDefault is a default of ckan/config/config_declaration.yaml in 2.10.2 and later.
type ckanDefault struct {
	name, value string
	boolean     bool // read by ckan/logic/validators.py, boolean_validator
}

var ckanDefaults = []ckanDefault{
	{name: "key", value: "ckan"},
	{name: "type", value: "cookie"},
	{name: "samesite", value: "Lax"},
	{"auto", "false", true},
	{"cookie_expires", "false", true},
	{"save_accessed_time", "true", true},
	{"secure", "false", true},
	{"httponly", "true", true},
}

const ckanDeclaration = "config_declaration.yaml of CKAN 2.10"

// ckan210: ckan/config/middleware/flask_app.py, make_flask_stack, over what
// ckan/config/declaration (Declaration.make_safe and normalize) made of the settings.
func (s *sessionSettings) ckan210(conf *table, c *Config) {
	s.onlyPrefixes("beaker.session.")
	s.collect(s.withCKANEnvironment(conf, c), c.dialect)
	s.nothingSet(c)
	if !s.opts.has("type") {
		s.warnAbout(CodeTypeByRelease, "type", Setting{Key: "beaker.session.type", Position: s.at}, "not set: CKAN 2.10.2 and later keep sessions in the cookie then, CKAN 2.10.0 and 2.10.1 in files, as CKAN 2.9 does; set it")
	}
	for _, d := range ckanDefaults {
		set, ok := s.opts.get(d.name)
		switch {
		case !ok:
			s.derive(d.name, Setting{Value: d.value}, ckanDeclaration)
		case d.boolean:
			s.ckanBoolean(d.name, set)
		}
	}
	s.ckanTimeout(c.dialect)
	s.ckanValidateKey(conf)
	if s.opts.valueOf("type") == "file" {
		s.flaskDataDir(conf)
	}
}

// rewrite changes the value of a setting and leaves where it is from.
func (s *sessionSettings) rewrite(name string, set Setting, value string) {
	set.Value = value
	s.opts.setAs(name, set)
}

// ckanBoolean: to CKAN 2.10, whatever is not one of five words is false.
func (s *sessionSettings) ckanBoolean(name string, set Setting) {
	value := "false"
	switch strings.ToLower(set.Value) {
	case "true", "yes", "t", "y", "1":
		value = "true"
	case "false", "no", "f", "n", "0", "off", "":
	default:
		written := set
		written.Key = s.written[name]
		s.warnAbout(CodeFalseUnlessTrue, name, written, "CKAN 2.10 takes %s for false: it knows true, yes, t, y and 1, and nothing else is true", s.shown(name, set.Value))
	}
	s.rewrite(name, set, value)
}

// ckanTimeout: ckan/logic/validators.py, int_validator, is int(text), and nothing for
// blanks. What it refuses goes to Beaker as it is, as does here what is negative: no
// session would live.
func (s *sessionSettings) ckanTimeout(d Dialect) {
	set, ok := s.opts.get("timeout")
	if !ok {
		return
	}
	text := d.strip(set.Value)
	if text == "" {
		s.opts.pop("timeout")
		return
	}
	digits := strings.TrimPrefix(text, "+")
	if !strings.HasPrefix(digits, "_") && !strings.HasSuffix(digits, "_") && !strings.Contains(digits, "__") {
		digits = strings.ReplaceAll(digits, "_", "")
	}
	if n, ok := d.asint(digits); ok {
		s.rewrite("timeout", set, fmt.Sprint(n))
	}
}

// ckanValidateKey: validators configured_default("beaker.session.secret", None). They
// run before the environment counts, so a secret in the file goes before one there.
func (s *sessionSettings) ckanValidateKey(conf *table) {
	if s.opts.valueOf("validate_key") != "" {
		return
	}
	secret, ok := conf.get("beaker.session.secret")
	origin := Origin{Kind: FromFramework, Position: secret.Position, Written: secret.Key, Via: secret.Via}
	if !ok || secret.Value == "" {
		if secret, ok = s.opts.get("secret"); !ok {
			return
		}
		origin = s.derived["secret"]
	}
	s.put("validate_key", secret)
	origin.Because = "beaker.session.secret, as CKAN does from 2.10.4 on"
	s.derived["validate_key"] = origin
}
