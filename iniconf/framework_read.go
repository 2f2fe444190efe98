package iniconf

import (
	"slices"
	"strings"
)

// readAs collects the session settings of an application as its framework does.
func (c *Config) readAs(f Framework, app *context) *sessionSettings {
	s := newSessionSettings(f, app)
	conf := app.merged()
	switch f {
	case TurboGears, TurboGears24:
		s.turboGears(conf, c)
	case Pyramid:
		s.pyramid(app, c)
	case CKAN29:
		s.ckan29(conf, c)
		s.shadowed(app)
	case CKAN210:
		s.ckan210(conf, c)
		s.shadowed(app)
	default:
		s.collect(conf, c.dialect)
		s.nothingSet(c)
		if f != PlainBeaker {
			s.pylonsDefaults(conf, c.dialect)
		}
	}
	return s
}

func (s *sessionSettings) nothingSet(c *Config) {
	if len(s.opts.items) == 0 {
		s.warnAbout(CodeNothingSet, "", Setting{Key: "beaker.session", Position: s.at}, "application %q sets no session option; these are Beaker's defaults. Is it the right application? If not, name it, %s", c.app, howToName)
	}
}

// onlyPrefixes are those that a framework knows; the others are warned of.
func (s *sessionSettings) onlyPrefixes(prefixes ...string) { s.prefixes = prefixes }

// reads reports whether the framework sees settings with this prefix.
func (s *sessionSettings) reads(prefix string) bool {
	return s.prefixes == nil || slices.Contains(s.prefixes, prefix)
}

// unread warns of a setting that Beaker would read and the framework does not.
func (s *sessionSettings) unread(set Setting, name, prefix string) {
	switch {
	case s.framework == TurboGears && prefix == "beaker.session.":
		s.warn(CodeUnread, set, "TurboGears 2.5 does not read this: write session.%s. (Up to 2.4 it did: if this is an older one, %s)",
			clip(name), TurboGears24.howToSay())
	default:
		s.warn(CodeUnread, set, "%s does not read this: write %s", s.framework.maker(), s.write(clip(name)))
	}
}

// write is how an option is written in the ini of this framework.
func (s *sessionSettings) write(name string) string {
	if s.framework.turboGears() {
		return "session." + name
	}
	return "beaker.session." + name
}

// derive sets an option to what the framework makes of another setting, or to a
// default of the framework, whose set has no key.
func (s *sessionSettings) derive(name string, set Setting, because string) {
	s.put(name, set)
	if set.Key == "" {
		s.written[name] = s.write(name)
	}
	s.derived[name] = Origin{Kind: FromFramework, Position: set.Position, Written: set.Key, Via: set.Via, Because: because}
}

// pylonsDefaults adds what Pylons derives from cache_dir (pylons/configuration.py,
// PylonsConfig.init_app; TurboGears up to 2.3.4: tg/configuration/app_config.py).
func (s *sessionSettings) pylonsDefaults(conf *table, d Dialect) {
	cache, ok := conf.get("cache_dir")
	if !ok {
		return
	}
	cache.Value = posixJoin(cache.Value, "sessions")
	set, already := s.opts.get("data_dir")
	if !already {
		s.derive("data_dir", cache, "cache_dir, as Pylons does")
		return
	}
	if s.written["data_dir"] != "beaker.session.data_dir" && d == Python2 && set.Value != cache.Value {
		set.Key = s.written["data_dir"]
		s.warnAbout(CodeTwice, "data_dir", set, "Pylons sets beaker.session.data_dir from cache_dir besides, and Python 2 takes either, in no order that the file decides; this one is used here. Write beaker.session.data_dir")
	}
}

// jsonOfQuickstart is why sessions of TurboGears are JSON.
const jsonOfQuickstart = "a guess: config/app_cfg.py, as TurboGears' quickstart writes it"

// turboGears: tg/appwrappers/session.py, SessionApplicationWrapper.__init__, and
// tg/configurator/components/session.py (2.3: tg/configuration/app_config.py,
// AppConfig._init_config). There the data_dir from cache_dir is added last, as
// session.data_dir, so it wins over a beaker.session.data_dir.
func (s *sessionSettings) turboGears(conf *table, c *Config) {
	s.onlyPrefixes("session.")
	if s.framework == TurboGears24 {
		s.onlyPrefixes("session.", "beaker.session.")
	}
	s.collect(conf, c.dialect)
	s.nothingSet(c)
	if cache, ok := conf.get("cache_dir"); ok && !conf.has("session.data_dir") {
		cache.Value = posixJoin(cache.Value, "sessions")
		if set, replaced := s.opts.get("data_dir"); replaced && set.Value != cache.Value {
			set.Key = s.written["data_dir"]
			s.warnAbout(CodeTwice, "data_dir", set, "TurboGears sets session.data_dir from cache_dir after this, and so replaces it; write session.data_dir")
		}
		s.derive("data_dir", cache, "cache_dir, as TurboGears does")
	}
	// The ini of a quickstart that names beaker.session.* is older than the JSON.
	if !s.opts.has("data_serializer") && !hasPrefixed(conf, "beaker.session.") {
		s.derive("data_serializer", Setting{Value: "json"}, jsonOfQuickstart)
		s.warnAbout(CodeSerializerGuessed, "data_serializer", Setting{Key: "session.data_serializer", Position: s.at},
			"not in the file: taken as json, which TurboGears' quickstart sets in config/app_cfg.py (from 2.3.8 on). If yours does not, write session.data_serializer = pickle")
	}
}

// pyramid: pyramid_beaker/__init__.py, session_factory_from_settings. An
// application's main(global_config, **settings) hands on its own section only.
func (s *sessionSettings) pyramid(app *context, c *Config) {
	s.onlyPrefixes("session.", "beaker.session.")
	s.collect(app.local, c.dialect)
	s.nothingSet(c)
	for _, set := range app.global.items {
		if name, _, ok := bareName(set.Key); ok && !app.local.has(set.Key) {
			s.warnAbout(CodeUnread, name, set, "Pyramid does not see this: an application is handed the settings of its own section that [DEFAULT] does not name, too, and none that begins with \"set\"; write it there alone")
		}
	}
}

// propagatesCorrupt reports whether a session that cannot be read is an error because
// nobody set invalidate_corrupt: Session has it off, and SessionMiddleware on.
func (s *sessionSettings) propagatesCorrupt() bool {
	return s.framework == Pyramid && !s.opts.has("invalidate_corrupt")
}

// shares warns if the files of the cache are in the directory of the sessions, whose
// files have names of the same form: what lists or sweeps sessions sees them, too.
func (s *sessionSettings) shares(cache []cacheDir) {
	mine := recordsDir(s.opts.valueOf("type"), s.opts.valueOf("data_dir"), s.opts.valueOf("file_dir"))
	for _, dir := range cache {
		if mine != "" && dir.path == mine {
			s.warnAbout(CodeCacheInSessions, "data_dir", dir.set, "the files of the cache are in the directory of the sessions: whatever lists or sweeps sessions there, gobeaker gc too, takes them for sessions; give the cache a directory of its own")
			return
		}
	}
}

// valueOf is the value of a setting, "" if it is not set.
func (t *table) valueOf(key string) string {
	set, _ := t.get(key)
	return set.Value
}

// hasWord reports whether a list of words, as of plugins, has one.
func hasWord(list, word string) bool { return slices.Contains(strings.Fields(list), word) }
