package beakerfmt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	exampleID     = "d136ad9c54f548d9a31887286abff980"
	exampleSigned = "0b7537318ee4673feac234feaffdaf6b0b76f06ad136ad9c54f548d9a31887286abff980"
)

func keys(texts ...string) (out [][]byte) {
	for _, k := range texts {
		out = append(out, []byte(k))
	}
	return out
}

func TestAppendSigned(t *testing.T) {
	require.Equal(t, "x"+exampleSigned, string(AppendSigned([]byte("x"), []byte("sekrit"), exampleID)))
	require.Len(t, AppendSigned(nil, []byte("clé"), ""), SignatureLen)
}

func TestVerify(t *testing.T) {
	empty := string(AppendSigned(nil, []byte("sekrit"), ""))
	for _, c := range []struct {
		name    string
		keys    [][]byte
		value   string
		payload string
		key     int
	}{
		{"signed", keys("sekrit"), exampleSigned, exampleID, 0},
		{"in quotes", keys("sekrit"), `"` + exampleSigned + `"`, exampleID, 0},
		{"in many quotes", keys("sekrit"), `""` + exampleSigned + `"""`, exampleID, 0},
		{"signature alone", keys("sekrit"), empty, "", 0},
		{"older key", keys("new", "sekrit"), exampleSigned, exampleID, 1},
		{"key given twice", keys("x", "sekrit", "sekrit"), exampleSigned, exampleID, 1},
		{"after an empty key", keys("", "sekrit"), exampleSigned, exampleID, 1},
		{"key beyond ASCII", keys("clé"), string(AppendSigned(nil, []byte("cl\xc3\xa9"), "abc")), "abc", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			payload, key, err := Verify(c.keys, c.value)
			require.NoError(t, err)
			require.Equal(t, c.payload, payload)
			require.Equal(t, c.key, key)
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	unkeyed := string(AppendSigned(nil, nil, "abc"))
	for _, c := range []struct {
		name  string
		keys  [][]byte
		value string
	}{
		{"nothing", keys("sekrit"), ""},
		{"quotes alone", keys("sekrit"), strings.Repeat(`"`, 80)},
		{"too short", keys("sekrit"), exampleSigned[:39]},
		{"quotes do not count", keys("sekrit"), `"` + exampleSigned[:39] + `"`},
		{"digits in upper case", keys("sekrit"), strings.ToUpper(exampleSigned[:40]) + exampleID},
		{"another payload", keys("sekrit"), exampleSigned[:71] + "1"},
		{"unsigned", keys("sekrit"), exampleID},
		{"another key", keys("other", "Sekrit"), exampleSigned},
		{"no keys", nil, exampleSigned},
		{"empty key", keys(""), unkeyed},
		{"escapes stay", keys("sekrit"), `"` + exampleSigned[:71] + `\060"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Verify(c.keys, c.value)
			require.ErrorIs(t, err, ErrBadSignature)
		})
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("sekrit", exampleID, uint(3), exampleSigned)
	f.Add("clé", "", uint(0), `"`)
	f.Fuzz(func(t *testing.T, key, payload string, bit uint, value string) {
		if key == "" {
			_, _, err := Verify(keys(key), value)
			require.ErrorIs(t, err, ErrBadSignature)
			return
		}
		if got, _, err := Verify(keys(key), value); err == nil {
			require.Equal(t, strings.Trim(value, `"`), string(AppendSigned(nil, []byte(key), got)))
		}

		payload = strings.Trim(payload, `"`)
		signed := AppendSigned(nil, []byte(key), payload)
		got, i, err := Verify(keys(key), string(signed))
		require.NoError(t, err)
		require.Equal(t, payload, got)
		require.Zero(t, i)

		bit %= uint(len(signed) * 8)
		signed[bit/8] ^= 1 << (bit % 8)
		_, _, err = Verify(keys(key), string(signed))
		require.ErrorIs(t, err, ErrBadSignature)
	})
}
