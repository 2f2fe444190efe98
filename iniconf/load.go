package iniconf

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// BoolText says how the options are read that Beaker forgets to coerce
// (invalidate_corrupt, use_cookies): in an ini, any text is true to Beaker.
type BoolText uint8

// The readings.
const (
	BoolAsWritten BoolText = iota // "false" is false
	BoolAsBeaker                  // "false" is a text that is not empty, hence true
)

// Limits bound what one Load reads and makes. A zero field stands for the
// default that its comment gives.
type Limits struct {
	MaxFileBytes    int64 // of one file: 4 MiB
	MaxFiles        int   // that lead to each other with use = config:…: 32
	MaxDepth        int   // of sections that lead to each other: 32
	MaxSections     int   // read in all, the same one counting again: 256
	MaxInterpolated int   // bytes that %(name)s may produce in all: 16 MiB
	MaxReferences   int   // %(name)s replaced in all: 200,000
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
		{&l.MaxInterpolated, 16 << 20}, {&l.MaxReferences, 200_000},
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
	Global   map[string]string // PasteDeploy's global_conf, as given on a command line
	Dialect  Dialect
	Booleans BoolText
	Limits   Limits
}

// Config is one application's configuration. It does not change; any number
// of goroutines may use it.
type Config struct {
	path     string
	app      string
	dialect  Dialect
	booleans BoolText
	root     *context
	files    []string
	warnings []Warning
}

// Load reads the file at path, and those that it leads to, as
// paste.deploy.appconfig("config:" + path, name=App) does. All its errors are
// of type *[Error].
func Load(path string, o LoadOptions) (*Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, &Error{Position: Position{File: path}, Kind: KindFile, Msg: "cannot make the path absolute", Err: err}
	}
	o.Limits = o.Limits.withDefaults()
	if o.App == "" {
		o.App = "main"
	}
	read := cachedReader(o.Limits.MaxFileBytes)
	if o.Dialect != Auto {
		return load(path, o, read)
	}
	o.Dialect = Python3
	c3, err3 := load(path, o, read)
	o.Dialect = Python2
	c2, err2 := load(path, o, read)
	switch {
	case err3 == nil && err2 == nil:
		c3.warnings = differences(c3, c2)
		return c3, nil
	case err3 != nil && err2 == nil:
		return c2, nil
	}
	return c3, err3
}

// load reads in one dialect.
func load(path string, o LoadOptions, read func(string) ([]byte, error)) (*Config, error) {
	l := &loader{
		dialect: o.Dialect,
		limits:  o.Limits,
		budget:  budget{bytes: o.Limits.MaxInterpolated, steps: o.Limits.MaxReferences},
		read:    read,
		docs:    map[string]*document{},
	}
	global := newTable()
	for _, k := range slices.Sorted(maps.Keys(o.Global)) {
		global.set(Setting{Key: k, Value: o.Global[k], Position: Position{File: "global_conf"}, Section: "global_conf"})
	}
	f, err := l.open(path, global, Position{})
	if err != nil {
		return nil, err
	}
	root, err := l.context(typeApp, f, o.App, global, Position{File: path})
	if err != nil {
		return nil, err
	}
	return &Config{path: path, app: o.App, dialect: o.Dialect, booleans: o.Booleans, root: root, files: l.files}, nil
}

// cachedReader reads each file once, so that both dialects see the same bytes.
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
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if int64(len(data)) > limit {
		return nil, errorAt(Position{File: path}, KindLimit, fmt.Sprintf("larger than %d bytes; is this an ini file?", limit))
	}
	return data, nil
}

// withoutPath keeps a path from standing twice in one message.
func withoutPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Path returns the absolute path of the file that Load was given.
func (c *Config) Path() string { return c.path }

// App returns the name of the application.
func (c *Config) App() string { return c.app }

// Dialect returns the dialect that the file was read in: Python2 or Python3.
func (c *Config) Dialect() Dialect { return c.dialect }

// Files returns the absolute paths of all files that were read, the given one
// first.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Global returns the global_conf that the application's factory is given.
func (c *Config) Global() []Setting { return c.root.innermost().global.list() }

// Local returns the local_conf that the application's factory is given. For an
// application inside filters these are its own settings, not the filters'.
func (c *Config) Local() []Setting { return c.root.innermost().local.list() }

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
