package settings

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// Load reads a gobeaker.toml on top of Default. Errors name the file and the
// line; those about the options in [session] come from [Config.Effective] and [Configured].
func Load(path string) (Config, error) {
	c := Default()
	meta, err := tomlconf.Decode(path, &c)
	if err != nil {
		return c, fmt.Errorf("settings: %w: %w", ErrConfig, err)
	}
	c.meta = meta
	for _, address := range c.sockets() {
		*address = absoluteSocket(filepath.Dir(path), *address)
	}
	return c, nil
}

// sockets are the settings that may name a Unix socket.
func (c *Config) sockets() []*string {
	out := []*string{&c.Listen, &c.ForwardAuth.Listen, &c.API.Listen, &c.Admin.Listen}
	for i := range c.Routes {
		out = append(out, &c.Routes[i].Upstream)
		for k := range c.Routes[i].Upstreams {
			out = append(out, &c.Routes[i].Upstreams[k])
		}
	}
	return out
}

// absoluteSocket resolves the path of a Unix socket against a folder. Anything else is
// left as it is, and so is what begins with @: sockets without a file there are none.
func absoluteSocket(folder, address string) string {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok || path == "" || path[0] == '@' || path[0] == '/' || filepath.IsAbs(path) {
		return address
	}
	abs, err := filepath.Abs(filepath.Join(folder, path))
	if err != nil {
		return address
	}
	return "unix:" + abs
}

// The settings from outside that are no scalars of a table.
const (
	DataDirFlag = "data-dir" // [session] data_dir, with type = "file"
	RouteFlag   = "route"    // PREFIX=UPSTREAM
	SessionFlag = "session"  // NAME=VALUE
)

// Override sets what the flag of this name says, or its variable; from is what either is
// called. Routes of flags take the place of
// those of the variable, and these of those in the file.
func (c *Config) Override(flag, value, from string) error {
	switch flag {
	case DataDirFlag:
		c.needSession()
		c.dataDir = value
		c.note("session.data_dir", from)
		return nil
	case RouteFlag:
		return c.addRoute(value, from)
	case SessionFlag:
		name, text, ok := strings.Cut(value, "=")
		if !ok {
			return fmt.Errorf("settings: %s: %w: give NAME=VALUE, as in timeout=3600", from, ErrConfig)
		}
		return c.setOption(strings.TrimSpace(name), text, from)
	}
	known := false
	var err error
	scalars(reflect.ValueOf(c).Elem(), "", func(s Scalar, v reflect.Value) {
		if s.Flag == flag {
			known = true
			if s.Value == "address" {
				value = absoluteSocket("", value)
			}
			if err = parse(v, value); err == nil {
				c.note(s.Key, from)
			}
		}
	})
	switch {
	case !known:
		return fmt.Errorf("settings: %s: %w: there is no such setting", from, ErrConfig)
	case err != nil:
		return fmt.Errorf("settings: %s %q: %w: %w", from, value, ErrConfig, err)
	}
	return nil
}

func (c *Config) addRoute(value, from string) error {
	prefix, upstream, ok := strings.Cut(value, "=")
	if !ok || prefix == "" || upstream == "" {
		return fmt.Errorf("settings: %s %q: %w: give PREFIX=UPSTREAM, as in /app=http://127.0.0.1:9000", from, value, ErrConfig)
	}
	if c.outside["route"] != from {
		c.Routes = nil
	}
	c.note("route", from)
	c.Routes = append(c.Routes, Route{Prefix: prefix, Upstream: absoluteSocket("", upstream)})
	return nil
}

// note remembers who gave a setting.
func (c *Config) note(key, from string) {
	if c.outside == nil {
		c.outside = map[string]string{}
	}
	c.outside[key] = from
}

func (c *Config) needSession() {
	if c.Session == nil {
		c.Session = &tomlconf.Session{}
	}
}

// outsideOption is an option of [session] that was given by a flag or a variable.
type outsideOption struct {
	name, text string
	from       iniconf.Origin
}

