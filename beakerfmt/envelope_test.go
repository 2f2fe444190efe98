package beakerfmt

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// keyed is a codec with one key of each kind.
func keyed() *Codec {
	return &Codec{EncryptKeys: keys("encrypt-key"), ValidateKeys: keys("validate-key"), Random: rand.Reader}
}

var modes = []AESMode{CTR, GCM, CBC, ECB}

// What beaker.crypto.generateCryptoKeys returns.
func TestEnvelopeKey(t *testing.T) {
	key, err := EnvelopeKey([]byte("encrypt-key"), []byte("validate-key"), "vUt7b8+08VV0mMMI194S0Q==")
	require.NoError(t, err)
	require.Equal(t, "4625674cd5de61780e73c6f424eb2eef7715bdf677385c4fb418c9ddc34bc46c", hex.EncodeToString(key))
}

func TestEnvelopes(t *testing.T) {
	for _, mode := range modes {
		for _, s := range []Serializer{Pickle, JSON} {
			for _, bits := range []int{0, 8, 16, 24, 32, 40, 48, 56, 64, 88, 96, 120, 128, 144, 192, 256, 384, 768, 776, 1024, 2048} {
				t.Run(fmt.Sprintf("%s %s %d", mode, s, bits), func(t *testing.T) {
					c := keyed()
					f := Form{Text: TextStr, Serializer: s, AES: mode, NonceBits: bits}
					v, err := c.EncodeValue(sample(), f)
					require.NoError(t, err)
					require.NotContains(t, string(v.(pyvalue.Str)), b64("\x80\x02}")[:4])
					d, found, err := c.DecodeValue(v)
					require.NoError(t, err)
					require.True(t, pyvalue.Same(sample(), d))
					f.Protocol = found.Protocol
					if bits == 0 {
						f.NonceBits = DefaultNonceBits
					}
					require.Equal(t, f, found)

					other, err := c.EncodeValue(sample(), f)
					require.NoError(t, err)
					require.NotEqual(t, v, other, "a nonce is used once")

					raw, err := c.Plaintext(string(v.(pyvalue.Str)), found)
					require.NoError(t, err)
					plainly, _, err := serialize(sample(), s)
					require.NoError(t, err)
					require.Equal(t, plainly, raw)
					_, err = c.Plaintext(string(v.(pyvalue.Str))[:3], found)
					require.Error(t, err)
					_, err = plain.Plaintext(string(v.(pyvalue.Str)), found)
					require.ErrorIs(t, err, ErrDecrypt)

					payload, err := c.AppendPayload(nil, sample(), f)
					require.NoError(t, err)
					n, err := c.PayloadLen(sample(), f)
					require.NoError(t, err)
					require.Len(t, payload, n)
				})
			}
		}
	}
}

// Every length of plaintext, for the paddings' sake.
func TestEnvelopeLengths(t *testing.T) {
	for _, mode := range modes {
		for n := range 40 {
			d := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: pyvalue.Str(strings.Repeat(" ", n))})
			f := Form{Text: TextStr, AES: mode}
			v, err := keyed().EncodeValue(d, f)
			require.NoError(t, err)
			got, found, err := keyed().DecodeValue(v)
			require.NoError(t, err)
			require.Equal(t, mode, found.AES)
			require.True(t, pyvalue.Same(d, got))
		}
	}
}

func TestEnvelopeKeys(t *testing.T) {
	seal := func(t *testing.T, encrypt, validate string, mode AESMode) string {
		c := &Codec{EncryptKeys: keys(encrypt), ValidateKeys: keys(validate), Random: rand.Reader}
		text, err := c.AppendPayload(nil, sample(), Form{AES: mode})
		require.NoError(t, err)
		return string(text)
	}
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			c := &Codec{EncryptKeys: keys("e0", "e1"), ValidateKeys: keys("v0", "v1", "v2")}
			for e := range c.EncryptKeys {
				for v := range c.ValidateKeys {
					text := seal(t, string(c.EncryptKeys[e]), string(c.ValidateKeys[v]), mode)
					for _, signedBy := range []int{-1, v} {
						d, f, err := c.DecodePayload(text, signedBy)
						require.NoError(t, err)
						require.Equal(t, [2]int{e, v}, [2]int{f.EncryptKey, f.ValidateKey})
						require.True(t, pyvalue.Same(sample(), d))
					}
					_, _, err := c.DecodePayload(text, (v+1)%3)
					require.ErrorIs(t, err, ErrDecrypt)
				}
			}
			for _, pair := range [][2]string{{"other", "v0"}, {"e0", "other"}} {
				_, _, err := c.DecodePayload(seal(t, pair[0], pair[1], mode), -1)
				require.ErrorIs(t, err, ErrDecrypt)
				require.NotErrorIs(t, err, ErrCorrupt)
			}
			_, _, err := plain.DecodePayload(seal(t, "e0", "v0", mode), -1)
			require.ErrorIs(t, err, ErrEncrypted)

			// A mode that is not asked for is not tried.
			for _, only := range modes {
				c.Modes = []AESMode{only}
				_, _, err := c.DecodePayload(seal(t, "e0", "v0", mode), -1)
				switch {
				case only == mode:
					require.NoError(t, err)
				case only == ECB && mode == CBC: // an IV of zeros leaves the first block alike
					require.ErrorIs(t, err, ErrCorrupt)
				default:
					require.ErrorIs(t, err, ErrDecrypt)
				}
			}
		})
	}
}

