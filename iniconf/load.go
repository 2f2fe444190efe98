package iniconf

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf/internal/plainfile"
)

// BoolText says how the options are read that Beaker forgets to coerce
// (invalidate_corrupt, use_cookies, and all that a filter sets without a prefix): in an
// ini, any text is true to Beaker.
type BoolText uint8

// The readings.
const (
	BoolAsWritten BoolText = iota // "false" is false
	BoolAsBeaker                  // "false" is a text that is not empty, hence true; so is what a Beaker filter sets without a prefix
)

// Limits bound what one Load, or one Applications, reads and makes. A zero field stands for the
// default that its comment gives.
type Limits struct {
	MaxFileBytes    int64 // of one file: 4 MiB
	MaxFiles        int   // that lead to each other with use = config:…: 32
	MaxDepth        int   // of sections that lead to each other: 32
	MaxSections     int   // read in all, the same one counting again: 256
	MaxInterpolated int   // bytes that %(name)s may produce in all: 16 MiB
	MaxReferences   int   // %(name)s replaced in all: 200,000
	MaxApplications int   // that Applications returns, of one file: 256
}

func (l Limits) withDefaults() Limits {
	if l.MaxFileBytes == 0 {
		l.MaxFileBytes = 4 << 20
	}
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.MaxFiles, 32}, {&l.MaxDepth, 32}, {&l.MaxSections, 256},
		{&l.MaxInterpolated, 16 << 20}, {&l.MaxReferences, 200_000}, {&l.MaxApplications, 256},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}

// LoadOptions say which application of a file is meant and who reads it. The
// zero LoadOptions means [app:main] and [Auto].
type LoadOptions struct {
	App      string            // "main" if empty: the name after [app:
	Global   map[string]string // PasteDeploy's global_conf, as given on a command line; see ParseGlobal
	Dialect  Dialect
	Booleans BoolText
	Limits   Limits
	// PasteDeploy says by whose precedence a passed global_conf and [DEFAULT] are
	// put together. The zero value goes by the dialect.
	PasteDeploy PasteDeploy
	// Framework says who makes the session middleware.
	Framework Framework
	// Beaker is the release that reads the settings; zero: the newest. Options that
	// it does not know yet have no effect, as in Python.
	Beaker compat.Release
	// Python is the major version of the Python that runs the application, 2 or 3, if
	// it is known: with [Auto] it decides whose ConfigParser reads the file.
	Python int
	// LookupEnv is os.LookupEnv where the framework (CKAN) reads settings from the
	// environment, too; nil: it is not to be read, which is warned of where it would be.
	LookupEnv func(string) (string, bool)
}

// PasteDeploy is a range of releases of PasteDeploy.
type PasteDeploy uint8

// The ranges. They differ in ConfigLoader.get_context alone, where a file's [DEFAULT]
// and the global_conf that it was reached with have the same name; which Python it runs
// on makes no difference.
const (
	PasteDeployOfDialect PasteDeploy = iota // Python2: 1.5, Python3 and Python39: 2.1
	PasteDeploy15                           // up to 1.5.2: the file that is included wins
	PasteDeploy21                           // 2.0, 2.1 and 3: the including file, or what was passed, wins
)

// Config is one application's configuration. It does not change; any number
// of goroutines may use it.
type Config struct {
	path      string
	app       string
	dialect   Dialect
	booleans  BoolText
	beaker    compat.Release
	root      *context
	files     []string
	framework Framework
	lookupEnv func(string) (string, bool)
	warnings  []Warning
	// other is what another Python makes of the file, if nobody named the dialect.
	other *Config
}

// Load reads the file at path, and those that it leads to, as
// paste.deploy.appconfig("config:" + path, name=App) does. All its errors are
// of type *[Error].
func Load(path string, o LoadOptions) (*Config, error) {
	path, o, err := o.prepare(path)
	if err != nil {
		return nil, err
	}
	return newSource(o.Limits).load(path, o)
}

