package iniconf

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
)

// guess is what a file looks like, and why.
type guess struct {
	framework Framework
	sign      Setting   // what gives it away; no Key: nothing does
	instead   Framework // what it may be as well; GuessFramework: nothing
}

// signs are settings that only one framework has. A name that ends with a dot, or with
// an underscore, is a prefix.
var (
	ckanSigns    = []string{"ckan.site_id", "ckan.site_url", "ckan.plugins"}
	ckan29Signs  = []string{"who.config_file", "app_instance_uuid", "full_stack", "ckan.legacy_templates"}
	ckan210Signs = []string{"config.mode", "WTF_CSRF_", "REMEMBER_COOKIE_", "ckan.csrf_protection.", "ckan.user.last_active_interval"}
	pyramidSigns = []string{"pyramid."}
	// turboGearsSigns are those of TurboGears 2.3 and later, which quickstart writes.
	turboGearsSigns = []string{"session.enabled", "i18n.no_session_touch", "trace_errors.", "trace_slowreqs.", "tg.",
		"templating.genshi.", "templating.mako.", "templating.kajiki."}
)

// guess decides what was left open.
func (c *Config) guess(app *context) guess {
	switch c.framework {
	case GuessFramework:
		return guessFramework(app)
	case CKAN:
		return guessCKAN(app, Setting{Key: "framework", Position: app.position()})
	}
	return guess{framework: c.framework}
}

// guessFramework goes by settings that nobody else would write. With none of
// them a file is Pylons' if it has a cache_dir, which Beaker alone does not read.
func guessFramework(app *context) guess {
	conf := app.merged()
	if strings.HasPrefix(strings.ToLower(app.factory)+"#", "egg:ckan#") {
		return guessCKAN(app, Setting{Key: "use = " + app.factory, Position: app.position()})
	}
	if sign, ok := firstSign(conf, ckanSigns); ok {
		return guessCKAN(app, sign)
	}
	if strings.HasPrefix(strings.ToLower(app.factory), "egg:rhodecode-") { // 4 and later; it has a pyramid_beaker of its own
		return guess{framework: Pyramid}
	}
	if sign, ok := firstSign(conf, pyramidSigns); ok {
		if cache, ok := conf.get("cache_dir"); ok && needsDataDir(conf) {
			return guess{Pylons, cache, Pyramid}
		}
		if hasWord(conf.valueOf("pyramid.includes"), "pyramid_beaker") {
			return guess{framework: Pyramid, sign: sign}
		}
		return guess{Pyramid, sign, Pylons}
	}
	if sign, ok := firstSign(conf, turboGearsSigns); ok {
		if hasPrefixed(conf, "beaker.session.") {
			return guess{TurboGears24, sign, TurboGears}
		}
		if conf.has("session.enabled") { // no older release has it
			return guess{framework: TurboGears, sign: sign}
		}
		return guess{TurboGears, sign, Pylons}
	}
	if conf.has("cache_dir") {
		return guess{framework: Pylons}
	}
	return guess{framework: PlainBeaker}
}

// needsDataDir reports whether sessions are in files that nothing but a cache_dir says
// the place of.
func needsDataDir(conf *table) bool {
	kind := ""
	for _, set := range conf.items {
		switch name, _, _ := bareName(set.Key); name {
		case "data_dir", "file_dir", "dbm_dir":
			return false
		case "type":
			kind = set.Value
		}
	}
	return kind == "" || kind == "file" || kind == "dbm"
}

// guessCKAN tells the releases of CKAN apart, whose defaults differ much.
func guessCKAN(app *context, sign Setting) guess {
	conf := app.merged()
	if newer, ok := firstSign(conf, ckan210Signs); ok {
		return guess{framework: CKAN210, sign: newer}
	}
	if _, older := firstSign(conf, ckan29Signs); older {
		return guess{framework: CKAN29, sign: sign}
	}
	return guess{CKAN29, sign, CKAN210}
}

func firstSign(conf *table, signs []string) (Setting, bool) {
	for _, set := range conf.items {
		for _, sign := range signs {
			prefix := strings.HasSuffix(sign, ".") || strings.HasSuffix(sign, "_")
			if set.Key == sign || prefix && strings.HasPrefix(set.Key, sign) {
				return set, true
			}
		}
	}
	return Setting{}, false
}

