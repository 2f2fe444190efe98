package iniconf

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
)

// Warning is something that is not an error to Beaker, yet hardly meant. It holds
// no value that may be a secret.
type Warning struct {
	Key string // as it stands in the file
	// Option is Beaker's name of what it is about ("secret", "data_dir" …), or
	// "" if it is about none in particular. That option may not be in the file.
	Option string
	Position
	Msg string // what is odd and what to do
}

// String returns "file:line:col: key: message".
func (w Warning) String() string {
	s := w.Key + ": " + w.Msg
	if p := w.Position.String(); p != "" {
		s = p + ": " + s
	}
	return s
}

// sessionSettings are the options of Beaker's SessionMiddleware under their bare
// names, with the names that they have in the file.
type sessionSettings struct {
	opts     *table
	at       Position          // of the section that they are from
	written  map[string]string // bare name → the name in the file
	warnings []Warning
}

// The prefixes that SessionMiddleware.__init__ knows.
var sessionPrefixes = [...]string{"beaker.session.", "session.", "session_"}

// bareName cuts a prefix off.
func bareName(key string) (name, prefix string, ok bool) {
	for _, prefix := range sessionPrefixes {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			return name, prefix, true
		}
	}
	return "", "", false
}

func (s *sessionSettings) warn(at Setting, format string, args ...any) {
	name := at.Key
	if bare, _, ok := bareName(name); ok {
		name = bare
	}
	s.warnAbout(name, at, format, args...)
}

func (s *sessionSettings) warnAbout(option string, at Setting, format string, args ...any) {
	s.warnings = append(s.warnings, Warning{Key: at.Key, Option: option, Position: at.Position, Msg: fmt.Sprintf(format, args...)})
}

// collect takes the prefixed settings of a config: the one that comes last
// wins, whichever prefix it has (beaker/middleware.py, SessionMiddleware.__init__).
func (s *sessionSettings) collect(from *table, d Dialect) {
	for _, set := range from.items {
		name, prefix, ok := bareName(set.Key)
		if !ok {
			continue
		}
		if prefix == "session_" {
			s.warn(set, "the prefix session_ is deprecated in Beaker; write session.%s", clip(name))
		}
		if old, twice := s.opts.get(name); twice && old.Value != set.Value {
			s.warnTwice(set, name, d)
		}
		s.put(name, set)
	}
}

func (s *sessionSettings) warnTwice(set Setting, name string, d Dialect) {
	old, _ := s.opts.get(name)
	msg := "also set as %s on line %d of %s; this one is used because it comes last. Remove one"
	if d == Python2 {
		msg = "also set as %s on line %d of %s; Python 2 takes either, in no order that the file decides; this one, the last, is used here. Remove one"
	}
	s.warn(set, msg, s.written[name], old.Line, old.File)
}

func (s *sessionSettings) put(name string, set Setting) {
	s.written[name] = set.Key
	s.opts.setAs(name, set)
}

// pylonsDefaults adds what Pylons (configuration.py) and TurboGears derive from
// cache_dir.
func (s *sessionSettings) pylonsDefaults(conf *table) {
	cache, ok := conf.get("cache_dir")
	if !ok || s.opts.has("data_dir") {
		return
	}
	cache.Value = posixJoin(cache.Value, "sessions")
	s.put("data_dir", cache)
}

// howToName says how an application is named.
const howToName = "with LoadOptions.App, or as file#name where a file is asked for"

// check warns of settings that Beaker takes and that hardly do what is meant.
func (s *sessionSettings) check() {
	s.checkMemory()
	for _, name := range []string{"data_dir", "file_dir", "lock_dir"} {
		if set, ok := s.opts.get(name); ok && set.Value != "" && !path.IsAbs(set.Value) {
			set.Key = s.written[name]
			s.warnAbout(name, set, "%s is a relative path: it is looked up in the working directory of each process, in Python as well as here; write an absolute one, such as %%(here)s/data",
				shown(name, set.Value))
		}
	}
	s.checkSecret()
}

func (s *sessionSettings) checkMemory() {
	if s.opts.has("type") || s.opts.has("data_dir") || s.opts.has("file_dir") {
		return
	}
	s.warnAbout("data_dir", Setting{Key: "session.data_dir", Position: s.at},
		"there is neither a type nor a data_dir (nor a cache_dir): sessions are in the memory of each process, nothing is shared; set session.data_dir")
}

func (s *sessionSettings) checkSecret() {
	kind, _ := s.opts.get("type")
	if s.opts.has("secret") || kind.Value == "cookie" {
		return // cookie-only sessions have validate_key, and Beaker insists on it
	}
	s.warnAbout("secret", Setting{Key: "session.secret", Position: s.at},
		"there is no secret: the cookie is the bare session id, unsigned, and anyone can present any id; set session.secret, the same for all applications")
}

// posixJoin is os.path.join for a relative second part: it does not clean.
func posixJoin(dir, name string) string {
	if path.IsAbs(name) || dir == "" || strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}