// prepare makes the path absolute and fills in what the zero options stand for.
func (o LoadOptions) prepare(path string) (string, LoadOptions, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", o, &Error{Position: Position{File: path}, Kind: KindFile, Msg: "cannot make the path absolute", Err: err}
	}
	o.Limits = o.Limits.withDefaults()
	if o.App == "" {
		o.App = "main"
	}
	return absolute, o, nil
}

// load reads in the dialect of the options, or in the one that the file needs.
func (src *source) load(path string, o LoadOptions) (*Config, error) {
	if o.Dialect != Auto {
		return src.loadAs(o.Dialect, path, o)
	}
	c3, err3 := src.loadAs(Python3, path, o)
	if tooMuch := (&Error{}); errors.As(err3, &tooMuch) && tooMuch.Kind == KindLimit {
		return nil, err3
	}
	if err3 != nil {
		if older, err := src.loadAs(Python39, path, o); err == nil {
			c3, err3 = older, nil
		}
	}
	c2, err2 := src.loadAs(Python2, path, o)
	switch {
	case o.Python == 2:
		return preferred(c2, err2, c3, err3)
	case o.Python == 3:
		return preferred(c3, err3, c2, err2)
	case err3 == nil && err2 == nil:
		c3.other = c2
		c3.warnings = append(c3.warnings, differences(c3, c2)...)
		return c3, nil
	case err3 != nil && err2 == nil:
		return c2, nil
	}
	return c3, err3
}

// preferred is the reading of the Python that runs the application. If that one refuses
// the file, the error says whether another one does not.
func preferred(c *Config, err error, other *Config, otherErr error) (*Config, error) {
	var e *Error
	switch {
	case otherErr != nil:
	case err == nil:
		c.other = other
	case errors.As(err, &e):
		e.Msg += fmt.Sprintf("; %s can read the file, so check which Python runs the application", other.dialect.python())
	}
	return c, err
}

// loadAs reads in one dialect.
func (src *source) loadAs(d Dialect, path string, o LoadOptions) (*Config, error) {
	l := &loader{
		dialect:  d,
		fileWins: o.PasteDeploy == PasteDeploy15 || o.PasteDeploy == PasteDeployOfDialect && d == Python2,
		limits:   o.Limits,
		budget:   src.budget(d, o.Limits),
		source:   src,
	}
	global := newTable()
	for _, k := range slices.Sorted(maps.Keys(o.Global)) {
		global.set(Setting{Key: k, Value: o.Global[k], Position: Position{File: "global_conf"}, Section: "global_conf"})
	}
	src.global = global
	f, err := l.open(path, global, Position{})
	if err != nil {
		return nil, err
	}
	root, err := l.context(typeApp, f, o.App, global, Position{File: path})
	if err != nil {
		return nil, err
	}
	l.joinAll(root)
	return &Config{path: path, app: o.App, dialect: d, booleans: o.Booleans, beaker: o.Beaker, root: root, files: l.files, warnings: l.warnings,
		framework: o.Framework, lookupEnv: o.LookupEnv}, nil
}

// ParseGlobal makes a global_conf of arguments "name=value", as paster serve
// (Command.parse_vars) and pserve (scripts.common.parse_vars) do: the first "=" counts,
// blanks belong to what they stand in, the last of two equal names wins. gunicorn's
// --paste-global also knows backslashes, which stay as they are here. An argument
// without "=" is an error.
func ParseGlobal(args []string) (map[string]string, error) {
	out := map[string]string{}
	for i, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok { // it may be a value that lost its name, so it is not shown
			return nil, fmt.Errorf("iniconf: global_conf: argument %d has no \"=\"; write name=value", i+1)
		}
		out[name] = value
	}
	return out, nil
}

