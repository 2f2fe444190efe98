package beakerfmt

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
)

// ErrBadSignature says that a cookie value was not signed with any of the keys.
// Beaker takes such a cookie for none at all.
var ErrBadSignature = errors.New("beakerfmt: verify cookie: bad signature")

// SignatureLen is the length of the signature, which stands in front of the
// payload: 40 lower-case hexadecimal digits.
const SignatureLen = 2 * sha1.Size

// AppendSigned appends the cookie value that carries payload, signed with key:
// hex(HMAC-SHA1(key, payload)), then the payload as it stands. A key from a
// configuration is its UTF-8 bytes. [Verify] gives the payload back, unless it
// begins or ends with a double quote.
//
// Beaker: session.py, SignedCookie.value_encode.
func AppendSigned(dst []byte, key []byte, payload string) []byte {
	sig := signature(key, payload)
	dst = append(dst, sig[:]...)
	return append(dst, payload...)
}

// Verify checks a cookie value as it stands in the header, quotes and all, and
// returns the payload and the index of the key that signed it (the first one,
// should a key be given twice). Any other value is [ErrBadSignature].
//
// As in Beaker, double quotes at both ends are stripped and escapes between them
// are not undone, the digits must be lower-case, and the empty payload is a
// valid one. An empty key signs nothing. The time taken does not depend on
// which key matches, or how nearly.
//
// Beaker: session.py, SignedCookie.value_decode.
func Verify(keys [][]byte, value string) (payload string, key int, err error) {
	value = strings.Trim(value, `"`)
	if len(value) < SignatureLen {
		return "", 0, ErrBadSignature
	}
	var given [SignatureLen]byte
	copy(given[:], value)
	payload = value[SignatureLen:]

	match := -1
	for i := len(keys) - 1; i >= 0; i-- { // backwards, so that the first match is the last one kept
		if len(keys[i]) == 0 {
			continue
		}
		want := signature(keys[i], payload)
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(want[:], given[:]), i, match)
	}
	if match < 0 {
		return "", 0, ErrBadSignature
	}
	return payload, match, nil
}

func signature(key []byte, payload string) (sig [SignatureLen]byte) {
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(payload))
	var sum [sha1.Size]byte
	hex.Encode(sig[:], mac.Sum(sum[:0]))
	return sig
}
