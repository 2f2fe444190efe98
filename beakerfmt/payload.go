package beakerfmt

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// What a caller decides on. They come wrapped: use errors.Is.
var (
	// ErrNoSession: what is stored is a valid value, but Beaker sees no session
	// in it (None, an empty dict, a container that is a list …) and starts a new
	// one under the same id.
	ErrNoSession = errors.New("no session in it")
	// ErrCorrupt: what is stored cannot be read.
	ErrCorrupt = errors.New("session data is corrupt")
	// ErrEncrypted: what is stored has the shape of an encrypted session, and
	// no key was given.
	ErrEncrypted = errors.New("session data is encrypted")
	// ErrCookieTooLong: a cookie-only session has outgrown [MaxCookiePayload].
	ErrCookieTooLong = errors.New("session is too long for a cookie")
)

// MaxCookiePayload is the longest payload, in bytes, that Beaker puts into a
// cookie: the text that follows the signature.
//
// Beaker: session.py, CookieSession._create_cookie.
const MaxCookiePayload = 4064

// Serializer is Beaker's data_serializer.
type Serializer uint8

// The serializers.
const (
	Pickle Serializer = iota // protocol 2
	JSON                     // json.dumps, then zlib.compress
)

// String returns Beaker's name of the serializer.
func (s Serializer) String() string {
	if s == JSON {
		return "json"
	}
	return "pickle"
}

// Text tells how the session stands in its container.
type Text uint8

// The kinds of text. A reader of Python 2 or 3 sees the type of its own native
// string only if the container's pickle spells it so.
const (
	TextNone   Text = iota // no text: the dict itself (Beaker up to 1.11)
	TextStr                // base64 in a str of Python 3 or a unicode of Python 2
	TextPy2Str             // base64 in a str of Python 2
	TextBytes              // base64 in bytes
)

// String names the type: "dict", "str", "py2str" or "bytes".
func (t Text) String() string {
	switch t {
	case TextStr:
		return "str"
	case TextPy2Str:
		return "py2str"
	case TextBytes:
		return "bytes"
	}
	return "dict"
}

// Form is how a session was found, so that it can be written back in the same
// way. The zero Form is that of Beaker up to 1.11: the dict itself.
type Form struct {
	Text       Text
	Serializer Serializer
	// Protocol is that of the pickle inside the text, for information: inside
	// its base64 Beaker always writes protocol 2, and so do we.
	Protocol int
}

// Limits bound what decoding may cost. Zero fields mean safe defaults.
type Limits struct {
	Pickle pickle.Limits
	JSON   pyjson.Limits
	// MaxInflated is how many bytes a zlib stream may grow to; 16 MiB if zero.
	MaxInflated int
}

const defaultMaxInflated = 16 << 20

// DecodeValue decodes a session value as a store returns it: what Python has in
// namespace['session'].
//
// A dict is the session itself, and is returned, not copied. A text is base64
// (line breaks are passed over) of one pickle or of zlib-compressed JSON, told
// apart by their first bytes; a text that has the shape of a nonce followed by
// base64 is [ErrEncrypted], any other text [ErrCorrupt]. None and whatever is
// empty in Python (a dict, a list …) is [ErrNoSession]; everything else, among
// it any instance of a class, even of a subclass of dict, is [ErrCorrupt]. The
// same holds for what is inside the text.
//
// Beaker: session.py, Session.load and Session._decrypt_data.
func DecodeValue(v pyvalue.Value, lim Limits) (*pyvalue.Dict, Form, error) {
	var f Form
	var text string
	switch v := v.(type) {
	case pyvalue.Str:
		f.Text, text = TextStr, string(v)
	case pyvalue.Py2Str:
		f.Text, text = TextPy2Str, string(v)
	case pyvalue.Bytes:
		f.Text, text = TextBytes, string(v)
	default:
		d, err := sessionDict(v)
		if err != nil {
			return nil, f, fmt.Errorf("beakerfmt: decode session value: %w", err)
		}
		return d, f, nil
	}
	d, err := decodeText(text, &f, lim)
	if err != nil {
		return nil, f, fmt.Errorf("beakerfmt: decode session value: %w", err)
	}
	return d, f, nil
}

