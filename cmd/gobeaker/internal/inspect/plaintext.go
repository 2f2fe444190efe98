package inspect

import (
	"bytes"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"io"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// plaintext returns the serialized session in a text that the codec has decoded,
// in the form that it found. Its bytes tell more of who wrote them than the
// values do.
func plaintext(text string, f beakerfmt.Form, c *beakerfmt.Codec) ([]byte, bool) {
	n := min(base64.StdEncoding.EncodedLen(f.NonceBits/8), len(text))
	data, err := base64.StdEncoding.DecodeString(text[n:])
	if err != nil || f.AES == beakerfmt.AESNone {
		return data, err == nil
	}
	key, err := beakerfmt.EnvelopeKey(c.EncryptKeys[f.EncryptKey], c.ValidateKeys[f.ValidateKey], text[:n])
	if err != nil {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	return decrypted(block, f.AES, data)
}

// decrypted undoes a mode that is known to be the right one, so that nothing is
// left to check. What a padding leaves behind a pickle or a zlib stream does no
// harm.
func decrypted(block cipher.Block, m beakerfmt.AESMode, data []byte) ([]byte, bool) {
	const iv, tag = 12, 16 // of GCM, in front
	var zero [aes.BlockSize]byte
	if m != beakerfmt.CTR && m != beakerfmt.GCM && len(data)%aes.BlockSize != 0 || m == beakerfmt.GCM && len(data) < iv+tag {
		return nil, false
	}
	out := make([]byte, len(data))
	switch m {
	case beakerfmt.CTR:
		cipher.NewCTR(block, zero[:]).XORKeyStream(out, data)
	case beakerfmt.GCM: // its counter starts at 2, after the one of the tag
		copy(zero[:], data[:iv])
		zero[aes.BlockSize-1] = 2
		out = out[:len(data)-iv-tag]
		cipher.NewCTR(block, zero[:]).XORKeyStream(out, data[iv+tag:])
	case beakerfmt.CBC:
		cipher.NewCBCDecrypter(block, zero[:]).CryptBlocks(out, data)
	case beakerfmt.ECB:
		for i := 0; i < len(data); i += aes.BlockSize {
			block.Decrypt(out[i:], data[i:])
		}
	default:
		return nil, false
	}
	return out, true
}

// maxInflated is how far a zlib stream is followed, in bytes. The codec has
// inflated it before, within its own limit.
const maxInflated = 64 << 20

func inflatedLen(data []byte) int {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return 0
	}
	n, _ := io.Copy(io.Discard, io.LimitReader(r, maxInflated))
	return int(n)
}

// memoStart tells how a pickle of protocol 2 numbers what it remembers: Python
// 2's cPickle from 1 on, Python 3 from 0.
func memoStart(data []byte) (start int, ok bool) {
	const dict = "\x80\x02}q"
	if len(data) <= len(dict) || !strings.HasPrefix(string(data[:len(dict)]), dict) {
		return 0, false
	}
	start = int(data[len(dict)])
	return start, start < 2
}
