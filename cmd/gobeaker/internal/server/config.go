package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/gobeaker/gobeaker/iniconf"
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
	Listen  string    `toml:"listen"`
	Log     Log       `toml:"log"`
	Server  Limits    `toml:"server"`
	Session *Session  `toml:"session"`
	Routes  []Route   `toml:"route"`
	file    string    // where it was read; "" if nowhere
	defined *metaKeys // which keys the file has
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

// maxConfig bounds the size of a configuration file in bytes.
const maxConfig = 1 << 20

// Load reads a gobeaker.toml on top of Default. Errors name the file and the
// line.
func Load(path string) (Config, error) {
	c := Default()
	data, err := readBounded(path)
	if err != nil {
		return c, fmt.Errorf("server: config: %w: %w", ErrConfig, err)
	}
	meta, err := toml.Decode(string(data), &c)
	if err != nil {
		return c, fmt.Errorf("server: config: %w: %s: %w", ErrConfig, path, tomlError(err))
	}
	c.file = path
	undecoded := slices.DeleteFunc(meta.Undecoded(), func(k toml.Key) bool { return len(k) > 2 && k[0] == "session" && k[1] == "extra" })
	if err := unknownKeys(path, string(data), undecoded); err != nil {
		return c, err
	}
	c.defined = &metaKeys{meta}
	return c, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxConfig)
	}
	return data, err
}

// tomlError brings the library's error into the form line:column: message. It
// does not quote the file, which may hold secrets.
func tomlError(err error) error {
	var p toml.ParseError
	if !errors.As(err, &p) { // a value of the wrong type, which it does not quote
		return errors.New(strings.TrimPrefix(err.Error(), "toml: "))
	}
	message := p.Message
	if message == "" { // the library keeps the text of UnmarshalText to itself
		message = strings.TrimPrefix(p.Error(), "toml: ")
	}
	quoted := regexp.MustCompile(`'\\?.'|"\\?."|'[^']*'|"[^"]*"`)
	message = quoted.ReplaceAllStringFunc(message, func(q string) string {
		if len(q) <= len(`'\n'`) { // a sign of TOML
			return q
		}
		return "(text not shown)"
	})
	return fmt.Errorf("line %d: %s", p.Position.Line, message)
}

// metaKeys tells which keys a file has.
type metaKeys struct{ toml.MetaData }

func (m *metaKeys) has(key ...string) bool { return m != nil && m.IsDefined(key...) }

// unknownKeys refuses keys that mean nothing, each with its line and the key
// that was perhaps meant.
func unknownKeys(path, text string, keys []toml.Key) error {
	var all []error
	for _, k := range keys {
		// Of an unknown table only the table is reported.
		if slices.ContainsFunc(keys, func(o toml.Key) bool { return len(o) < len(k) && slices.Equal(o, k[:len(o)]) }) {
			continue
		}
		message := fmt.Sprintf("%s:%d: unknown key %q", path, lineOf(text, k), k.String())
		if s := suggestion(k); s != "" {
			message += fmt.Sprintf("; did you mean %q?", s)
		} else {
			message += "; known here: " + strings.Join(knownKeys(k), ", ")
		}
		all = append(all, fmt.Errorf("server: config: %w: %s", ErrConfig, message))
	}
	return errors.Join(all...)
}

// lineOf finds the line of a key. The library does not tell, so the text is
// searched: a line "[table]" or "[[table]]" sets the table, "key =" is the key.
func lineOf(text string, key toml.Key) int {
	table, want := "", key.String()
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = strings.Trim(strings.TrimSpace(strings.SplitN(line, "#", 2)[0]), "[] ")
			if table == want || strings.HasPrefix(table, want+".") {
				return i + 1
			}
			table += "."
			continue
		}
		if name, _, ok := strings.Cut(line, "="); ok && table+strings.Trim(strings.TrimSpace(name), `"'`) == want {
			return i + 1
		}
	}
	return 1
}

// tables says which keys there are: the tags of the types above.
func tables() map[string][]string {
	return map[string][]string{
		"":        tags(Config{}),
		"log":     tags(Log{}),
		"server":  tags(Limits{}),
		"session": tags(Session{}),
		"route":   tags(Route{}),
	}
}

func knownKeys(k toml.Key) []string {
	known := tables()
	if len(k) > 1 && known[k[0]] != nil {
		return known[k[0]]
	}
	return known[""]
}

// suggestion returns the known key that is nearest to k, or the table in which
// a key of that name belongs.
func suggestion(k toml.Key) string {
	last := k[len(k)-1]
	if name := iniconf.Nearest(last, knownKeys(k)); name != "" {
		return name
	}
	for table, names := range tables() {
		if table != "" && slices.Contains(names, last) {
			return table + "." + last
		}
	}
	return ""
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
			c.Session = &Session{}
		}
		c.Session.override(value)
	default:
		return fmt.Errorf("server: setting %q: %w: there is no such setting", name, ErrConfig)
	}
	return nil
}

// validate checks what can be checked without opening anything.
func (c *Config) validate() error {
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf(`server: listen %q: %w: give host:port, as in "127.0.0.1:8080"`, c.Listen, ErrConfig)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("server: listen %q: %w: a port is a number from 0 to 65535; 0 takes a free one", c.Listen, ErrConfig)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf(`server: log format %q: %w: use "text" or "json"`, c.Log.Format, ErrConfig)
	}
	if _, err := c.Log.level(); err != nil {
		return fmt.Errorf("server: log level %q: %w: use debug, info, warn or error", c.Log.Level, ErrConfig)
	}
	if c.file != "" && len(c.Routes) == 0 && c.Session == nil {
		return fmt.Errorf("server: %s: %w: there is no [[route]] in it, so there is nothing to serve", c.file, ErrConfig)
	}
	return nil
}

// relative resolves a path of the file against the file's own folder.
func (c *Config) relative(path string) string {
	if path == "" || filepath.IsAbs(path) || c.file == "" {
		return path
	}
	return filepath.Join(filepath.Dir(c.file), path)
}