// EncodeValue returns the session value that a store is to keep, in the given
// form. Without a text it is d itself, not a copy, and the serializer does not
// matter: Beaker up to 1.11 leaves that to the container.
//
// Beaker: session.py, Session.save and Session._encrypt_data.
func EncodeValue(d *pyvalue.Dict, f Form) (pyvalue.Value, error) {
	if f.Text == TextNone {
		return d, nil
	}
	raw, err := serialize(d, f.Serializer)
	if err != nil {
		return nil, fmt.Errorf("beakerfmt: encode session value: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(raw)
	switch f.Text {
	case TextPy2Str:
		return pyvalue.Py2Str(text), nil
	case TextBytes:
		return pyvalue.Bytes(text), nil
	}
	return pyvalue.Str(text), nil
}

// DecodePayload decodes the payload of a cookie-only session: what follows the
// signature in the cookie. Its errors are those of [DecodeValue]. The form's
// Text is always TextStr.
//
// Beaker: session.py, CookieSession.load.
func DecodePayload(text string, lim Limits) (*pyvalue.Dict, Form, error) {
	f := Form{Text: TextStr}
	d, err := decodeText(text, &f, lim)
	if err != nil {
		return nil, f, fmt.Errorf("beakerfmt: decode cookie payload: %w", err)
	}
	return d, f, nil
}

// AppendPayload appends the payload of a cookie-only session, to which
// [AppendSigned] then adds the signature. Of the form only the serializer
// matters. A payload longer than [MaxCookiePayload] is [ErrCookieTooLong].
//
// Beaker: session.py, CookieSession._create_cookie.
func AppendPayload(dst []byte, d *pyvalue.Dict, f Form) ([]byte, error) {
	raw, err := serialize(d, f.Serializer)
	if err != nil {
		return dst, fmt.Errorf("beakerfmt: encode cookie payload: %w", err)
	}
	if n := base64.StdEncoding.EncodedLen(len(raw)); n > MaxCookiePayload {
		return dst, fmt.Errorf("beakerfmt: encode cookie payload: %w: %d bytes, at most %d are possible", ErrCookieTooLong, n, MaxCookiePayload)
	}
	return base64.StdEncoding.AppendEncode(dst, raw), nil
}

func decodeText(text string, f *Form, lim Limits) (*pyvalue.Dict, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err == nil && isPickle(raw) {
		f.Serializer, f.Protocol = Pickle, int(raw[1])
		return decodePickle(raw, lim.Pickle)
	}
	if err == nil && isZlib(raw) {
		f.Serializer = JSON
		return decodeJSON(raw, lim)
	}
	if isEnvelope(text) {
		return nil, ErrEncrypted
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil, fmt.Errorf("%w: neither a pickle nor a zlib stream", ErrCorrupt)
}

// isPickle: the header of protocol 2 to 5.
func isPickle(raw []byte) bool {
	return len(raw) >= 2 && raw[0] == 0x80 && 2 <= raw[1] && raw[1] <= 5
}

// isZlib: the header of a zlib stream with a 32 KiB window, as zlib.compress
// writes it at any level.
func isZlib(raw []byte) bool {
	return len(raw) >= 2 && raw[0] == 0x78 && raw[1]&0x20 == 0 && (int(raw[0])<<8|int(raw[1]))%31 == 0
}

// Bounds of an encrypted text, in characters: a nonce has 8 of them at the
// least in any Beaker (unless it is told to be careless) and 44 for 256 bits;
// even an empty session takes 8 more.
const (
	maxNonce    = 44
	minEnvelope = 16
)

// isEnvelope reports whether text can be a nonce in base64, which may end in
// padding of its own, followed by base64. That the whole is random cannot be seen.
func isEnvelope(text string) bool {
	if len(text) < minEnvelope {
		return false
	}
	body := text
	if i := strings.IndexByte(text, '='); i >= 0 && i < len(text)-2 {
		nonce := (i + 3) &^ 3
		if i%4 < 2 || nonce > maxNonce || nonce >= len(text) || strings.Trim(text[i:nonce], "=") != "" {
			return false
		}
		body = text[nonce:]
	}
	return isBase64(body)
}

func isBase64(text string) bool {
	if len(text)%4 != 0 {
		return false
	}
	text, padded := strings.CutSuffix(text, "=")
	if padded {
		text = strings.TrimSuffix(text, "=")
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; !isAlnum(c) && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// decodePickle asks for a STOP at the very end, which is what a whole pickle has
// and a wrongly decrypted one has not.
func decodePickle(raw []byte, lim pickle.Limits) (*pyvalue.Dict, error) {
	if raw[len(raw)-1] != '.' {
		return nil, fmt.Errorf("%w: the pickle does not end with the text", ErrCorrupt)
	}
	v, err := pickle.Decode(raw, lim)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return sessionDict(v)
}

func decodeJSON(raw []byte, lim Limits) (*pyvalue.Dict, error) {
	doc, err := inflate(raw, lim.MaxInflated)
	if err != nil {
		return nil, fmt.Errorf("%w: inflate: %w", ErrCorrupt, err)
	}
	v, err := pyjson.Decode(doc, lim.JSON)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return sessionDict(v)
}

// sessionDict tells a session from what Beaker takes for none (len() is 0) and
// from what it stumbles over.
func sessionDict(v pyvalue.Value) (*pyvalue.Dict, error) {
	size := 1
	switch v := v.(type) {
	case *pyvalue.Dict:
		if v.Len() > 0 {
			return v, nil
		}
		size = 0
	case pyvalue.None:
		size = 0
	case *pyvalue.List:
		size = len(v.Items)
	case *pyvalue.Tuple:
		size = len(v.Items)
	case *pyvalue.Set:
		size = v.Len()
	case *pyvalue.FrozenSet:
		size = v.Len()
	}
	if size == 0 {
		return nil, ErrNoSession
	}
	return nil, fmt.Errorf("%w: it is not a dict", ErrCorrupt)
}

var errInflated = errors.New("zlib stream exceeds the limit")

// Compressors are large (0.8 MiB to write, 40 KiB to read), so they are kept.
var (
	deflaters = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}
	inflaters sync.Pool
)

// inflate undoes zlib.compress. A few bytes can stand for a thousand times as
// many, so the limit is on the output.
func inflate(raw []byte, limit int) ([]byte, error) {
	if limit <= 0 {
		limit = defaultMaxInflated
	}
	r, err := openInflater(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	defer inflaters.Put(r)
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(out) > limit {
		return nil, errInflated
	}
	return out, nil
}

func openInflater(src io.Reader) (io.Reader, error) {
	if r, ok := inflaters.Get().(io.Reader); ok {
		return r, r.(zlib.Resetter).Reset(src, nil)
	}
	return zlib.NewReader(src)
}

func deflate(doc []byte) ([]byte, error) {
	var out bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(doc); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

func serialize(d *pyvalue.Dict, s Serializer) ([]byte, error) {
	if s == Pickle {
		return pickle.Append(nil, d, pickle.DefaultProtocol)
	}
	doc, err := pyjson.Append(nil, d)
	if err != nil {
		return nil, err
	}
	return deflate(doc)
}
