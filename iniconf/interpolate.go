package iniconf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxInterpolationDepth is ConfigParser's MAX_INTERPOLATION_DEPTH.
const maxInterpolationDepth = 10

// scope is where %(name)s looks: the section, then [DEFAULT].
type scope struct {
	section  *table // nil for [DEFAULT] itself
	defaults *table
}

func (s scope) get(key string) (Setting, bool) {
	if s.section != nil {
		if v, ok := s.section.get(key); ok {
			return v, true
		}
	}
	return s.defaults.get(key)
}

// budget bounds the work of one Load, so that a small file cannot grow without
// end (ten levels of ten references are ten thousand million).
type budget struct {
	bytes int // that may still be produced
	steps int // references that may still be replaced
}

// interpolator replaces %(name)s in one value.
type interpolator struct {
	dialect Dialect
	scope   scope
	of      Setting // the value that is asked for
	in      Setting // the value that is being read; errors name its place
	mixed   bool    // it is text of several values by now (Python 2)
	budget  *budget
	visit   func(Setting) // is told of the values that references lead to; may be nil
}

// interpolate returns the value of s with its references replaced, as
// ConfigParser.get does. An error names the place of the % that it is about, be
// it in s or in a value that s leads to.
func interpolate(d Dialect, sc scope, s Setting, b *budget) (Setting, error) {
	in := &interpolator{dialect: d, scope: sc, of: s, in: s, budget: b}
	var err error
	if d == Python2 {
		s.Value, err = in.rounds(s.Value)
	} else if strings.Contains(s.Value, "%") {
		var out strings.Builder
		err = in.expand(&out, s, 1)
		s.Value = out.String()
	}
	s.spots = nil
	if err != nil {
		s.Value = ""
	}
	return s, err
}

// fail makes an error about byte i of the value that is being read.
func (in *interpolator) fail(k Kind, i int, msg string) error {
	where := in.in
	text := fmt.Sprintf("option %q of section [%s]: %s", clip(where.Key), clip(where.Section), msg)
	if where.Key != in.of.Key || where.Position != in.of.Position {
		text += fmt.Sprintf("; option %q of section [%s] (%s) leads to it", clip(in.of.Key), clip(in.of.Section), in.of.Position)
	}
	if in.mixed {
		return errorAt(where.Position, k, text)
	}
	return errorAt(where.at(i), k, text)
}

// failWhole makes an error about the value that is asked for.
func (in *interpolator) failWhole(k Kind, msg string) error {
	return errorAt(in.of.Position, k, fmt.Sprintf("option %q of section [%s]: %s", clip(in.of.Key), clip(in.of.Section), msg))
}

// spend takes n bytes of output from the budget.
func (in *interpolator) spend(n int) error {
	if in.budget.bytes -= n; in.budget.bytes < 0 {
		return in.failWhole(KindLimit, "interpolation makes more text than the limit allows; use fewer %(name)s, or raise Limits.MaxInterpolated")
	}
	return nil
}

func (in *interpolator) step() error {
	if in.budget.steps--; in.budget.steps < 0 {
		return in.failWhole(KindLimit, "interpolation has more references than the limit allows; use fewer %(name)s, or raise Limits.MaxReferences")
	}
	return nil
}

// lookup finds what the reference at byte i stands for.
func (in *interpolator) lookup(name string, i int) (Setting, error) {
	if err := in.step(); err != nil {
		return Setting{}, err
	}
	v, ok := in.scope.get(name)
	if !ok {
		what := "a name"
		if !in.mixed && !sensitive(in.of.Key) && !sensitive(in.in.Key) {
			what = strconv.Quote(clip(name))
		}
		return Setting{}, in.fail(KindInterpolationMissingOption, i, fmt.Sprintf(
			"it refers with %%(…)s to %s that is neither in its section nor in [DEFAULT]; define it there, or write %%%% for a percent sign", what))
	}
	if in.visit != nil {
		in.visit(v)
	}
	return v, nil
}

func (in *interpolator) tooDeep() error {
	return in.failWhole(KindInterpolationDepth, fmt.Sprintf(
		"its references go deeper than %d levels; two settings may refer to each other", maxInterpolationDepth))
}