// source is where files come from: each is read once, so that all dialects and all
// applications see the same bytes, and parsed once for each dialect.
type source struct {
	read    func(path string) ([]byte, error)
	docs    map[docKey]*document
	budgets map[Dialect]*budget
	global  *table // as given by the caller
	hidden  []string
	seen    int // documents that hidden is from
}

// budget is the one of a dialect: all that is loaded from a source shares it.
func (src *source) budget(d Dialect, l Limits) *budget {
	b := src.budgets[d]
	if b == nil {
		b = &budget{bytes: l.MaxInterpolated, steps: l.MaxReferences}
		src.budgets[d] = b
	}
	return b
}

type docKey struct {
	name    string
	dialect Dialect
}

func newSource(l Limits) *source {
	return &source{read: cachedReader(l.MaxFileBytes), docs: map[docKey]*document{}, budgets: map[Dialect]*budget{}}
}

// document reads and parses the file called name; path is what messages call it.
func (src *source) document(name, path string, d Dialect) (*document, error) {
	key := docKey{name, d}
	if doc := src.docs[key]; doc != nil {
		return doc, nil
	}
	data, err := src.read(name)
	if err != nil {
		return nil, err
	}
	doc, err := parse(path, string(data), d)
	if err == nil {
		src.docs[key] = doc
	}
	return doc, err
}

// cachedReader remembers what it has read.
func cachedReader(limit int64) func(string) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	cache := map[string]result{}
	return func(path string) ([]byte, error) {
		r, ok := cache[path]
		if !ok {
			r.data, r.err = readFile(path, limit)
			cache[path] = r
		}
		return r.data, r.err
	}
}

func readFile(path string, limit int64) ([]byte, error) {
	data, err := plainfile.Read(path, limit)
	if large := (plainfile.TooLarge{}); errors.As(err, &large) {
		return nil, errorAt(Position{File: path}, KindLimit, large.Error()+"; is this an ini file?")
	}
	if err != nil {
		return nil, withoutPath(err)
	}
	return data, nil
}

// withoutPath keeps a path from standing twice in one message; errors.As finds it.
func withoutPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return unread{p}
	}
	return err
}

// unread is a PathError whose text is that of its cause alone.
type unread struct{ *os.PathError }

func (u unread) Error() string { return u.Err.Error() }
func (u unread) Unwrap() error { return u.PathError }

// Path returns the absolute path of the file that Load was given.
func (c *Config) Path() string { return c.path }

// App returns the name of the application.
func (c *Config) App() string { return c.app }

// Dialect returns the dialect that the file was read in: Python2, Python3 or Python39.
func (c *Config) Dialect() Dialect { return c.dialect }

// Files returns the absolute paths of all files that were read, the given one
// first.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Global returns the global_conf that the application's factory is given.
func (c *Config) Global() []Setting { return c.root.innermost().global.list() }

// Local returns the local_conf that the application's factory is given. For an
// application inside filters these are its own settings, not the filters'.
func (c *Config) Local() []Setting { return c.root.innermost().local.list() }

// Appconfig returns global_conf and local_conf as paste.deploy.appconfig gives them: those
// of the section that was asked for. Where that is a pipeline, a filter-app or has a
// filter-with, they are not those of the application inside ([Config.Global], [Config.Local]).
func (c *Config) Appconfig() (global, local []Setting) {
	return c.root.global.list(), c.root.local.list()
}

// Filtered reports whether the application stands inside filters.
func (c *Config) Filtered() bool { return c.root.next != nil }

// Settings returns Global and Local together, as frameworks merge them: local
// settings win, and keep the place of the global one that they replace.
func (c *Config) Settings() []Setting { return c.root.innermost().merged().list() }

// Get returns one of Settings.
func (c *Config) Get(key string) (Setting, bool) { return c.root.innermost().merged().get(key) }

// merged is LoaderContext.config.
func (c *context) merged() *table {
	t := c.global.clone()
	t.update(c.local)
	return t
}
