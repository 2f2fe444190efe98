package tomlconf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/internal/plainfile"
)

// Error is the type of the errors about a file. Several are joined.
type Error struct {
	iniconf.Position        // the line of the key, if the file was read as far as that
	Msg              string // what is wrong and what to do; never the value of a secret
	Err              error  // the cause, or nil
}

// Error returns "tomlconf: file:line: what is wrong; what to do".
func (e *Error) Error() string {
	s := "tomlconf: "
	if p := e.Position.String(); p != "" {
		s += p + ": "
	}
	s += e.Msg
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Meta tells what a decoded file has and where. A nil *Meta is that of no file.
type Meta struct {
	Path    string // as it was given
	text    string
	mapping map[string]any
	marks   []mark
}

// Has reports whether the file has the key: Has("session", "secret").
func (m *Meta) Has(key ...string) bool {
	if m == nil || len(key) == 0 {
		return false
	}
	table := m.mapping
	for i, k := range key {
		value, ok := table[k]
		if !ok {
			return false
		}
		if i < len(key)-1 {
			if table, ok = value.(map[string]any); !ok {
				return false
			}
		}
	}
	return true
}

// Line returns the line of a key, or of the first key in a table that has no line of
// its own; 0 if there is none. In an array of tables the elements have numbers,
// counted from 0: Line("route", "2", "prefix"); without a number it is the first.
func (m *Meta) Line(key ...string) int {
	if m == nil {
		return 0
	}
	for _, whole := range []bool{true, false} {
		for _, k := range m.marks {
			if begins(k.path, key, whole) || begins(k.key, key, whole) {
				return k.line
			}
		}
	}
	return 0
}

func begins(path, key []string, whole bool) bool {
	return len(path) >= len(key) && (!whole || len(path) == len(key)) && slices.Equal(path[:len(key)], key)
}

// Relative resolves a path that the file names against the file's own folder.
func (m *Meta) Relative(path string) string {
	if m == nil || path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(m.Path), path)
}

// position is where a key stands.
func (m *Meta) position(key ...string) iniconf.Position {
	if m == nil {
		return iniconf.Position{}
	}
	return iniconf.Position{File: m.Path, Line: m.Line(key...)}
}

// Decode reads a TOML file of up to 1 MiB into a struct, which may hold defaults.
// Keys that are nothing in the struct are errors, with the line and the key that
// was perhaps meant; those of a [Session] are left to [Session.Resolve].
func Decode(path string, into any) (*Meta, error) {
	m, err := read(path)
	if err != nil {
		return nil, err
	}
	undecoded, err := m.decode(into)
	if err != nil {
		return nil, err
	}
	if err := m.unknown(undecoded, reflect.TypeOf(into)); err != nil {
		return nil, err
	}
	return m, nil
}

// read reads and parses a file.
func read(path string) (*Meta, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, &Error{Position: iniconf.Position{File: path}, Msg: "it cannot be read", Err: withoutPath(err)}
	}
	m := &Meta{Path: path, text: withoutBOM(string(data)), mapping: map[string]any{}}
	if _, err := toml.Decode(m.text, &m.mapping); err != nil {
		line := 0
		var p toml.ParseError
		if errors.As(err, &p) {
			line = p.Position.Line
		}
		return nil, &Error{Position: iniconf.Position{File: path, Line: line}, Msg: message(err)}
	}
	m.marks = scan(m.text)
	return m, nil
}

// decode fills the struct. Of several wrong values the first one in the file is
// reported.
func (m *Meta) decode(into any) (undecoded []toml.Key, err error) {
	md, err := toml.Decode(m.text, into)
	if err == nil {
		return md.Undecoded(), nil
	}
	// The library gives the n-th table of an array the line of the last one. The
	// shortest beginning of the file that it refuses ends with what is wrong.
	kind := reflect.TypeOf(into).Elem()
	try := func(i int) error {
		_, err := toml.Decode(m.text[:m.marks[i].end]+m.marks[i].closers, reflect.New(kind).Interface())
		return err
	}
	i := sort.Search(len(m.marks), func(i int) bool { return try(i) != nil })
	if i == len(m.marks) {
		return nil, &Error{Position: iniconf.Position{File: m.Path}, Msg: message(err)}
	}
	k := m.marks[i]
	return nil, &Error{Position: iniconf.Position{File: m.Path, Line: k.line}, Msg: toml.Key(k.key).String() + ": " + message(try(i))}
}

// maxFile bounds the size of a file in bytes.
const maxFile = 1 << 20

func readBounded(path string) ([]byte, error) {
	return plainfile.Read(path, maxFile)
}

