package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"
)

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

// String returns the text form.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Size is a number of bytes: a whole number, or a text such as "64KiB".
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1}}

// UnmarshalTOML reads a whole number or the text form.
func (s *Size) UnmarshalTOML(data any) error {
	return s.UnmarshalText(fmt.Append(nil, data))
}

// UnmarshalText reads the text form.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return errors.New(`a size is a number of bytes, or a text such as 64KiB or 2GiB, in quotes`)
}

// String returns the shortest text form.
func (s Size) String() string {
	for _, u := range sizeUnits[:3] {
		if s > 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// FileMode is the mode of a socket, as in "0660".
type FileMode fs.FileMode

// UnmarshalText reads octal digits.
func (m *FileMode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 {
		return errors.New("a mode is a text such as 0660, in quotes")
	}
	*m = FileMode(n)
	return nil
}

// String returns octal digits.
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// UnmarshalTOML reads a path, or a table.
func (h *Header) UnmarshalTOML(data any) error {
	*h = Header{}
	switch v := data.(type) {
	case string:
		h.Path = v
	case map[string]any:
		fields := map[string]*string{"path": &h.Path, "join": &h.Join, "encode": &h.Encode, "default": &h.Default}
		for name, value := range v {
			field := fields[name]
			text, ok := value.(string)
			if field == nil || !ok {
				return errors.New("a header is the path of a session value, or a table of the texts path, join, encode and default")
			}
			*field = text
		}
	default:
		return errors.New("a header is the path of a session value, or a table of the texts path, join, encode and default")
	}
	if h.Path == "" {
		return errors.New("a header needs the path of a session value")
	}
	return nil
}