func hasPrefixed(conf *table, prefix string) bool {
	return slices.ContainsFunc(conf.items, func(s Setting) bool { return strings.HasPrefix(s.Key, prefix) })
}

// sayGuess warns if the file comes to something else with another framework.
func (c *Config) sayGuess(s *sessionSettings, g guess, app *context) {
	names := c.different(g.framework, g.instead, app)
	if s.derived["data_serializer"].Because == jsonOfQuickstart { // has a warning of its own
		names = slices.DeleteFunc(names, func(name string) bool { return name == "data_serializer" })
	}
	if len(names) == 0 {
		return
	}
	s.warnAbout(CodeFrameworkGuessed, "", g.sign, "this makes the file one of %s, which decides %s; if the application is one of %s, %s",
		g.framework, strings.Join(names, ", "), g.instead, g.instead.howToSay())
}

// different names the options that two frameworks do not agree on; none if either
// refuses the file.
func (c *Config) different(a, b Framework, app *context) []string {
	first, second := c.readAs(a, app), c.readAs(b, app)
	o1, err1 := first.options(c.rules())
	o2, err2 := second.options(c.rules())
	if err1 != nil || err2 != nil {
		return nil
	}
	var out []string
	for _, info := range optionInfos {
		if !reflect.DeepEqual(info.valueOf(&o1), info.valueOf(&o2)) {
			out = append(out, info.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o1.Extra)) {
		if _, known := LookupOption(name); !known && o2.Extra[name] == "" {
			out = append(out, name)
		}
	}
	return out
}

// options are those that the settings come to.
func (s *sessionSettings) options(by rules) (compat.Options, error) {
	o, err := s.coerce(by)
	if s.propagatesCorrupt() {
		o.InvalidateCorrupt = false
	}
	return o, err
}

// foreign takes out what is a setting of one framework and none of Beaker's, and says
// what it does.
func (s *sessionSettings) foreign(set Setting, name string) bool {
	switch name {
	case "enabled":
		if s.framework.turboGears() {
			// app_cfg.py has session.enabled, so its place is before all of the file.
			if s.enabled == nil || strings.HasPrefix(set.Key, "beaker.") || strings.HasPrefix(s.enabled.Key, "session.") {
				s.enabled = &set
			}
			return true
		}
		s.warn(CodeForeign, set, "TurboGears' switch for sessions, which %s does not know", s.framework.maker())
	case "tg_avoid_touch":
		s.warn(CodeObsolete, set, "nothing honours this any more. TurboGears 2.1.2 to 2.3.4 did: when it looked up the visitor's language, "+
			"the session did not count as accessed, so that a page that uses no session saved none; from 2.3.5 on that is i18n.no_session_touch. "+
			"In Go, a route that only reads uses middleware.Peek, which writes nothing")
	case "cookie_on_exception":
		s.cookieOnException(set)
	case "constant_csrf_token":
		s.warn(CodeIgnored, set, "a setting of pyramid_beaker for tests: the one CSRF token of all sessions; gobeaker has no such thing and ignores it")
	default:
		return false
	}
	return true
}

// cookieOnException: pyramid_beaker takes it by pyramid.settings.asbool, to which
// everything but its own words is false; unset it is true (false in 0.4).
func (s *sessionSettings) cookieOnException(set Setting) {
	if s.framework != Pyramid {
		s.warn(CodeForeign, set, "a setting of pyramid_beaker, which %s does not know", s.framework.maker())
		return
	}
	switch strings.ToLower(strings.TrimSpace(set.Value)) {
	case "t", "true", "y", "yes", "on", "1":
		s.warn(CodeCookieOnException, set, "pyramid_beaker's default: a session is saved also if the view raises. In Go, nothing is saved of a handler that panics; one that answers the error itself saves")
		return
	}
	s.warn(CodeCookieOnException, set, "pyramid_beaker does not save a session if the view raises. In Go, nothing is saved of a handler that panics either; one that answers the error itself must not have called Save")
}

// maker is the framework's name in a sentence.
func (f Framework) maker() string {
	if f == PlainBeaker {
		return "Beaker"
	}
	return f.String()
}
