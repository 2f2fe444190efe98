package beakerfmt

import (
	"bytes"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func onePass(data []byte) {
	var x byte
	for _, b := range data {
		x ^= b
	}
	runtime.KeepAlive(x)
}

// From the value of a cookie to the session, beside the primitives that this
// cannot do without, called directly: HMAC, base64, PBKDF2, AES, inflate and one
// pass over what comes out.
func BenchmarkCookie(b *testing.B) {
	const key = "validate-key"
	for _, c := range []struct {
		name  string
		codec *Codec
		form  Form
		bare  func(payload string)
	}{
		{"json", &Codec{}, Form{Serializer: JSON}, func(payload string) {
			raw, _ := base64.StdEncoding.DecodeString(payload)
			r, _ := zlib.NewReader(bytes.NewReader(raw))
			doc, _ := io.ReadAll(r)
			onePass(doc)
		}},
		{"aes-ctr pickle", keyed(), Form{AES: CTR}, func(payload string) {
			raw, _ := base64.StdEncoding.DecodeString(payload[24:])
			key, _ := pbkdf2.Key(sha1.New, "encrypt-key", []byte(key+payload[:24]), 1, 32)
			block, _ := aes.NewCipher(key)
			cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(raw, raw)
			onePass(raw)
		}},
	} {
		payload, err := c.codec.AppendPayload(nil, sample(), c.form)
		require.NoError(b, err)
		value := string(AppendSigned(nil, []byte(key), string(payload)))
		signer := NewSigner([]byte(key))
		for _, configured := range []string{"auto", "configured"} {
			codec := *c.codec
			if configured == "configured" {
				codec.Modes = []AESMode{c.form.AES}
			}
			b.Run(c.name+"/"+configured, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					payload, signedBy, err := signer.Verify(value)
					if err != nil {
						b.Fatal(err)
					}
					if _, _, err := codec.DecodePayload(payload, signedBy); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(c.name+"/primitives", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bareVerify(b, []byte(key), value)
				c.bare(value[SignatureLen:])
			}
		})
	}
}

func bareVerify(b *testing.B, key []byte, value string) {
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(value[SignatureLen:]))
	given, _ := hex.DecodeString(value[:SignatureLen])
	if !hmac.Equal(mac.Sum(nil), given) {
		b.Fatal("bad signature")
	}
}

// The cookie of a server-side session, beside the bare HMAC.
func BenchmarkVerify(b *testing.B) {
	const key = "sekrit"
	value := string(AppendSigned(nil, []byte(key), "1e4c684fb206494191440c2cc28cbc22"))
	b.Run("header", func(b *testing.B) {
		b.ReportAllocs()
		signer, header := NewSigner([]byte(key)), "beaker.session.id="+value
		for b.Loop() {
			coded, _ := CookieWalk{}.Find(header, "beaker.session.id")
			if _, _, err := signer.Verify(coded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("primitives", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			bareVerify(b, []byte(key), value)
		}
	})
}
