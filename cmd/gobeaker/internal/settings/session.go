package settings

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// configured returns what the files, the variables and the flags say about the sessions.
// It is never nil; with an error it has the files.
func (c *Config) configured(getenv func(string) string) (*iniconf.Effective, error) {
	s := c.Session
	if s == nil {
		s = &tomlconf.Session{}
	}
	e, err := s.Resolve(c.meta, tomlconf.Environment{Getenv: getenv})
	if err != nil {
		return e, fmt.Errorf("settings: [session]: %w: %w", ErrConfig, err)
	}
	set := func(option string, value any, from iniconf.Origin) {
		if err == nil {
			if err = e.Set(option, value, from); err != nil {
				err = fmt.Errorf("settings: %s: %w: %w", from.Written, ErrConfig, err)
			}
		}
	}
	if c.dataDir != "" {
		from := iniconf.Origin{Kind: iniconf.FromFlag, Written: "--data-dir"}
		set("data_dir", c.dataDir, from)
		set("type", "file", from)
	}
	for _, o := range c.options {
		set(o.name, typed(o.name, o.text), o.from)
	}
	return e, err
}

// typed makes of the text of an option what Effective.Set takes; what does not fit is
// refused there.
func typed(name, text string) any {
	info, _ := iniconf.LookupOption(name)
	word := strings.ToLower(strings.TrimSpace(text))
	number, notNumber := strconv.ParseInt(word, 10, 64)
	switch {
	case info.PassedOn() || info.Type == iniconf.TypeText || info.Type == iniconf.TypeDuration:
	case info.Type == iniconf.TypeTexts:
		return strings.Split(text, ",")
	case word == "true" || word == "false":
		return word == "true"
	case notNumber == nil:
		return number
	}
	return text
}

// Effective is what the server goes by: configured, with the secrets of the environment
// on top. It is never nil; with an error it has the files that are known.
func (c *Config) Effective(getenv func(string) string) (*iniconf.Effective, error) {
	e, err := c.configured(getenv)
	if err == nil {
		err = tomlconf.Environment{Getenv: getenv}.Override(e)
	}
	return e, err
}

// Configured returns the session options of an ini file ("file" or
// "file#application") or of the [session] table of a gobeaker.toml, each with where
// it comes from; of neither, Beaker's defaults. The variables GOBEAKER_SECRET … are not
// in it: the commands have their own use for them. It is never nil: with an error it
// has the files that are known.
func Configured(ini, config string, getenv func(string) string) (*iniconf.Effective, error) {
	c, err := load(ini, config)
	if err != nil {
		return unread(config), err
	}
	return c.configured(getenv)
}

// load reads the one of the two files that is given.
func load(ini, config string) (Config, error) {
	switch {
	case ini != "" && config != "":
		return Config{}, fmt.Errorf("settings: session: %w: give an ini or a configuration file, not both", ErrConfig)
	case config != "":
		return Load(config)
	}
	c := Default()
	c.Session = &tomlconf.Session{Ini: ini}
	return c, nil
}

// unread is what is known of a file that cannot be read.
func unread(config string) *iniconf.Effective {
	e := iniconf.NewEffective()
	if abs, err := filepath.Abs(config); err == nil && config != "" {
		e.Files = []string{abs}
	}
	return e
}
