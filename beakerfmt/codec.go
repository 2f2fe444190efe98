package beakerfmt

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/internal/zlibsize"
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
	// ErrDecrypt: what is stored has the shape of an encrypted session, and no
	// key opens it in any mode. Only GCM can tell a wrong key from changed data;
	// without it, data that was changed in its first bytes looks the same, and data
	// that was changed elsewhere is ErrCorrupt or, worse, a session.
	ErrDecrypt = errors.New("session data cannot be decrypted with these keys")
	// ErrPlaintext: a session is not encrypted, or would not be, although there is
	// an encrypt key.
	ErrPlaintext = errors.New("session data is not encrypted")
)

// Codec reads and writes sessions: what stands in a store under 'session', and
// what follows the signature in a cookie. The zero Codec knows no encryption.
// A Codec is safe for concurrent use as long as it is not changed.
type Codec struct {
	Limits Limits
	// EncryptKeys and ValidateKeys are Beaker's encrypt_key and validate_key,
	// and older ones. The first of each write; all combinations are tried for
	// reading. Without EncryptKeys nothing is encrypted.
	EncryptKeys, ValidateKeys [][]byte
	// Modes are tried for reading, in this order. Empty: GCM, CBC, CTR, ECB.
	Modes []AESMode
	// NonceBits is encrypt_nonce_bits: the size of new nonces and the first one
	// tried for reading, where the text does not show it. 0 means 128.
	NonceBits int
	// AcceptPlaintext reads sessions that are not encrypted although there are
	// EncryptKeys, as Beaker without an AES library stores them.
	AcceptPlaintext bool
	// Random is the source of nonces (crypto/rand.Reader), safe for concurrent use.
	// It is needed to write what is encrypted.
	Random io.Reader
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
// apart by their first bytes, or an envelope: a nonce followed by base64. An
// envelope without keys is [ErrEncrypted], one that no key opens [ErrDecrypt],
// with keys anything but an envelope [ErrPlaintext], any other text
// [ErrCorrupt]. None and whatever is empty in Python (a dict, a list …) is
// [ErrNoSession]; everything else, among it any instance of a class, even of a
// subclass of dict, is [ErrCorrupt]. The same holds for what is inside the text.
//
// Beaker: session.py, Session.load and Session._decrypt_data.
func (c *Codec) DecodeValue(v pyvalue.Value) (*pyvalue.Dict, Form, error) {
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
		if err == nil && !c.plaintextAllowed() {
			err = ErrPlaintext
		}
		if err != nil {
			return nil, f, fmt.Errorf("beakerfmt: decode session value: %w", err)
		}
		return d, f, nil
	}
	d, err := c.decodeText(text, -1, &f)
	if err != nil {
		return nil, f, fmt.Errorf("beakerfmt: decode session value: %w", err)
	}
	return d, f, nil
}

// EncodeValue returns the session value that a store is to keep, in the given
// form. Without a text it is d itself, not a copy, and the serializer does not
// matter: Beaker up to 1.11 leaves that to the container. A form without AES
// where there is an encrypt key is [ErrPlaintext].
//
// Beaker: session.py, Session.save and Session._encrypt_data.
func (c *Codec) EncodeValue(d *pyvalue.Dict, f Form) (pyvalue.Value, error) {
	if err := c.checkSealed(f); err != nil {
		return nil, fmt.Errorf("beakerfmt: encode session value: %w", err)
	}
	if f.Text == TextNone {
		if f.AES != AESNone {
			return nil, errors.New("beakerfmt: encode session value: a dict that is stored as it is cannot be encrypted")
		}
		return d, nil
	}
	raw, _, err := serialize(d, f.Serializer)
	if err != nil {
		return nil, fmt.Errorf("beakerfmt: encode session value: %w", err)
	}
	text, err := c.appendText(nil, raw, f)
	if err != nil {
		return nil, fmt.Errorf("beakerfmt: encode session value: %w", err)
	}
	switch f.Text {
	case TextPy2Str:
		return pyvalue.Py2Str(text), nil
	case TextBytes:
		return pyvalue.Bytes(text), nil
	}
	return pyvalue.Str(text), nil
}

