package server

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// configured returns what the files and the flags say about the sessions. It is
// never nil; with an error it has the files.
func (c *Config) configured(getenv func(string) string) (*iniconf.Effective, error) {
	s := c.Session
	if s == nil {
		s = &tomlconf.Session{}
	}
	e, err := s.Resolve(c.meta, tomlconf.Environment{Getenv: getenv})
	if err != nil {
		return e, fmt.Errorf("server: [session]: %w: %w", ErrConfig, err)
	}
	if c.dataDir != "" {
		from := iniconf.Origin{Kind: iniconf.FromFlag, Written: "--data-dir"}
		for option, value := range map[string]string{"data_dir": c.dataDir, "type": "file"} {
			if err := e.Set(option, value, from); err != nil {
				return e, fmt.Errorf("server: --data-dir: %w: %w", ErrConfig, err)
			}
		}
	}
	return e, nil
}

// effective is configured with the secrets of the environment on top.
func (c *Config) effective(getenv func(string) string) (*iniconf.Effective, error) {
	e, err := c.configured(getenv)
	if err == nil {
		err = tomlconf.Environment{Getenv: getenv}.Override(e)
	}
	return e, err
}

// newSecret makes the secret of a server that was given none.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
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
		return Config{}, fmt.Errorf("server: session: %w: give an ini or a configuration file, not both", ErrConfig)
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
