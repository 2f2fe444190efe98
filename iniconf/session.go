package iniconf

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
)

// sessionSettings are the options of Beaker's SessionMiddleware under their bare
// names, with the names that they have in the file.
type sessionSettings struct {
	framework Framework
	opts      *table
	at        Position          // of the section that they are from
	written   map[string]string // bare name → the name in the file
	warnings  []Warning
	secrets   []string // values that no message may show

	prefixes    []string          // that the framework reads; nil: all
	derived     map[string]Origin // bare name → where it is from, if it is not in the file as it stands
	environment map[string]string // key of a setting → the environment variable that it is from
	enabled     *Setting          // TurboGears' session.enabled
	keywords    []string          // bare names that a filter sets without a prefix
}

func newSessionSettings(f Framework, c *context) *sessionSettings {
	return &sessionSettings{framework: f, at: c.position(), opts: newTable(), written: map[string]string{}, secrets: secretsIn(c.merged()),
		derived: map[string]Origin{}, environment: map[string]string{}}
}

// position is that of the section; an egg that was named directly has none.
func (c *context) position() Position {
	if c.section == nil {
		return Position{}
	}
	return c.section.pos
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

// collect takes the prefixed settings of a config: the one that comes last
// wins, whichever prefix it has (beaker/middleware.py, SessionMiddleware.__init__).
func (s *sessionSettings) collect(from *table, d Dialect) {
	for _, set := range from.items {
		name, prefix, ok := bareName(set.Key)
		if !ok {
			s.stray(set)
			continue
		}
		if !s.reads(prefix) {
			s.unread(set, name, prefix)
			continue
		}
		if s.foreign(set, name) {
			continue
		}
		if prefix == "session_" {
			s.warn(CodeDeprecatedPrefix, set, "the prefix session_ is deprecated in Beaker; write session.%s", clip(name))
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
	s.warn(CodeTwice, set, msg, s.written[name], old.Line, old.File)
}

func (s *sessionSettings) put(name string, set Setting) {
	delete(s.derived, name)
	if variable, ok := s.environment[set.Key]; ok {
		set.Key = variable
		s.derived[name] = Origin{Kind: FromEnvironment, Written: variable}
	}
	s.written[name] = set.Key
	s.opts.setAs(name, set)
}

// howToName says how an application is named.
const howToName = "as in production.ini#name"

// check warns of settings that Beaker takes and that hardly do what is meant.
func (s *sessionSettings) check() {
	if len(s.opts.items) == 0 {
		return // nothingSet says it all
	}
	s.checkMemory()
	for _, name := range []string{"data_dir", "file_dir", "lock_dir"} {
		if set, ok := s.opts.get(name); ok && set.Value != "" && !path.IsAbs(set.Value) {
			set.Key = s.written[name]
			s.warnAbout(CodeRelativePath, name, set, "%s is a relative path: it is looked up in the working directory of each process, in Python as well as here; write an absolute one, such as %%(here)s/data",
				s.shown(name, set.Value))
		}
	}
	s.checkSecret()
}

func (s *sessionSettings) checkMemory() {
	if s.opts.has("type") || s.opts.has("data_dir") || s.opts.has("file_dir") {
		return
	}
	s.warnAbout(CodeInMemory, "data_dir", Setting{Key: "session.data_dir", Position: s.at},
		"there is neither a type nor a data_dir (nor a cache_dir): sessions are in the memory of each process, nothing is shared; set session.data_dir")
}

func (s *sessionSettings) checkSecret() {
	kind, _ := s.opts.get("type")
	if s.opts.has("secret") || kind.Value == "cookie" {
		return // cookie-only sessions have validate_key, and Beaker insists on it
	}
	s.warnAbout(CodeNoSecret, "secret", Setting{Key: "session.secret", Position: s.at},
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
	inside, notes, err := c.application() // of a composite
	if err != nil {
		return nil, err
	}
	if inside != c {
		s, err := inside.sessionSettings()
		if err == nil {
			s.warnings = append(notes, s.warnings...)
		}
		return s, err
	}
	if f := beakerFilter(c.root); f != nil && !c.framework.ownSession() {
		s := newSessionSettings(PlainBeaker, f)
		s.collect(f.global, c.dialect)
		s.collect(f.local, c.dialect)
		s.keywordsOf(f.local)
		return s, nil
	}
	app := c.root.innermost()
	g := c.guess(app)
	s := c.readAs(g.framework, app)
	if g.instead != GuessFramework {
		c.sayGuess(s, g, app)
	}
	s.shares(cacheDirs(c.Cache()))
	return s, nil
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
	e, err := c.Effective()
	return e.Options, e.Warnings, err
}

// Effective is Session with the origin of every option. It is never nil: with an
// error it has the warnings up to there.
func (c *Config) Effective() (*Effective, error) {
	if app, notes, err := c.application(); err == nil && app != c {
		e, err := app.Effective()
		e.Config, e.Warnings = c, append(notes, e.Warnings...)
		return e, err
	}
	e := &Effective{Config: c, Files: c.Files(), Framework: c.framework, Warnings: slices.Clone(c.warnings)}
	s, err := c.sessionSettings()
	if err != nil {
		return e, err
	}
	e.Framework = s.framework
	o, err := s.options(c.rules())
	if err != nil {
		err = c.sayOther(err)
	}
	if err == nil {
		e.Disabled, err = s.disabled(c.dialect)
	}
	if err == nil {
		if !e.Disabled {
			s.check()
		}
		e.Options, e.Origins = o, s.origins()
		if s.propagatesCorrupt() {
			e.Origins["invalidate_corrupt"] = Origin{Kind: FromFramework, Because: "pyramid_beaker, which has none of SessionMiddleware's defaults"}
		}
	}
	e.Warnings = append(e.Warnings, s.warnings...)
	return e, err
}

// sayOther adds to an error about an option that another Python takes the file.
func (c *Config) sayOther(err error) error {
	var e *Error
	if c.other == nil || !errors.As(err, &e) {
		return err
	}
	if _, _, otherErr := c.other.Session(); otherErr == nil {
		said := *e
		said.Msg += fmt.Sprintf("; %s takes it: if that runs the application, say so (peer = \"…/%s\" or ini_dialect = %[2]q in the [session] of gobeaker.toml, --peer, --dialect)",
			c.other.dialect.python(), c.other.dialect)
		return &said
	}
	return err
}

// rules are those of whoever reads the file.
func (c *Config) rules() rules { return rules{c.dialect, c.booleans, c.beaker} }

// disabled reports whether session.enabled switches sessions off (TurboGears'
// SessionApplicationWrapper: after the coercion of the others).
func (s *sessionSettings) disabled(d Dialect) (bool, error) {
	if s.enabled == nil {
		return false, nil
	}
	on, ok := d.asbool(s.enabled.Value)
	if !ok {
		return false, errorAt(s.enabled.Position, KindOption, fmt.Sprintf("%s: String is not true/false: %s (%s)",
			s.enabled.Key, s.shown(s.enabled.Key, s.enabled.Value), boolHint))
	}
	if !on {
		s.warnAbout(CodeDisabled, "enabled", *s.enabled, "TurboGears makes no sessions at all: whoever needs them here sets session.enabled = true, and has it in the application")
	}
	return !on, nil
}

// origins says where each option is from.
func (s *sessionSettings) origins() map[string]Origin {
	out := map[string]Origin{}
	for _, set := range s.opts.list() {
		if o, ok := s.derived[set.Key]; ok {
			out[set.Key] = o
			continue
		}
		out[set.Key] = Origin{Kind: FromIni, Position: set.Position, Written: s.written[set.Key], Via: set.Via}
	}
	return out
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
		out = append(out, Warning{Code: CodeDialectsDiffer, Key: written, Option: set.Key, Position: set.Position,
			Msg: "Python 2 and Python 3 read this differently: " + difference(a, ok3, b, ok2) +
				"; Python 3's reading is used. Say which Python runs the application (peer = \"…/python2\" or ini_dialect = \"python2\" in the [session] of gobeaker.toml, --peer, --dialect; or python3)"})
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