// setOption takes an option of [session] from outside. Secrets stay out of what other
// users of the machine can read, and so have no flag.
func (c *Config) setOption(name, text, from string) error {
	kind := iniconf.FromFlag
	if strings.HasPrefix(from, "GOBEAKER_") {
		kind = iniconf.FromEnvironment
	}
	info, known := iniconf.LookupOption(name)
	switch {
	case !known:
		hint := "see docs/gobeaker.toml.md for those that there are"
		if near := iniconf.Nearest(name, OutsideOptions()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return fmt.Errorf("settings: %s: %w: there is no option %q; %s", from, ErrConfig, name, hint)
	case info.Secret:
		return fmt.Errorf("settings: %s: %w: %s is a secret: give it by a file, or by the variable that [session] names in %[3]s_env", from, ErrConfig, name)
	}
	c.needSession()
	c.options = append(c.options, outsideOption{name, text, iniconf.Origin{Kind: kind, Written: from}})
	return nil
}

// OutsideOptions are the options of [session] that flags and variables can set.
func OutsideOptions() (out []string) {
	for _, info := range iniconf.OptionInfos() {
		if !info.Secret {
			out = append(out, info.Name)
		}
	}
	return out
}

// SessionVariable is the variable of an option of [session].
func SessionVariable(option string) string { return "GOBEAKER_SESSION_" + strings.ToUpper(option) }

// File is where the configuration was read; "" if nowhere.
func (c *Config) File() string {
	if c.meta == nil {
		return ""
	}
	return c.meta.Path
}

// At returns "file:line: " of a key of the file, or "" if it is not in one or its value
// comes from elsewhere.
func (c *Config) At(key ...string) string {
	for n := range key {
		if c.outside[strings.Join(key[:n+1], ".")] != "" {
			return ""
		}
	}
	line := c.meta.Line(key...)
	if line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", c.File(), line)
}

// Outside reports whether a flag or a variable gave the setting.
func (c *Config) Outside(key string) bool { return c.outside[key] != "" }

// Relative resolves a path that the setting names: that of a file's own setting against
// the file's folder.
func (c *Config) Relative(key, path string) string {
	if c.outside[key] != "" {
		return path
	}
	return c.meta.Relative(path)
}

// Secret reads the first line of a file that a setting names, and notes the file in
// files; both come absolute.
func (c *Config) Secret(key, path string, files *[]string) (string, error) {
	text, err := tomlconf.ReadSecret(c.Follow(key, path, files))
	if err != nil {
		return "", fmt.Errorf("settings: %s%s: %w: %w", c.At(strings.Split(key, ".")...), key, ErrConfig, err)
	}
	return text, nil
}

// Follow resolves a path that a setting names and notes the file in files, so that it is
// watched.
func (c *Config) Follow(key, path string, files *[]string) string {
	path = c.Relative(key, path)
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if !slices.Contains(*files, path) {
		*files = append(*files, path)
	}
	return path
}

// Values are all scalars as text, by key.
func (c *Config) Values() map[string]string {
	out := map[string]string{}
	scalars(reflect.ValueOf(c).Elem(), "", func(s Scalar, v reflect.Value) { out[s.Key] = textOf(v) })
	return out
}

// Changes names the settings that are not the same in two configurations: scalars by their
// key, arrays and named tables as a whole. Of [session] only whether there is one is
// compared.
func (c *Config) Changes(o *Config) (out []string) {
	changes(reflect.ValueOf(c).Elem(), reflect.ValueOf(o).Elem(), "", &out)
	if (c.Session != nil) != (o.Session != nil) {
		out = append(out, "session")
	}
	return out
}

func changes(a, b reflect.Value, prefix string, out *[]string) {
	for field, x := range a.Fields() {
		key := field.Tag.Get("toml")
		y := b.FieldByIndex(field.Index)
		switch {
		case key == "" || key == "session":
		case x.Kind() == reflect.Struct:
			changes(x, y, prefix+key+".", out)
		case !reflect.DeepEqual(x.Interface(), y.Interface()):
			*out = append(*out, prefix+key)
		}
	}
}

// Environment sets what the variables say: GOBEAKER_ and the name of the flag,
// GOBEAKER_ROUTE with spaces between several, GOBEAKER_SESSION_ and an option of [session].
// Empty ones are not there.
func (c *Config) Environment(getenv func(string) string) error {
	names := []string{DataDirFlag}
	for _, s := range Scalars() {
		names = append(names, s.Flag)
	}
	for _, name := range names {
		if value := getenv(variable(name)); value != "" {
			if err := c.Override(name, value, variable(name)); err != nil {
				return err
			}
		}
	}
	for _, route := range strings.Fields(getenv(variable(RouteFlag))) {
		if err := c.Override(RouteFlag, route, variable(RouteFlag)); err != nil {
			return err
		}
	}
	for _, option := range OutsideOptions() {
		name := SessionVariable(option)
		if value := getenv(name); value != "" {
			if err := c.Override(SessionFlag, option+"="+value, name); err != nil {
				return err
			}
		}
	}
	return nil
}