// sessionSettings finds the settings that the Beaker of this application is
// made with: those of a Beaker filter around it, else the application's own.
func (c *Config) sessionSettings() (*sessionSettings, error) {
	s := &sessionSettings{opts: newTable(), written: map[string]string{}}
	if f := beakerFilter(c.root); f != nil {
		if f.section != nil {
			s.at = f.section.pos
		}
		s.collect(f.global, c.dialect)
		s.collect(f.local, c.dialect)
		s.keywords(f.local)
		return s, nil
	}
	app := c.root.innermost()
	if isComposite(app.section) {
		return nil, errorAt(app.section.pos, KindLookup, fmt.Sprintf(
			"section [%s] joins several applications; name the one whose sessions are meant, %s", app.section.name, howToName))
	}
	if app.section != nil {
		s.at = app.section.pos
	}
	conf := app.merged()
	s.collect(conf, c.dialect)
	if len(s.opts.items) == 0 {
		s.warnAbout("", Setting{Key: "beaker.session", Position: s.at}, "application %q sets no session option; these are Beaker's defaults. Is it the right application? If not, name it, %s", c.app, howToName)
	}
	s.pylonsDefaults(conf)
	return s, nil
}

// keywords takes a filter's settings without a prefix: they are keyword
// arguments of SessionMiddleware, which replace everything else.
func (s *sessionSettings) keywords(local *table) {
	for _, set := range local.items {
		if _, _, prefixed := bareName(set.Key); prefixed {
			continue
		}
		if needsCoercion(set.Key) {
			s.warn(set, "without a prefix Beaker takes it for text and does not coerce it; write session.%s", set.Key)
		}
		s.put(set.Key, set)
	}
}

// isComposite tells [composite:…] and [composit:…].
func isComposite(s *section) bool {
	return strings.HasPrefix(s.name, "composite:") || strings.HasPrefix(s.name, "composit:")
}

// beakerFilter returns the Beaker session filter that stands nearest to the
// application, the one whose session the application sees. Filters may have
// filters of their own; Limits.MaxDepth bounds how deep that goes.
func beakerFilter(c *context) *context {
	var found *context
	for ; c != nil; c = c.next {
		if isBeakerFactory(c.factory) {
			found = c
		}
		for _, f := range c.filters {
			if inside := beakerFilter(f); inside != nil {
				found = inside
			}
		}
	}
	return found
}

func isBeakerFactory(factory string) bool {
	switch strings.ToLower(factory) {
	case "egg:beaker#beaker_session", "beaker.middleware:session_filter_factory", "beaker.middleware:session_filter_app_factory":
		return true
	}
	return false
}

// SessionSettings returns the settings that Session works on, under Beaker's
// names without a prefix ("secret", "data_dir" …), what frameworks derive
// (data_dir from cache_dir) included. Values are as they stand in the file:
// secrets are not masked.
func (c *Config) SessionSettings() ([]Setting, error) {
	s, err := c.sessionSettings()
	if err != nil {
		return nil, err
	}
	return s.opts.list(), nil
}

// Session returns the session options of the application after Beaker's
// coercion (beaker/util.py, coerce_session_params), on top of
// [compat.Defaults]. The error is an *[Error] with Beaker's text and the line
// of the setting that it refuses. Options that Beaker does not know go to Extra, as
// Beaker hands them to its back end.
func (c *Config) Session() (compat.Options, []Warning, error) {
	s, err := c.sessionSettings()
	if err != nil {
		return compat.Options{}, nil, err
	}
	s.warnings = slices.Concat(c.warnings, s.warnings)
	o, err := s.coerce(c.dialect, c.booleans)
	if err != nil {
		return compat.Options{}, s.warnings, err
	}
	s.check()
	return o, s.warnings, nil
}

// differences lists the session settings that Python 2 reads otherwise, for a
// file that both can read.
func differences(c3, c2 *Config) []Warning {
	s3, err3 := c3.sessionSettings()
	s2, err2 := c2.sessionSettings()
	if err3 != nil || err2 != nil {
		return nil // Session will say so
	}
	var out []Warning
	both := s2.opts.clone()
	both.update(s3.opts)
	for _, set := range both.list() {
		a, ok3 := s3.opts.get(set.Key)
		b, ok2 := s2.opts.get(set.Key)
		if ok3 == ok2 && a.Value == b.Value {
			continue
		}
		written := s3.written[set.Key]
		if !ok3 {
			written = s2.written[set.Key]
		}
		out = append(out, Warning{Key: written, Option: set.Key, Position: set.Position,
			Msg: "Python 2 and Python 3 read this differently: " + difference(a, ok3, b, ok2) +
				"; Python 3's reading is used. Say which Python runs the application: LoadOptions.Dialect, or ini_dialect = \"python2\" (or \"python3\") in the [session] of gobeaker.toml"})
	}
	return out
}

// difference says what Python 2 reads otherwise in a setting, without showing
// its value.
func difference(three Setting, in3 bool, two Setting, in2 bool) string {
	switch a, b := three.Value, two.Value; {
	case !in2:
		return "to Python 2 it is not set"
	case !in3:
		return "to Python 3 it is not set"
	case three.Position != two.Position:
		return fmt.Sprintf("Python 3 takes it from line %d of %s, Python 2 from line %d of %s", three.Line, three.File, two.Line, two.File)
	case strings.ReplaceAll(b, "%%", "%") == a:
		return "%% in it is one % to Python 3, and stays %% in Python 2"
	case b == "":
		return "to Python 2 the value \"\" is empty, to Python 3 it is two quotes"
	case strings.HasPrefix(a, b) && strings.HasPrefix(strings.TrimLeft(a[len(b):], " \t"), ";"):
		return "what follows \" ;\" is a comment to Python 2, and part of the value to Python 3"
	case strings.Contains(a, "\n") || strings.Contains(b, "\n"):
		return "the comments and empty lines among the lines that continue it"
	}
	return "comments after a value, %, \"\" or [DEFAULT]"
}