// DecodePayload decodes the payload of a cookie-only session: what follows the
// signature in the cookie. signedBy is the index of the validate key that
// signed it, which is the one that salted its encryption; -1 if it is not known.
// Its errors are those of [Codec.DecodeValue]. The form's Text is always TextStr.
//
// Beaker: session.py, CookieSession.load.
func (c *Codec) DecodePayload(text string, signedBy int) (*pyvalue.Dict, Form, error) {
	f := Form{Text: TextStr}
	d, err := c.decodeText(text, signedBy, &f)
	if err != nil {
		return nil, f, fmt.Errorf("beakerfmt: decode cookie payload: %w", err)
	}
	return d, f, nil
}

// AppendPayload appends the payload of a cookie-only session, to which
// [AppendSigned] then adds the signature. The form's Text does not matter. A
// payload longer than [MaxCookiePayload] is a [*CookieTooLongError], and so is one
// that is only longer when Python packs the same JSON.
//
// Beaker: session.py, CookieSession._create_cookie.
func (c *Codec) AppendPayload(dst []byte, d *pyvalue.Dict, f Form) ([]byte, error) {
	raw, n, err := c.measure(d, f)
	if err == nil && n > MaxCookiePayload {
		err = tooLong(n, d)
	}
	if err != nil {
		return dst, fmt.Errorf("beakerfmt: encode cookie payload: %w", err)
	}
	out, err := c.appendText(dst, raw, f)
	if err != nil {
		return dst, fmt.Errorf("beakerfmt: encode cookie payload: %w", err)
	}
	return out, nil
}

// PayloadLen returns how long the payload would be that [Codec.AppendPayload]
// makes, in bytes, or that Python makes of the same session if that is longer. It
// may be longer than [MaxCookiePayload].
func (c *Codec) PayloadLen(d *pyvalue.Dict, f Form) (int, error) {
	_, n, err := c.measure(d, f)
	if err != nil {
		return 0, fmt.Errorf("beakerfmt: measure cookie payload: %w", err)
	}
	return n, nil
}

// measure serializes d and tells how long its payload is, for Python too: Beaker
// packs a cookie-only session again whenever it reads it, and fails if what it
// gets is too long. Its pickles are not longer than ours, but its zlib may do worse.
func (c *Codec) measure(d *pyvalue.Dict, f Form) (raw []byte, n int, err error) {
	if err := c.checkSealed(f); err != nil {
		return nil, 0, err
	}
	raw, doc, err := serialize(d, f.Serializer)
	if err != nil {
		return nil, 0, err
	}
	n = c.textLen(len(raw), f)
	if doc != nil && n > MaxCookiePayload*2/3 && n <= MaxCookiePayload {
		n = max(n, c.textLen(repacked(doc), f))
	}
	return raw, n, nil
}

// repacked is how long Python's zlib stream of a JSON document can become by a new
// access time, and by the order that Python 2 gives to keys.
func repacked(doc []byte) int {
	n := zlibsize.Len(doc)
	return n + n/50 + 16
}

// textLen is the length of what appendText appends for n bytes.
func (c *Codec) textLen(n int, f Form) int {
	if f.AES != AESNone {
		return c.sealedLen(n, f)
	}
	return base64.StdEncoding.EncodedLen(n)
}

// checkSealed: nothing is written in clear by mistake.
func (c *Codec) checkSealed(f Form) error {
	if f.AES == AESNone && len(c.EncryptKeys) > 0 {
		return ErrPlaintext
	}
	return nil
}

func (c *Codec) appendText(dst, raw []byte, f Form) ([]byte, error) {
	if f.AES != AESNone {
		return c.appendSealed(dst, raw, f)
	}
	return base64.StdEncoding.AppendEncode(dst, raw), nil
}