// expand is Python 3's BasicInterpolation: one pass, references inside
// references first, every % must mean something.
func (in *interpolator) expand(out *strings.Builder, s Setting, depth int) error {
	if depth > maxInterpolationDepth {
		return in.tooDeep()
	}
	before := in.in
	in.in = s
	for rest := s.Value; rest != ""; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			i = len(rest)
		}
		if err := in.spend(i); err != nil {
			return err
		}
		out.WriteString(rest[:i])
		if rest = rest[i:]; rest == "" {
			break
		}
		if strings.HasPrefix(rest, "%%") {
			if err := in.spend(1); err != nil {
				return err
			}
			out.WriteByte('%')
			rest = rest[2:]
			continue
		}
		place := len(s.Value) - len(rest)
		name, after, ok := reference3(rest)
		if !ok {
			return in.fail(KindInterpolationSyntax, place,
				"a % must be followed by another % or by (name)s; write %% for a percent sign")
		}
		v, err := in.lookup(name, place)
		if err != nil {
			return err
		}
		rest = after
		if strings.Contains(v.Value, "%") {
			err = in.expand(out, v, depth+1)
		} else if err = in.spend(len(v.Value)); err == nil {
			out.WriteString(v.Value)
		}
		if err != nil {
			return err
		}
	}
	in.in = before
	return nil
}

// reference3 is %\(([^)]+)\)s at the start of text.
func reference3(text string) (name, after string, ok bool) {
	if !strings.HasPrefix(text, "%(") {
		return "", "", false
	}
	end := strings.IndexByte(text, ')')
	if end < 3 || !strings.HasPrefix(text[end:], ")s") {
		return "", "", false
	}
	return text[2:end], text[end+2:], true
}

// rounds is Python 2's ConfigParser._interpolate: as long as "%(" is in the
// value it is formatted with Python's % operator, at most ten times. Text without "%(" is
// left alone, so that "50%%" keeps both signs.
func (in *interpolator) rounds(value string) (string, error) {
	for round := range maxInterpolationDepth {
		if !strings.Contains(value, "%(") {
			return value, nil
		}
		var err error
		value, err = in.format(value)
		switch {
		case err != nil && round > 0:
			return "", in.blame(err)
		case err != nil:
			return "", err
		}
		in.mixed = true
	}
	if strings.Contains(value, "%(") {
		return "", in.tooDeep()
	}
	return value, nil
}

// blame finds the value to which an error of a later round is due: the nearest
// of those that the asked one leads to which is wrong by itself in the same way.
// Where there is none, as when two values make a reference between them, the
// error stays with the asked one.
func (in *interpolator) blame(asked error) error {
	var lone error // of a value that is wrong only because it stands beside a reference
	seen := map[string]bool{in.of.Key: true}
	reached := []Setting{in.of}
	for i := 0; i < len(reached); i++ {
		probe := *in
		probe.in, probe.mixed = reached[i], false
		probe.visit = func(v Setting) {
			if !seen[v.Key] && strings.Contains(v.Value, "%") {
				seen[v.Key] = true
				reached = append(reached, v)
			}
		}
		_, err := probe.format(probe.in.Value)
		switch {
		case err == nil || err.(*Error).Kind != asked.(*Error).Kind:
		case strings.Contains(probe.in.Value, "%("):
			return err
		case lone == nil:
			lone = err
		}
	}
	if lone != nil {
		return lone
	}
	return asked
}

// argument is what Python's % operator takes for the next conversion without a
// name: first the whole mapping, after a name what that name stands for, and
// each only once.
type argument struct {
	text    string
	mapping bool
	left    bool
}

// format is Python 2's str % dict, with the conversions that take text
// (Objects/stringobject.c, PyString_Format).
func (in *interpolator) format(text string) (string, error) {
	var out strings.Builder
	arg := argument{mapping: true, left: true}
	for rest := text; rest != ""; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			i = len(rest)
		}
		if err := in.spend(i); err != nil {
			return "", err
		}
		out.WriteString(rest[:i])
		if rest = rest[i:]; rest == "" {
			break
		}
		piece, after, err := in.convert(rest[1:], len(text)-len(rest), &arg)
		if err != nil {
			return "", err
		}
		out.WriteString(piece)
		rest = after
	}
	return out.String(), nil
}

