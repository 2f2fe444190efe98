package beakerfmt

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"sync"
)

// ErrBadSignature says that a cookie value was not signed with any of the keys.
// Beaker takes such a cookie for none at all.
var ErrBadSignature = errors.New("beakerfmt: verify cookie: bad signature")

// SignatureLen is the length of the signature, which stands in front of the
// payload: 40 lower-case hexadecimal digits.
const SignatureLen = 2 * sha1.Size

// Signer signs cookie values with its first key, and verifies those that any of
// its keys signed. It is safe for concurrent use.
type Signer struct {
	macs []*mac
}

// NewSigner returns a Signer. A key from a configuration is its UTF-8 bytes; an
// empty one signs nothing that would be verified.
func NewSigner(keys ...[]byte) *Signer {
	s := &Signer{}
	for _, k := range keys {
		s.macs = append(s.macs, newMAC(k))
	}
	return s
}

// Append appends the cookie value that carries payload, signed with the first
// key: hex(HMAC-SHA1(key, payload)), then the payload as it stands.
// [Signer.Verify] gives the payload back, unless it begins or ends with a double
// quote. A Signer needs a key for that.
//
// Beaker: session.py, SignedCookie.value_encode.
func (s *Signer) Append(dst []byte, payload string) []byte {
	sig := s.macs[0].sign(payload)
	dst = append(dst, sig[:]...)
	return append(dst, payload...)
}

// Verify checks a cookie value as it stands in the header, quotes and all, and
// returns the payload and the index of the key that signed it (the first one,
// should a key be given twice). Any other value is [ErrBadSignature].
//
// As in Beaker, double quotes at both ends are stripped and escapes between them
// are not undone, the digits must be lower-case, and the empty payload is a
// valid one. The time taken does not depend on which key matches, or how nearly.
//
// Beaker: session.py, SignedCookie.value_decode.
func (s *Signer) Verify(value string) (payload string, key int, err error) {
	value = strings.Trim(value, `"`)
	if len(value) < SignatureLen {
		return "", 0, ErrBadSignature
	}
	var given [SignatureLen]byte
	copy(given[:], value)
	payload = value[SignatureLen:]

	match := -1
	for i := len(s.macs) - 1; i >= 0; i-- { // backwards, so that the first match is the last one kept
		if s.macs[i].empty {
			continue
		}
		want := s.macs[i].sign(payload)
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(want[:], given[:]), i, match)
	}
	if match < 0 {
		return "", 0, ErrBadSignature
	}
	return payload, match, nil
}

// AppendSigned signs once: see [Signer.Append].
func AppendSigned(dst []byte, key []byte, payload string) []byte {
	return NewSigner(key).Append(dst, payload)
}

// Verify verifies once: see [Signer.Verify].
func Verify(keys [][]byte, value string) (payload string, key int, err error) {
	return NewSigner(keys...).Verify(value)
}

// mac keeps what can be used again of an HMAC: setting one up costs as much as
// a signature.
type mac struct {
	empty bool
	pool  sync.Pool // of *keyedHash
}

type keyedHash struct {
	hash hash.Hash
	buf  [1024]byte
}

func newMAC(key []byte) *mac {
	m := &mac{empty: len(key) == 0}
	key = append([]byte(nil), key...)
	m.pool.New = func() any { return &keyedHash{hash: hmac.New(sha1.New, key)} }
	return m
}

func (m *mac) sign(payload string) (sig [SignatureLen]byte) {
	h := m.pool.Get().(*keyedHash)
	defer m.pool.Put(h)
	h.hash.Reset()
	for len(payload) > 0 {
		n := copy(h.buf[:], payload)
		h.hash.Write(h.buf[:n])
		payload = payload[n:]
	}
	hex.Encode(sig[:], h.hash.Sum(h.buf[:0]))
	return sig
}