func (c *Codec) plaintextAllowed() bool { return len(c.EncryptKeys) == 0 || c.AcceptPlaintext }

func (c *Codec) decodeText(text string, signedBy int, f *Form) (*pyvalue.Dict, error) {
	if len(c.EncryptKeys) == 0 {
		return c.decodePlain(text, f)
	}
	err := ErrCorrupt
	if len(text) >= minEnvelope && paddedNonce(text) < len(text) {
		var d *pyvalue.Dict
		if d, err = c.open(text, signedBy, f); err == nil || errors.Is(err, ErrNoSession) {
			return d, err
		}
	}
	clear := *f
	switch d, plainErr := c.decodePlain(text, &clear); {
	case plainErr != nil && !errors.Is(plainErr, ErrNoSession):
		return nil, err
	case !c.AcceptPlaintext:
		return nil, ErrPlaintext
	default:
		*f = clear
		return d, plainErr
	}
}

// decodePlain decodes what is not encrypted: base64, behind a nonce if Beaker was
// to encrypt it and had no AES library (Beaker: crypto/noencryption.py).
func (c *Codec) decodePlain(text string, f *Form) (*pyvalue.Dict, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err == nil && (isPickle(raw) || isZlib(raw)) {
		return c.decodeRaw(raw, f)
	}
	if isEnvelope(text) {
		for _, n := range c.nonceLens(nil, text) {
			raw, err := base64.StdEncoding.DecodeString(text[n:])
			if err != nil || !isSession(raw) {
				continue
			}
			clear := *f
			if d, err := c.decodeRaw(raw, &clear); err == nil || errors.Is(err, ErrNoSession) {
				clear.NonceBits = bitsOf(text[:n])
				*f = clear
				return d, err
			}
		}
		return nil, ErrEncrypted
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil, fmt.Errorf("%w: neither a pickle nor a zlib stream", ErrCorrupt)
}

// decodeRaw decodes a pickle or a zlib stream and notes in f which.
func (c *Codec) decodeRaw(raw []byte, f *Form) (*pyvalue.Dict, error) {
	switch {
	case isPickle(raw):
		f.Serializer, f.Protocol = Pickle, int(raw[1])
		return decodePickle(raw, c.Limits.Pickle)
	case isZlib(raw):
		f.Serializer = JSON
		return decodeJSON(raw, c.Limits)
	}
	return nil, fmt.Errorf("%w: neither a pickle nor a zlib stream", ErrCorrupt)
}

// beginsSession reports whether data that cannot be decoded as a whole is a
// session at least where it begins, and not a chance hit of a wrong key.
func beginsSession(raw []byte) bool {
	if !isZlib(raw) {
		return isSession(raw)
	}
	r, err := openInflater(bytes.NewReader(raw))
	if err != nil {
		return false
	}
	defer inflaters.Put(r)
	var first [1]byte
	_, err = io.ReadFull(r, first[:])
	return err == nil && first[0] == '{'
}

// isSession looks harder than isPickle and isZlib, for what came out of a
// decryption that may have had the wrong key: a pickled session is a dict.
func isSession(raw []byte) bool {
	const first = "}(c\x95" // EMPTY_DICT, MARK, GLOBAL, FRAME
	if isPickle(raw) {
		return len(raw) > 2 && strings.IndexByte(first, raw[2]) >= 0
	}
	return isZlib(raw)
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

// serialize returns the bytes that stand for d, and of JSON also the document that
// is compressed in them.
func serialize(d *pyvalue.Dict, s Serializer) (raw, doc []byte, err error) {
	if s == Pickle {
		raw, err = pickle.Append(nil, d, pickle.DefaultProtocol)
		return raw, nil, err
	}
	if doc, err = pyjson.Append(nil, d); err != nil {
		return nil, nil, err
	}
	raw, err = deflate(doc)
	return raw, doc, err
}