// damage returns text with one bit of the sealed bytes changed.
func damage(t *testing.T, text string, nonce, at int) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text[nonce:])
	require.NoError(t, err)
	if at < 0 {
		at += len(raw)
	}
	raw[at] ^= 1
	return text[:nonce] + base64.StdEncoding.EncodeToString(raw)
}

// What each mode can tell of changed data: GCM everything, as ErrDecrypt; the
// others only what breaks the pickle.
func TestDamage(t *testing.T) {
	const nonce = 24
	for _, c := range []struct {
		mode AESMode
		at   int
		want error
	}{
		{CTR, 0, ErrDecrypt}, {CTR, -1, ErrCorrupt}, {CTR, 3, ErrCorrupt},
		{CBC, 0, ErrDecrypt}, {CBC, -1, ErrCorrupt},
		{ECB, 0, ErrDecrypt}, {ECB, -1, ErrCorrupt},
		{GCM, 0, ErrDecrypt}, {GCM, gcmIVLen, ErrDecrypt}, {GCM, 60, ErrDecrypt}, {GCM, -1, ErrDecrypt},
	} {
		t.Run(fmt.Sprintf("%s %d", c.mode, c.at), func(t *testing.T) {
			codec := keyed()
			codec.Random = bytes.NewReader(bytes.Repeat([]byte("random bytes"), 10))
			text, err := codec.AppendPayload(nil, sample(), Form{AES: c.mode})
			require.NoError(t, err)
			_, _, err = codec.DecodePayload(damage(t, string(text), nonce, c.at), 0)
			require.ErrorIs(t, err, c.want)

			// Truncated: by a block, and so that it is no base64 any more.
			_, _, err = codec.DecodePayload(string(text[:len(text)-64]), 0)
			require.Error(t, err)
			if c.mode == CTR {
				require.ErrorIs(t, err, ErrCorrupt)
			}
			_, _, err = codec.DecodePayload(string(text[:len(text)-3]), 0)
			require.ErrorIs(t, err, ErrCorrupt)
		})
	}
}

// "nonce_text + b64(plaintext)" is what Beaker from 1.9 on stores if it is to
// encrypt and has no AES library.
func TestPlaintext(t *testing.T) {
	text, err := plain.AppendPayload(nil, sample(), Form{})
	require.NoError(t, err)
	behind := b64("0123456789abcdef") + string(text)
	for name, v := range map[string]pyvalue.Value{
		"text": pyvalue.Str(text), "behind a nonce": pyvalue.Str(behind), "dict": sample(),
		"JSON": pyvalue.Str(b64(zlibbed(`{"a": 1}`))), "line breaks": pyvalue.Str(string(text[:8]) + "\n" + string(text[8:])),
	} {
		t.Run(name, func(t *testing.T) {
			c := keyed()
			_, _, err := c.DecodeValue(v)
			require.ErrorIs(t, err, ErrPlaintext)
			c.AcceptPlaintext = true
			d, f, err := c.DecodeValue(v)
			require.NoError(t, err)
			require.Equal(t, AESNone, f.AES)
			require.NotZero(t, d.Len())
			require.Equal(t, map[bool]int{true: 128}[name == "behind a nonce"], f.NonceBits)

			_, err = c.EncodeValue(d, f)
			require.ErrorIs(t, err, ErrPlaintext, "it is not written in clear again")
			_, err = c.AppendPayload(nil, d, f)
			require.ErrorIs(t, err, ErrPlaintext)
			_, err = c.PayloadLen(d, f)
			require.ErrorIs(t, err, ErrPlaintext)
		})
	}
	c := keyed()
	c.AcceptPlaintext = true
	_, _, err = c.DecodeValue(pyvalue.Str(b64("\x80\x02}.")))
	require.ErrorIs(t, err, ErrNoSession)
	sealed, err := c.EncodeValue(pyvalue.NewDict(), Form{Text: TextStr, AES: GCM})
	require.NoError(t, err)
	_, _, err = c.DecodeValue(sealed)
	require.ErrorIs(t, err, ErrNoSession)
}

