package iniconf

import (
	"fmt"
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
	of      Setting // the value that is asked for; errors name its place
	budget  *budget
}

// interpolate returns the value of s with its references replaced, as
// ConfigParser.get does.
func interpolate(d Dialect, sc scope, s Setting, b *budget) (Setting, error) {
	in := &interpolator{dialect: d, scope: sc, of: s, budget: b}
	var err error
	if d == Python2 {
		s.Value, err = in.rounds(s.Value)
	} else if strings.Contains(s.Value, "%") {
		var out strings.Builder
		err = in.expand(&out, s.Value, 1)
		s.Value = out.String()
	}
	return s, err
}

func (in *interpolator) fail(k Kind, format string, args ...any) error {
	return errorAt(in.of.Position, k, fmt.Sprintf("option %q of section [%s]: ", clip(in.of.Key), in.of.Section)+fmt.Sprintf(format, args...))
}

// spend takes n bytes of output from the budget.
func (in *interpolator) spend(n int) error {
	if in.budget.bytes -= n; in.budget.bytes < 0 {
		return in.fail(KindLimit, "interpolation makes more text than the limit allows; use fewer %%(name)s, or raise Limits.MaxInterpolated")
	}
	return nil
}

func (in *interpolator) step() error {
	if in.budget.steps--; in.budget.steps < 0 {
		return in.fail(KindLimit, "interpolation has more references than the limit allows; use fewer %%(name)s, or raise Limits.MaxReferences")
	}
	return nil
}

// lookup finds the raw text that a reference stands for.
func (in *interpolator) lookup(name string) (string, error) {
	if err := in.step(); err != nil {
		return "", err
	}
	v, ok := in.scope.get(name)
	if !ok {
		what := "a name"
		if !sensitive(in.of.Key) {
			what = strconv.Quote(clip(name))
		}
		return "", in.fail(KindInterpolationMissingOption,
			"it refers with %%(…)s to %s that is neither in its section nor in [DEFAULT]; define it there, or write %%%% for a percent sign", what)
	}
	return v.Value, nil
}

func (in *interpolator) tooDeep() error {
	return in.fail(KindInterpolationDepth,
		"its references go deeper than %d levels; two settings may refer to each other", maxInterpolationDepth)
}

// expand is Python 3's BasicInterpolation: one pass, references inside
// references first, every % must mean something.
func (in *interpolator) expand(out *strings.Builder, rest string, depth int) error {
	if depth > maxInterpolationDepth {
		return in.tooDeep()
	}
	for rest != "" {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			i = len(rest)
		}
		if err := in.spend(i); err != nil {
			return err
		}
		out.WriteString(rest[:i])
		if rest = rest[i:]; rest == "" {
			return nil
		}
		if strings.HasPrefix(rest, "%%") {
			if err := in.spend(1); err != nil {
				return err
			}
			out.WriteByte('%')
			rest = rest[2:]
			continue
		}
		name, after, ok := reference3(rest)
		if !ok {
			return in.fail(KindInterpolationSyntax,
				"a %% must be followed by another %% or by (name)s; write %%%% for a percent sign")
		}
		text, err := in.lookup(name)
		if err != nil {
			return err
		}
		rest = after
		if strings.Contains(text, "%") {
			err = in.expand(out, text, depth+1)
		} else if err = in.spend(len(text)); err == nil {
			out.WriteString(text)
		}
		if err != nil {
			return err
		}
	}
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
	for range maxInterpolationDepth {
		if !strings.Contains(value, "%(") {
			return value, nil
		}
		var err error
		if value, err = in.format(value); err != nil {
			return "", err
		}
	}
	if strings.Contains(value, "%(") {
		return "", in.tooDeep()
	}
	return value, nil
}

// format is Python 2's str % dict, with the conversions that take text.
func (in *interpolator) format(text string) (string, error) {
	var out strings.Builder
	for text != "" {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			i = len(text)
		}
		if err := in.spend(i); err != nil {
			return "", err
		}
		out.WriteString(text[:i])
		if text = text[i:]; text == "" {
			break
		}
		piece, after, err := in.convert(text[1:])
		if err != nil {
			return "", err
		}
		if err := in.spend(len(piece)); err != nil {
			return "", err
		}
		out.WriteString(piece)
		text = after
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

// maxFieldWidth keeps a width from standing for gigabytes of blanks.
const maxFieldWidth = 1 << 16

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

// leadingInt takes the digits at the start of s; none are 0.
func leadingInt(s string) (n int, rest string, ok bool) {
	for s != "" && s[0] >= '0' && s[0] <= '9' {
		if n = n*10 + int(s[0]-'0'); n > maxFieldWidth {
			return 0, "", false
		}
		s = s[1:]
	}
	return n, s, true
}

// convert does the conversion that s begins with: %s, %r and, for one
// character, %c. It returns what it stands for and what comes after it.
func (in *interpolator) convert(s string) (piece, after string, err error) {
	c, after, ok := parseConversion(s)
	if c.named {
		// Python looks the name up before it looks at the rest.
		if piece, err = in.lookup(c.name); err != nil {
			return "", "", err
		}
	}
	switch {
	case !ok:
		return "", "", in.fail(KindInterpolationSyntax,
			"a %% that begins no %%(name)s, beside one that does; write %%%% for a percent sign")
	case c.verb == '%':
		return pad("%", c), after, nil
	case !c.named:
		return "", "", in.fail(KindInterpolationSyntax,
			"a conversion without a name beside a %%(name)s; write %%%% for a percent sign")
	case c.verb == 's':
	case c.verb == 'r':
		piece = repr2(piece)
	case c.verb == 'c' && len(piece) == 1:
		c.precision = -1
	default:
		return "", "", in.fail(KindInterpolationSyntax,
			"a reference must end in s, as in %%(name)s; write %%%% for a percent sign")
	}
	if c.precision >= 0 && len(piece) > c.precision {
		piece = piece[:c.precision]
	}
	return pad(piece, c), after, nil
}

func pad(text string, c conversion) string {
	blanks := strings.Repeat(" ", max(0, c.width-len(text)))
	if c.left {
		return text + blanks
	}
	return blanks + text
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
