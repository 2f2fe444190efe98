package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// ErrConfig is wrapped by every error about a setting: what to do about it is
// in its text.
var ErrConfig = errors.New("bad configuration")

// BuiltinSession is the upstream of a route whose answer is the built-in page
// that shows the session.
const BuiltinSession = "builtin:session"

// Config is what "gobeaker serve" is told: the file gobeaker.toml, with the
// environment and the flags on top.
type Config struct {
	// Listen is the address, "127.0.0.1:8080"; port 0 takes a free one.
	Listen  string            `toml:"listen"`
	Log     Log               `toml:"log"`
	Server  Limits            `toml:"server"`
	Session *tomlconf.Session `toml:"session"`
	Routes  []Route           `toml:"route"`
	meta    *tomlconf.Meta    // the file; nil if there is none
	dataDir string            // of a flag or the environment
	outside map[string]bool   // which flags or variables were given, by the flag's name
}

// Log is the [log] table.
type Log struct {
	Format string `toml:"format"` // "text" or "json"
	Level  string `toml:"level"`  // "debug", "info", "warn" or "error"
	Access bool   `toml:"access"` // a line for each request
}

func (l Log) level() (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(l.Level))
	return level, err
}

// Limits is the [server] table: how long the server waits for whom.
type Limits struct {
	ReadHeaderTimeout Duration `toml:"read_header_timeout"`
	IdleTimeout       Duration `toml:"idle_timeout"`
	// DrainTimeout is how long requests may go on after a signal to stop.
	DrainTimeout Duration `toml:"drain_timeout"`
	// DialTimeout and ResponseTimeout are for upstreams.
	DialTimeout     Duration `toml:"dial_timeout"`
	ResponseTimeout Duration `toml:"response_timeout"`
}

// Route is one [[route]] table.
type Route struct {
	Prefix      string `toml:"prefix"`
	Upstream    string `toml:"upstream"`
	StripPrefix bool   `toml:"strip_prefix"`
}

// Duration is a time span written as "10s" or "2m".
type Duration time.Duration

// UnmarshalText reads the text form.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return errors.New("a time is a text such as 10s or 2m, in quotes")
	}
	*d = Duration(v)
	return nil
}

// Default returns the configuration of a server that is told nothing: the
// built-in page on a free choice of loopback port 8080.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:8080",
		Log:    Log{Format: "text", Level: "info", Access: true},
		Server: Limits{
			ReadHeaderTimeout: Duration(10 * time.Second),
			IdleTimeout:       Duration(2 * time.Minute),
			DrainTimeout:      Duration(20 * time.Second),
			DialTimeout:       Duration(10 * time.Second),
		},
	}
}

// Load reads a gobeaker.toml on top of Default. Errors name the file and the
// line; those about the options in [session] come from [New] and [Configured].
func Load(path string) (Config, error) {
	c := Default()
	meta, err := tomlconf.Decode(path, &c)
	if err != nil {
		return c, fmt.Errorf("server: config: %w: %w", ErrConfig, err)
	}
	c.meta = meta
	return c, nil
}

// Override sets what the environment or a flag says; name is the flag's.
func (c *Config) Override(name, value string) error {
	switch name {
	case "listen":
		c.Listen = value
	case "log-format":
		c.Log.Format = value
	case "log-level":
		c.Log.Level = value
	case "access-log":
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("server: access log %q: %w: use true or false", value, ErrConfig)
		}
		c.Log.Access = on
	case "data-dir":
		if c.Session == nil {
			c.Session = &tomlconf.Session{}
		}
		c.dataDir = value
	default:
		return fmt.Errorf("server: setting %q: %w: there is no such setting", name, ErrConfig)
	}
	if c.outside == nil {
		c.outside = map[string]bool{}
	}
	c.outside[name] = true
	return nil
}

// validate checks what can be checked without opening anything.
func (c *Config) validate() error {
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf(`server: %slisten %q: %w: give host:port, as in "127.0.0.1:8080"`, c.at("listen"), c.Listen, ErrConfig)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("server: %slisten %q: %w: a port is a number from 0 to 65535; 0 takes a free one", c.at("listen"), c.Listen, ErrConfig)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf(`server: %slog format %q: %w: use "text" or "json"`, c.at("log", "format"), c.Log.Format, ErrConfig)
	}
	if _, err := c.Log.level(); err != nil {
		return fmt.Errorf("server: %slog level %q: %w: use debug, info, warn or error", c.at("log", "level"), c.Log.Level, ErrConfig)
	}
	if c.meta != nil && len(c.Routes) == 0 && c.Session == nil {
		return fmt.Errorf("server: %s: %w: there is no [[route]] in it, so there is nothing to serve", c.file(), ErrConfig)
	}
	return nil
}

// file is where the configuration was read; "" if nowhere.
func (c *Config) file() string {
	if c.meta == nil {
		return ""
	}
	return c.meta.Path
}
