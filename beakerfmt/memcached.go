package beakerfmt

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// MaxMemcachedKey is the length of the longest key: memcached's limit in bytes, and
// the one in characters beyond which Beaker hashes a key.
const MaxMemcachedKey = 250

// The flags by which memcached's Python clients tell what a value is.
const (
	MemcachedPickle uint32 = 1 << iota
	MemcachedInt
	MemcachedLong
	MemcachedZlib
	MemcachedText // python-memcached since 1.59, pylibmc

	memcachedKnown = MemcachedPickle | MemcachedInt | MemcachedLong | MemcachedZlib | MemcachedText
)

// maxMemcachedDigits bounds a number that stands as text.
const maxMemcachedDigits = 4096

const memcachedSuffix = "_" + SessionKey

// What Beaker puts in place of a space: U+00B7 as Python 2 has it. For Python 3 its
// two bytes are two characters, of which each is encoded again.
const (
	memcachedSpace2 = "\u00b7"
	memcachedSpace3 = "\u00c2\u00b7"
)

// MemcachedKey returns the key of a session's item, as Beaker forms it under
// Python 2 or 3 (0: 3). They differ for ids with spaces only, which the zero
// [IDRule] does not admit. A key with many spaces may be longer than
// [MaxMemcachedKey] bytes under Python 3: its clients refuse it.
//
// Up to 1.6.3 Beaker leaves keys of more than 250 characters to the client, which
// refuses them.
//
// Beaker: ext/memcached.py, MemcachedNamespaceManager._format_key.
func MemcachedKey(id string, python int) string {
	spaces := strings.Count(id, " ")
	key := id + memcachedSuffix
	if spaces > 0 {
		key = strings.ReplaceAll(key, " ", memcachedSpace(python))
	}
	if len(id)+spaces+len(memcachedSuffix) <= MaxMemcachedKey {
		return key
	}
	sum := sha1.Sum([]byte(key))
	return hex.EncodeToString(sum[:])
}

// MemcachedID returns the id whose key it is. There is none for a key that is not
// a session's, nor for a hashed one.
func MemcachedID(key string, python int) (id string, ok bool) {
	id, ok = strings.CutSuffix(key, memcachedSuffix)
	if !ok {
		return "", false
	}
	id = strings.ReplaceAll(id, memcachedSpace(python), " ")
	return id, MemcachedKey(id, python) == key
}

func memcachedSpace(python int) string {
	if python == 2 {
		return memcachedSpace2
	}
	return memcachedSpace3
}

// MemcachedLimits bounds what an item may make [DecodeMemcached] do. A field that
// is zero means the default.
type MemcachedLimits struct {
	MaxInflated int // bytes of a compressed value; default 8 MiB
	Pickle      pickle.Limits
}

// DecodeMemcached decodes an item's value by its flags. A value without flags is
// the str of a Python 2, or of a Python 3 with python-memcached before 1.59: it is
// a Py2Str. What cannot be read is [ErrCorrupt].
//
// python-memcached: memcache.py, Client._recv_value.
func DecodeMemcached(data []byte, flags uint32, lim MemcachedLimits) (pyvalue.Value, error) {
	v, err := decodeMemcached(data, flags, lim)
	if err != nil {
		return nil, fmt.Errorf("beakerfmt: decode memcached item: %w: %w", ErrCorrupt, err)
	}
	return v, nil
}

func decodeMemcached(data []byte, flags uint32, lim MemcachedLimits) (pyvalue.Value, error) {
	if flags&^memcachedKnown != 0 {
		return nil, fmt.Errorf("unknown flags %#x", flags)
	}
	if flags&MemcachedZlib != 0 {
		var err error
		if data, err = inflate(data, lim.MaxInflated); err != nil {
			return nil, err
		}
	}
	switch {
	case flags&MemcachedText != 0:
		if !utf8.Valid(data) {
			return nil, errors.New("text is not UTF-8")
		}
		return pyvalue.Str(data), nil
	case flags&MemcachedInt != 0:
		return decimal(data, pyvalue.NewBigInt)
	case flags&MemcachedLong != 0:
		return decimal(data, pyvalue.NewLong)
	case flags&MemcachedPickle != 0:
		return pickle.Decode(data, lim.Pickle)
	}
	return pyvalue.Py2Str(data), nil
}

// decimal reads a number as Python writes it.
func decimal(data []byte, number func(*big.Int) *pyvalue.Int) (pyvalue.Value, error) {
	digits := strings.TrimPrefix(string(data), "-")
	if len(digits) == 0 || len(digits) > maxMemcachedDigits || strings.Trim(digits, "0123456789") != "" {
		return nil, errors.New("not a number")
	}
	n, ok := new(big.Int).SetString(string(data), 10)
	if !ok {
		return nil, errors.New("not a number")
	}
	return number(n), nil
}

// AppendMemcached appends the one form of a value that every client library reads
// under Python 2 and 3, and returns its flags: a pickle of protocol 2. Session text
// becomes unicode in it, for the str of Python 2 would do so only in Python 3.
func AppendMemcached(dst []byte, v pyvalue.Value) (out []byte, flags uint32, err error) {
	if text, ok := v.(pyvalue.Py2Str); ok && pyvalue.IsASCII(string(text)) {
		v = pyvalue.Str(text)
	}
	out, err = pickle.Append(dst, v, pickle.DefaultProtocol)
	if err != nil {
		return dst, 0, fmt.Errorf("beakerfmt: encode memcached item: %w", err)
	}
	return out, MemcachedPickle, nil
}