// withoutPath keeps a path from standing twice in one message.
func withoutPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// withoutBOM cuts off what the library passes over.
func withoutBOM(text string) string {
	for _, mark := range []string{"\ufeff", "\xff\xfe", "\xfe\xff"} {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			return rest
		}
	}
	return text
}

var (
	quotedText = regexp.MustCompile(`'\\?.'|"\\?."|'[^']*'|"(?:[^"\\]|\\.)*"`)
	wrongType  = regexp.MustCompile(`^incompatible types: TOML value has type .+; destination has type (.+)$`)
	noTable    = regexp.MustCompile(`^type mismatch for .*: expected table but found .+$`)
	outOfRange = regexp.MustCompile(`^\S+ (is out of .*)$`)
)

// wanted is how to write the types of Go that a struct has.
var wanted = map[string]string{
	"string": "a text in quotes", "boolean": "true or false", "integer": "a whole number",
	"float": "a number", "slice": "a list",
}

// message is what the library says, without its own line numbers and without quoting
// the file, which may hold secrets.
func message(err error) string {
	text := strings.TrimPrefix(err.Error(), "toml: ")
	var p toml.ParseError
	if errors.As(err, &p) {
		text = p.Message
	} else if _, after, ok := strings.Cut(text, "): "); ok && strings.Contains(text, "(last key ") {
		text = after
	}
	if m := wrongType.FindStringSubmatch(text); m != nil {
		if want := wanted[m[1]]; want != "" {
			return "give " + want
		}
	}
	if noTable.MatchString(text) {
		return "give a table"
	}
	if m := outOfRange.FindStringSubmatch(text); m != nil {
		return "the number " + m[1]
	}
	if strings.HasSuffix(text, "has already been defined.") {
		return "this key is set a second time"
	}
	return quotedText.ReplaceAllStringFunc(text, func(q string) string {
		if len(q) <= len(`'\n'`) { // a sign of TOML
			return q
		}
		return "(text not shown)"
	})
}

// unknown refuses keys that mean nothing.
func (m *Meta) unknown(undecoded []toml.Key, kind reflect.Type) error {
	means := map[string]bool{}
	for _, k := range undecoded {
		means[k.String()] = true
	}
	var all []error
	for _, k := range m.marks {
		// Of an unknown table only the table is reported.
		nothing := func(n int) bool { return means[toml.Key(k.key[:n]).String()] }
		if !k.defines || !nothing(len(k.key)) || slices.ContainsFunc(lengths(len(k.key)), nothing) {
			continue
		}
		msg := fmt.Sprintf("unknown key %q", toml.Key(k.key).String())
		if s := suggestion(k.key, kind); s != "" {
			msg += fmt.Sprintf("; did you mean %q?", s)
		} else {
			msg += "; known here: " + strings.Join(keysOf(kind, k.key[:len(k.key)-1]), ", ")
		}
		all = append(all, &Error{Position: iniconf.Position{File: m.Path, Line: k.line}, Msg: msg})
	}
	return errors.Join(all...)
}

// lengths are those of what a key of n parts is in.
func lengths(n int) []int {
	var out []int
	for i := 1; i < n; i++ {
		out = append(out, i)
	}
	return out
}

// keysOf returns the keys that a table has in a struct of that type: its toml tags.
// It is nil if there is no such table.
func keysOf(kind reflect.Type, table []string) []string {
	for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
		kind = kind.Elem()
	}
	if kind.Kind() == reflect.Map && len(table) > 0 { // tables with names of their own
		return keysOf(kind.Elem(), table[1:])
	}
	switch {
	case kind == reflect.TypeFor[Session]() && len(table) == 0:
		return sessionKeys()
	case kind.Kind() != reflect.Struct:
		return nil
	}
	var out []string
	for f := range kind.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case tag == "" && f.Anonymous:
			out = append(out, keysOf(f.Type, table)...)
		case tag == "":
		case len(table) == 0:
			out = append(out, tag)
		case tag == table[0]:
			return keysOf(f.Type, table[1:])
		}
	}
	return out
}

// suggestion returns the known key that is nearest to k, or the table in which
// a key of that name belongs.
func suggestion(k []string, kind reflect.Type) string {
	last := k[len(k)-1]
	if name := iniconf.Nearest(last, keysOf(kind, k[:len(k)-1])); name != "" {
		return name
	}
	for _, table := range keysOf(kind, nil) {
		if slices.Contains(keysOf(kind, []string{table}), last) {
			return table + "." + last
		}
	}
	return ""
}
