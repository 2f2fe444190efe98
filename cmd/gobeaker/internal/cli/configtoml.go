package cli

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// toTOML writes a gobeaker.toml with the same effect. What has the value that it would
// have anyway is left out.
func (o *configFlags) toTOML(e *iniconf.Effective) string {
	w := &tomlWriter{masker: o.masker(e), effective: e}
	w.comment("Made by gobeaker config --toml from " + o.ini + o.toml)
	if c := e.Config; c != nil {
		w.comment(fmt.Sprintf("application %q, as %s reads it on %s", c.App(), e.Framework, c.Dialect()))
	}
	if e.Disabled {
		w.comment("There the framework is told to have no sessions.")
	}
	w.b.WriteString("\n[session]\n")
	defaults := map[string]any{}
	for _, d := range iniconf.NewEffective().List() {
		defaults[d.Name] = d.Value
	}
	var extra []iniconf.Option
	for _, option := range e.List() {
		_, known := iniconf.LookupOption(option.Name)
		switch {
		case !known:
			extra = append(extra, option)
		case option.Origin.Kind != iniconf.FromDefault || !reflect.DeepEqual(option.Value, defaults[option.Name]):
			w.option(option)
		}
	}
	w.rest(extra)
	return w.b.String()
}

// tomlWriter writes the [session] of a gobeaker.toml.
type tomlWriter struct {
	*masker
	effective *iniconf.Effective
	b         strings.Builder
}

// comment writes a comment, on one line whatever is in it.
func (w *tomlWriter) comment(text string) {
	w.b.WriteString("# " + oneLine(text) + "\n")
}

func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
}

// about says where an option is from, and what may surprise.
func (w *tomlWriter) about(o iniconf.Option) {
	w.b.WriteString("\n")
	w.comment(o.Help)
	from := o.Origin.String()
	if o.Origin.Kind == iniconf.FromDefault {
		from = "as that Beaker does"
	} else if o.Origin.Written != "" && !strings.Contains(from, o.Origin.Written) {
		from += " as " + o.Origin.Written
	}
	w.comment("from: " + from)
	for _, note := range o.Notes {
		w.comment("! " + w.text(note))
	}
}

// inEnvironment are the options that an environment variable can give.
var inEnvironment = []string{"secret", "validate_key", "encrypt_key", "url"}

func (w *tomlWriter) option(o iniconf.Option) {
	w.about(o)
	from := o.Origin
	_, instead := w.value(o.Name, o.Value, o.Secret)
	switch {
	case o.Value == nil:
		w.comment(o.Name + ": without effect here")
	case from.Kind == iniconf.FromFile && from.Written == o.Name+"_file":
		w.pair(o.Name+"_file", from.File)
	case from.Kind == iniconf.FromEnvironment && o.Secret && slices.Contains(inEnvironment, o.Name):
		w.pair(o.Name+"_env", from.Written)
	case instead != "" && slices.Contains(inEnvironment, o.Name):
		name := "GOBEAKER_" + strings.ToUpper(o.Name)
		w.comment(fmt.Sprintf("%s: put it into the environment as %s, or into a file that %s_file names instead of %[3]s_env", instead, name, o.Name))
		w.pair(o.Name+"_env", name)
	case instead != "":
		w.unfinished(o.Name, "{}", instead+"; write it here in quotes, or use --show-secrets")
	case slices.Contains([]string{"data_dir", "file_dir", "lock_dir", "dbm_dir"}, o.Name):
		w.directory(o)
	default:
		w.pair(o.Name, o.Value)
	}
}

// directory makes a path absolute: in a gobeaker.toml it is relative to the file, in an
// ini to the working directory of whatever process reads it.
func (w *tomlWriter) directory(o iniconf.Option) {
	path, _ := o.Value.(string)
	if path != "" && !filepath.IsAbs(path) {
		if abs, err := filepath.Abs(path); err == nil {
			w.comment("there it is relative, to the working directory; here to that of gobeaker config")
			path = abs
		}
	}
	w.pair(o.Name, path)
}

const notUTF8 = "not UTF-8, which a gobeaker.toml cannot hold"

// unfinished writes a line that does not load: without its option, the file would load
// and have another effect. bad is a value that is not taken there.
func (w *tomlWriter) unfinished(key, bad, why string) {
	w.b.WriteString(tomlKey(key) + " = " + bad + "  # " + oneLine(why) + "\n")
}

// pair writes a key and its value, or says why it cannot.
func (w *tomlWriter) pair(key string, value any) {
	text, ok := tomlValue(value)
	if !ok {
		w.unfinished(key, "{}", notUTF8)
		return
	}
	w.b.WriteString(tomlKey(key) + " = " + text + "\n")
}

// rest writes the options of the back end and the notes about none in particular.
func (w *tomlWriter) rest(extra []iniconf.Option) {
	told := map[string]bool{}
	for _, o := range w.effective.List() {
		told[o.Name] = true
	}
	for _, warning := range w.effective.Warnings {
		if !told[warning.Option] {
			w.b.WriteString("\n")
			w.comment("! " + w.text(warning.String()))
		}
	}
	if len(extra) == 0 {
		return
	}
	w.b.WriteString("\n[session.extra]\n")
	for _, o := range extra {
		w.about(o)
		_, instead := w.value(o.Name, o.Value, o.Secret)
		text, _ := o.Value.(string)
		switch {
		case tomlconf.IsKey(o.Name):
			w.comment(o.Name + ": no back end has such an option, and here the name means something else")
		case instead != "":
			w.unfinished(o.Name, "[]", instead+"; write it here in quotes, or use --show-secrets")
		case !utf8.ValidString(text):
			w.unfinished(o.Name, "[]", notUTF8)
		default:
			w.pair(o.Name, o.Value)
		}
	}
}

// tomlValue writes a value of an option. Not ok: a text that is not UTF-8.
func tomlValue(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return tomlString(v), utf8.ValidString(v)
	case []string:
		parts := make([]string, len(v))
		ok := true
		for i, text := range v {
			parts[i] = tomlString(text)
			ok = ok && utf8.ValidString(text)
		}
		return "[" + strings.Join(parts, ", ") + "]", ok
	case time.Time:
		return v.Format(time.RFC3339Nano), true
	}
	return fmt.Sprint(value), true // bool, int64
}

// tomlString is a basic string of TOML.
func tomlString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString("\\" + string(r))
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func tomlKey(key string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
	}
	if key != "" && !strings.ContainsFunc(key, func(r rune) bool { return !plain(r) }) {
		return key
	}
	return tomlString(key)
}