// conversion is one %(name)-5.3s.
type conversion struct {
	name      string
	named     bool
	left      bool
	width     int
	precision int // -1: none
	verb      byte
}

// parseConversion reads what follows a %: (name), flags, width, precision, a
// length letter that has no effect, the verb.
func parseConversion(s string) (c conversion, after string, ok bool) {
	c.precision = -1
	if strings.HasPrefix(s, "(") {
		end := closing(s)
		if end < 0 {
			return c, "", false
		}
		c.name, c.named, s = s[1:end], true, s[end+1:]
	}
	for s != "" && strings.IndexByte("-+ #0", s[0]) >= 0 {
		c.left = c.left || s[0] == '-'
		s = s[1:]
	}
	if c.width, s, ok = leadingInt(s); !ok {
		return c, "", false
	}
	if strings.HasPrefix(s, ".") {
		if c.precision, s, ok = leadingInt(s[1:]); !ok {
			return c, "", false
		}
	}
	if s != "" && strings.IndexByte("hlL", s[0]) >= 0 {
		s = s[1:]
	}
	if s == "" {
		return c, "", false
	}
	c.verb = s[0]
	return c, s[1:], true
}

// closing returns the index of the parenthesis that closes the first one.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// leadingInt takes the digits at the start of s; none are 0. Too large a number
// is as wrong as in Python, whose Py_ssize_t has 64 bits.
func leadingInt(s string) (n int, rest string, ok bool) {
	for s != "" && s[0] >= '0' && s[0] <= '9' {
		digit := int(s[0] - '0')
		if n > (math.MaxInt64-digit)/10 {
			return 0, "", false
		}
		n, s = n*10+digit, s[1:]
	}
	return n, s, true
}

// convert does the conversion that s begins with and whose % is at byte i: %s,
// %r and, for one character, %c. It returns what it stands for and what comes
// after it.
func (in *interpolator) convert(s string, i int, arg *argument) (piece, after string, err error) {
	c, after, ok := parseConversion(s)
	if c.named {
		// Python looks the name up before it looks at the rest.
		v, err := in.lookup(c.name, i)
		if err != nil {
			return "", "", err
		}
		*arg = argument{text: v.Value, left: true}
	}
	wrong := func(what string) (string, string, error) {
		return "", "", in.fail(KindInterpolationSyntax, i, what+"; write %% for a percent sign")
	}
	if !ok {
		return wrong("a % that begins no %(name)s, beside one that does")
	}
	if c.verb == '%' {
		piece, err = in.pad("%", c)
		return piece, after, err
	}
	switch {
	case !arg.left:
		return wrong("a conversion without a name beside a %(name)s")
	case arg.mapping:
		return wrong("a conversion without a name before a %(name)s; Python 2 puts the whole section there, secrets and all, which is refused here")
	}
	piece, arg.left = arg.text, false
	switch {
	case c.verb == 's':
	case c.verb == 'r':
		piece = repr2(piece)
	case c.verb == 'c' && len(piece) == 1:
		c.precision = -1
	default:
		return wrong("a reference must end in s, as in %(name)s")
	}
	if c.precision >= 0 && len(piece) > c.precision {
		piece = piece[:c.precision]
	}
	piece, err = in.pad(piece, c)
	return piece, after, err
}

// pad fills a field with blanks, and takes it from the budget.
func (in *interpolator) pad(text string, c conversion) (string, error) {
	blanks := max(0, c.width-len(text))
	if err := in.spend(len(text) + min(blanks, in.budget.bytes+1)); err != nil || blanks == 0 {
		return text, err
	}
	if c.left {
		return text + strings.Repeat(" ", blanks), nil
	}
	return strings.Repeat(" ", blanks) + text, nil
}

// repr2 is Python 2's repr of an 8-bit string.
func repr2(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	out := []byte{quote}
	for i := range len(s) {
		switch c := s[i]; {
		case c == quote || c == '\\':
			out = append(out, '\\', c)
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c < ' ' || c >= 0x7f:
			out = fmt.Appendf(out, `\x%02x`, c)
		default:
			out = append(out, c)
		}
	}
	return string(append(out, quote))
}
