package beakerfmt

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// MaxCookiePayload is the longest payload, in bytes, that Beaker puts into a
// cookie: the text that follows the signature. Browsers may keep less: Chromium
// drops a cookie whose name and value are longer than 4,096 bytes together, which
// leaves 4,039 for a payload under the name beaker.session.id.
//
// Beaker: session.py, CookieSession._create_cookie.
const MaxCookiePayload = 4064

// ErrCookieTooLong: a cookie-only session has outgrown [MaxCookiePayload]. The
// error itself is a [*CookieTooLongError].
var ErrCookieTooLong = errors.New("session is too long for a cookie")

// CookieTooLongError says by how much a session is too long for a cookie, and
// what in it is so long.
type CookieTooLongError struct {
	Size, Limit int       // of the payload, in bytes
	Largest     []KeySize // the largest keys, at most three, the largest first
}

// KeySize is the size of one key of a session.
type KeySize struct {
	Key  string // as Python's repr, unless it is text
	Size int    // of the key and its value as a pickle, in bytes
}

// Is makes it an [ErrCookieTooLong].
func (e *CookieTooLongError) Is(target error) bool { return target == ErrCookieTooLong }

// Error names sizes and keys, never a value.
func (e *CookieTooLongError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %d bytes, at most %d are possible", ErrCookieTooLong, e.Size, e.Limit)
	for i, k := range e.Largest {
		sep := ", "
		if i == 0 {
			sep = "; the largest keys are "
		}
		fmt.Fprintf(&b, "%s%q (%d)", sep, k.Key, k.Size)
	}
	return b.String()
}

// The error names this many keys, and of each this many bytes.
const (
	largestKeys = 3
	maxKeyName  = 64
)

func tooLong(size int, d *pyvalue.Dict) *CookieTooLongError {
	return &CookieTooLongError{Size: size, Limit: MaxCookiePayload, Largest: LargestKeys(d)}
}

// LargestKeys returns the keys that take most of a session, at most three, the largest
// first, for who has to say why it is too large. Of a key it returns the beginning.
func LargestKeys(d *pyvalue.Dict) []KeySize {
	var all []KeySize
	for k, v := range d.All() {
		name, ok := pyvalue.Text(k)
		if !ok {
			name = pyvalue.Repr(k)
		}
		if len(name) > maxKeyName {
			name = strings.ToValidUTF8(name[:maxKeyName], "") + "…"
		}
		one, _ := pickle.Append(nil, pyvalue.NewTuple(k, v), pickle.DefaultProtocol)
		all = append(all, KeySize{Key: name, Size: len(one)})
	}
	slices.SortStableFunc(all, func(a, b KeySize) int { return cmp.Compare(b.Size, a.Size) })
	return all[:min(len(all), largestKeys)]
}