func TestSealErrors(t *testing.T) {
	for name, c := range map[string]*Codec{
		"no encrypt key":  {ValidateKeys: keys("v"), Random: rand.Reader},
		"no validate key": {EncryptKeys: keys("e"), Random: rand.Reader},
		"nonce bits":      {EncryptKeys: keys("e"), ValidateKeys: keys("v"), Random: rand.Reader, NonceBits: 100},
		"negative":        {EncryptKeys: keys("e"), ValidateKeys: keys("v"), Random: rand.Reader, NonceBits: -8},
		"no source":       {EncryptKeys: keys("e"), ValidateKeys: keys("v")},
		"no randomness":   {EncryptKeys: keys("e"), ValidateKeys: keys("v"), Random: iotest.ErrReader(errors.New("dry"))},
		"not enough":      {EncryptKeys: keys("e"), ValidateKeys: keys("v"), Random: strings.NewReader("0123456789abcdef")},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := c.AppendPayload([]byte("kept"), sample(), Form{AES: GCM})
			require.ErrorContains(t, err, "beakerfmt: encode cookie payload: ")
			require.Equal(t, "kept", string(out))
		})
	}
	// base64 passes over line breaks, so that little may be left of a long text.
	for _, text := range []string{strings.Repeat("\n", 100), "AAAA" + strings.Repeat("\r\n", 60) + "AAAAAAAA"} {
		_, _, err := keyed().DecodePayload(text, -1)
		require.Error(t, err)
	}
	_, err := keyed().EncodeValue(sample(), Form{AES: CTR})
	require.ErrorContains(t, err, "cannot be encrypted")
	_, err = keyed().EncodeValue(sample(), Form{Text: TextStr, AES: 9})
	require.ErrorContains(t, err, "AESMode(9)")
	_, _, err = (&Codec{EncryptKeys: keys("e"), ValidateKeys: keys("v"), Modes: []AESMode{AESNone}}).DecodePayload(b64("0123456789abcdef")+b64("twenty bytes of noise"), -1)
	require.ErrorIs(t, err, ErrDecrypt)
}

func TestCookieTooLong(t *testing.T) {
	d := sample()
	d.SetStr("basket", pyvalue.Str(strings.Repeat("secret", 600)))
	d.SetStr(strings.Repeat("ä", 50), pyvalue.Str(strings.Repeat("secret", 100)))
	d.Set(pyvalue.NewInt(7), pyvalue.Str(strings.Repeat("secret", 50)))
	for _, c := range []*Codec{{}, keyed()} {
		f := Form{}
		if c.EncryptKeys != nil {
			f.AES = CBC
		}
		n, err := c.PayloadLen(d, f)
		require.NoError(t, err)
		_, err = c.AppendPayload(nil, d, f)
		require.ErrorIs(t, err, ErrCookieTooLong)
		var long *CookieTooLongError
		require.ErrorAs(t, err, &long)
		require.Equal(t, n, long.Size)
		require.Equal(t, MaxCookiePayload, long.Limit)
		require.Equal(t, []string{"basket", strings.Repeat("ä", 32) + "…", "7"}, []string{long.Largest[0].Key, long.Largest[1].Key, long.Largest[2].Key})
		require.Len(t, long.Largest, 3)
		require.Greater(t, long.Largest[0].Size, 3600)
		require.Contains(t, err.Error(), fmt.Sprintf("%d bytes, at most 4064 are possible; the largest keys are \"basket\" (36", n))
		require.NotContains(t, err.Error(), "secret")
	}
}

// Whatever is opened can be sealed and opened again, and nothing is opened that
// was not sealed with the key, but by a mode without authentication.
func FuzzEnvelope(f *testing.F) {
	c := keyed()
	c.Limits.MaxInflated = 1 << 20
	for _, mode := range modes {
		for _, s := range []Serializer{Pickle, JSON} {
			for _, bits := range []int{48, 128} {
				v, err := c.EncodeValue(sample(), Form{Text: TextStr, Serializer: s, AES: mode, NonceBits: bits})
				require.NoError(f, err)
				f.Add(string(v.(pyvalue.Str)), uint16(0), byte(0))
				f.Add(string(v.(pyvalue.Str)), uint16(30), byte(4))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string, at uint16, flip byte) {
		d, form, err := c.DecodePayload(text, -1)
		if err != nil {
			return
		}
		require.NotEqual(t, AESNone, form.AES)
		v, err := c.EncodeValue(d, form)
		require.NoError(t, err)
		again, form2, err := c.DecodeValue(v)
		require.NoError(t, err)
		require.True(t, pyvalue.Same(d, again))
		require.Equal(t, [2]any{form.AES, form.NonceBits}, [2]any{form2.AES, form2.NonceBits})

		if form.AES == GCM && flip != 0 && int(at) < len(text) {
			damaged := []byte(text)
			damaged[at] ^= flip
			_, form, err := c.DecodePayload(string(damaged), -1)
			require.True(t, err != nil || form.AES != GCM || base64Slack(text, string(damaged)), "a changed text was opened")
		}
	})
}

// base64Slack: the last character before the padding has bits that do not count.
func base64Slack(a, b string) bool {
	x, err1 := base64.StdEncoding.DecodeString(a[24:])
	y, err2 := base64.StdEncoding.DecodeString(b[24:])
	return a[:24] == b[:24] && err1 == nil && err2 == nil && bytes.Equal(x, y)
}
