package beakerfmt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// AESMode tells how an envelope is encrypted, always with a key of 256 bits.
// Which one Beaker uses follows from the library that it found, and nothing in
// the envelope says so.
type AESMode uint8

// The modes.
const (
	AESNone AESMode = iota // not encrypted
	// CTR counts from zero; nothing protects it against changes but the
	// signature of a cookie (Beaker: crypto/pycrypto.py, jcecrypto.py).
	CTR
	// GCM is authenticated: IV, tag, ciphertext (Beaker: crypto/pyca_cryptography.py).
	GCM
	// CBC has an IV of zeros and the padding of PKCS #7 (Beaker: crypto/nsscrypto.py).
	CBC
	// ECB is padded with spaces: Beaker up to 1.6.3 with PyCrypto, CVE-2012-3458.
	ECB
)

// String names the mode: "none", "ctr", "gcm", "cbc" or "ecb".
func (m AESMode) String() string {
	names := [...]string{"none", "ctr", "gcm", "cbc", "ecb"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("AESMode(%d)", uint8(m))
}

// readModes is the order in which a reader tries the modes: what is
// authenticated first, what proves least last.
var readModes = []AESMode{GCM, CBC, CTR, ECB}

// DefaultNonceBits is the size of a nonce since Beaker 1.8; before it was 48.
const DefaultNonceBits = 128

// Bounds of an encrypted text, in characters. The longest nonce that is tried
// without being configured is far beyond what anybody does; the shortest session
// is an empty dict.
const (
	maxNonce    = 128
	minEnvelope = 16
	minSealed   = 8
)

const gcmIVLen, gcmTagLen = 12, 16

// EnvelopeKey derives the AES key of one envelope from the nonce that stands in
// front of it, as text. One iteration is what Beaker makes: the keys have to be
// random ones, a password would not stand a search.
//
// Beaker: crypto/__init__.py, generateCryptoKeys.
func EnvelopeKey(encryptKey, validateKey []byte, nonce string) ([]byte, error) {
	salt := make([]byte, 0, len(validateKey)+len(nonce))
	salt = append(append(salt, validateKey...), nonce...)
	return pbkdf2.Key(sha1.New, string(encryptKey), salt, 1, 32)
}

// isEnvelope reports whether text can be a nonce in base64, which may end in
// padding of its own, followed by base64. That the whole is random cannot be seen.
func isEnvelope(text string) bool {
	nonce := paddedNonce(text)
	return len(text) >= minEnvelope && nonce < len(text) && isBase64(text[nonce:])
}

// paddedNonce returns the length of a nonce that ends in padding, 0 if text
// does not begin with such a one, and the whole length if it cannot be.
func paddedNonce(text string) int {
	i := strings.IndexByte(text, '=')
	if i < 0 || i >= len(text)-2 {
		return 0
	}
	nonce := (i + 3) &^ 3
	if i%4 < 2 || nonce >= len(text) || strings.Trim(text[i:nonce], "=") != "" {
		return len(text)
	}
	return nonce
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

// nonceLens are the lengths, in characters, that the nonce of text can have:
// the one that its padding shows, else the configured one and 48 bits before
// all others.
//
// They are appended to lens.
func (c *Codec) nonceLens(lens []int, text string) []int {
	if n := paddedNonce(text); n > 0 {
		return append(lens, n)
	}
	add := func(n int) {
		if len(text)-n >= minSealed && !slices.Contains(lens, n) {
			lens = append(lens, n)
		}
	}
	add(base64.StdEncoding.EncodedLen(c.nonceBits() / 8))
	add(8)
	for n := 4; n <= maxNonce; n += 4 {
		add(n)
	}
	add(0) // encrypt_nonce_bits = 0
	return lens
}

func (c *Codec) nonceBits() int {
	if c.NonceBits == 0 {
		return DefaultNonceBits
	}
	return c.NonceBits
}

// bitsOf is the number of random bits in a nonce.
func bitsOf(nonce string) int {
	return 8 * (len(nonce)/4*3 - strings.Count(nonce, "="))
}

// open finds the key and the mode that open an envelope: those whose plaintext
// decodes completely. Without any it is ErrDecrypt, or ErrCorrupt if the
// plaintext of one began as a session does.
func (c *Codec) open(text string, signedBy int, f *Form) (*pyvalue.Dict, error) {
	modes := c.Modes
	if len(modes) == 0 {
		modes = readModes
	}
	var room [maxNonce/4 + 3]int
	lens := c.nonceLens(room[:0], text)
	if len(lens) == 0 {
		return nil, ErrDecrypt
	}
	// What is decoded from it refers to none of its bytes.
	buf := scratches.Get().(*[]byte)
	defer scratches.Put(buf)
	begin := 0 // of what is base64 in one piece: after a nonce that has its own padding
	if strings.HasSuffix(text[:lens[0]], "=") {
		begin = lens[0]
	}
	raw, err := unbase64(buf, text[begin:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	plain := raw // the only attempt may write over it
	if len(lens)*len(c.EncryptKeys)*len(c.ValidateKeys)*len(modes) > 1 {
		plain = make([]byte, len(raw))
	}
	failed := ErrDecrypt
	for _, n := range lens {
		at := (n - begin) / 4 * 3
		if at >= len(raw) { // of line breaks nothing is left
			continue
		}
		sealed := raw[at:]
		nonce := text[:n]
		for k := range c.EncryptKeys {
			for v := range c.ValidateKeys {
				if signedBy >= 0 && v != signedBy {
					continue
				}
				block, err := c.cipher(k, v, nonce)
				if err != nil {
					return nil, err
				}
				d, found, err := c.openWith(block, modes, plain[:len(sealed)], sealed)
				switch {
				case err == nil || errors.Is(err, ErrNoSession):
					f.AES, f.Serializer, f.Protocol = found.AES, found.Serializer, found.Protocol
					f.NonceBits, f.EncryptKey, f.ValidateKey = bitsOf(nonce), k, v
					return d, err
				case !errors.Is(err, ErrDecrypt):
					failed = err
				}
			}
		}
	}
	return nil, failed
}

// scratches are buffers for what is decrypted, of no more than maxScratch.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

const maxScratch = 8 << 10

// unbase64 decodes text into buf, or into a buffer of its own if it is long.
func unbase64(buf *[]byte, text string) ([]byte, error) {
	out := *buf
	if n := base64.StdEncoding.DecodedLen(len(text)); n > cap(out) {
		out = make([]byte, n)
		if n <= maxScratch {
			*buf = out
		}
	}
	n, err := base64.StdEncoding.Decode(out[:cap(out)], []byte(text))
	return out[:n], err
}

// Plaintext returns the pickle or zlib stream in a text that this Codec has
// decoded, given the form that it found: its bytes tell more of who wrote them than
// the values do. A text or a form of another Codec is [ErrCorrupt] or [ErrDecrypt].
func (c *Codec) Plaintext(text string, f Form) ([]byte, error) {
	n := base64.StdEncoding.EncodedLen(f.NonceBits / 8)
	if f.NonceBits < 0 || n > len(text) {
		return nil, fmt.Errorf("beakerfmt: plaintext: %w", ErrCorrupt)
	}
	sealed, err := base64.StdEncoding.DecodeString(text[n:])
	switch {
	case err != nil:
		return nil, fmt.Errorf("beakerfmt: plaintext: %w: %w", ErrCorrupt, err)
	case f.AES == AESNone:
		return sealed, nil
	case f.EncryptKey >= len(c.EncryptKeys) || f.ValidateKey >= len(c.ValidateKeys):
		return nil, fmt.Errorf("beakerfmt: plaintext: %w", ErrDecrypt)
	}
	block, err := c.cipher(f.EncryptKey, f.ValidateKey, text[:n])
	if err != nil {
		return nil, fmt.Errorf("beakerfmt: plaintext: %w", err)
	}
	plain, ok := decrypt(block, f.AES, sealed, sealed)
	if !ok {
		return nil, fmt.Errorf("beakerfmt: plaintext: %w", ErrDecrypt)
	}
	return plain, nil
}

func (c *Codec) cipher(encrypt, validate int, nonce string) (cipher.Block, error) {
	key, err := EnvelopeKey(c.EncryptKeys[encrypt], c.ValidateKeys[validate], nonce)
	if err != nil {
		return nil, err
	}
	return aes.NewCipher(key)
}

func (c *Codec) openWith(block cipher.Block, modes []AESMode, buf, sealed []byte) (*pyvalue.Dict, Form, error) {
	failed := ErrDecrypt
	for _, m := range modes {
		if m != GCM && !firstBlock(block, m, sealed) {
			continue
		}
		plain, ok := decrypt(block, m, buf, sealed)
		if !ok {
			continue
		}
		f := Form{AES: m}
		d, err := c.decodeRaw(plain, &f)
		if err == nil || errors.Is(err, ErrNoSession) || m == GCM {
			return d, f, err
		}
		if beginsSession(plain) {
			failed = err
		}
	}
	return nil, Form{}, failed
}

// firstBlock reports whether what is sealed begins as a session does, so that a
// wrong key costs little however long it is.
func firstBlock(block cipher.Block, m AESMode, sealed []byte) bool {
	var first [aes.BlockSize]byte
	n := min(len(sealed), len(first))
	switch {
	case m == CTR:
		block.Encrypt(first[:], zeroIV)
		subtle.XORBytes(first[:n], first[:n], sealed[:n])
	case n < len(first):
		return false
	default: // CBC too: its IV is zero
		block.Decrypt(first[:], sealed)
	}
	return isSession(first[:n])
}

// decrypt undoes one mode and writes into buf, which is as long as sealed and may
// be the same. Not ok: it cannot be that mode, or not that key.
func decrypt(block cipher.Block, m AESMode, buf, sealed []byte) (plain []byte, ok bool) {
	whole := len(sealed) > 0 && len(sealed)%aes.BlockSize == 0
	switch {
	case m == CTR:
		newCTR(block).XORKeyStream(buf, sealed)
		return buf, true
	case m == GCM && len(sealed) >= gcmIVLen+gcmTagLen:
		return decryptGCM(block, buf, sealed)
	case m == CBC && whole:
		cipher.NewCBCDecrypter(block, zeroIV).CryptBlocks(buf, sealed)
		return unpad(buf)
	case m == ECB && whole:
		for i := 0; i < len(sealed); i += aes.BlockSize {
			block.Decrypt(buf[i:], sealed[i:])
		}
		return bytes.TrimRight(buf, pythonSpace), true
	}
	return nil, false
}

func decryptGCM(block cipher.Block, buf, sealed []byte) ([]byte, bool) {
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, false
	}
	// Go wants the tag behind the ciphertext, Beaker has it in front.
	var head [gcmIVLen + gcmTagLen]byte
	n := copy(head[:], sealed)
	box := append(buf[:copy(buf, sealed[n:])], head[gcmIVLen:]...)
	plain, err := aead.Open(box[:0], head[:gcmIVLen], box, nil)
	return plain, err == nil
}

// pythonSpace is what str.rstrip of Python 2 takes away (Beaker up to 1.6.3:
// crypto/pycrypto.py, aesDecrypt).
const pythonSpace = " \t\n\v\f\r"

// zeroIV is what counters begin with and, in CBC, what comes before the first
// block. It is only read.
var zeroIV = make([]byte, aes.BlockSize)

func newCTR(block cipher.Block) cipher.Stream { return cipher.NewCTR(block, zeroIV) }

// unpad takes the padding of PKCS #7 away (RFC 5652, section 6.3).
func unpad(plain []byte) ([]byte, bool) {
	n := int(plain[len(plain)-1])
	if n == 0 || n > aes.BlockSize {
		return nil, false
	}
	body, pad := plain[:len(plain)-n], plain[len(plain)-n:]
	for _, b := range pad {
		if int(b) != n {
			return nil, false
		}
	}
	return body, true
}

// appendSealed appends nonce and ciphertext of plain, in the form's mode and with
// the first keys.
//
// Beaker: session.py, _ConfigurableSession._encrypt_data.
func (c *Codec) appendSealed(dst []byte, plain []byte, f Form) ([]byte, error) {
	if len(c.EncryptKeys) == 0 || len(c.ValidateKeys) == 0 {
		return dst, errors.New("an encrypt key and a validate key are needed")
	}
	bits := f.NonceBits
	if bits == 0 {
		bits = c.nonceBits()
	}
	if bits%8 != 0 || bits < 8 {
		return dst, errors.New("the bits of a nonce are a multiple of 8")
	}
	if c.Random == nil {
		return dst, errors.New("a source of randomness is needed")
	}
	raw := make([]byte, bits/8)
	if _, err := io.ReadFull(c.Random, raw); err != nil {
		return dst, fmt.Errorf("nonce: %w", err)
	}
	nonce := base64.StdEncoding.EncodeToString(raw)
	block, err := c.cipher(0, 0, nonce)
	if err != nil {
		return dst, err
	}
	sealed, err := encrypt(block, f.AES, plain, c.Random)
	if err != nil {
		return dst, err
	}
	return base64.StdEncoding.AppendEncode(append(dst, nonce...), sealed), nil
}

func encrypt(block cipher.Block, m AESMode, plain []byte, random io.Reader) ([]byte, error) {
	switch m {
	case CTR:
		out := make([]byte, len(plain))
		newCTR(block).XORKeyStream(out, plain)
		return out, nil
	case GCM:
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		iv := make([]byte, gcmIVLen)
		if _, err := io.ReadFull(random, iv); err != nil {
			return nil, fmt.Errorf("IV: %w", err)
		}
		box := aead.Seal(nil, iv, plain, nil)
		body, tag := box[:len(plain)], box[len(plain):]
		return slices.Concat(iv, tag, body), nil
	case CBC:
		out := pad(plain, aes.BlockSize-len(plain)%aes.BlockSize)
		cipher.NewCBCEncrypter(block, zeroIV).CryptBlocks(out, out)
		return out, nil
	case ECB:
		out := pad(plain, aes.BlockSize-len(plain)%aes.BlockSize)
		for i := len(plain); i < len(out); i++ {
			out[i] = ' '
		}
		for i := 0; i < len(out); i += aes.BlockSize {
			block.Encrypt(out[i:], out[i:])
		}
		return out, nil
	}
	return nil, fmt.Errorf("AES mode %s", m)
}

// pad appends n bytes of the value n (RFC 5652, section 6.3).
func pad(plain []byte, n int) []byte {
	out := append(make([]byte, 0, len(plain)+n), plain...)
	for range n {
		out = append(out, byte(n))
	}
	return out
}

// sealedLen is the length of what appendSealed appends for n bytes.
func (c *Codec) sealedLen(n int, f Form) int {
	bits := f.NonceBits
	if bits == 0 {
		bits = c.nonceBits()
	}
	switch f.AES {
	case GCM:
		n += gcmIVLen + gcmTagLen
	case CBC, ECB:
		n += aes.BlockSize - n%aes.BlockSize
	}
	return base64.StdEncoding.EncodedLen(bits/8) + base64.StdEncoding.EncodedLen(n)
}
