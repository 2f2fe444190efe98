package pickle_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/stretchr/testify/require"

	ours "github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// typicalSession is what an application keeps in a session: ten keys.
func typicalSession() *pyvalue.Dict {
	str := func(s string) pyvalue.Value { return pyvalue.Str(s) }
	d := &pyvalue.Dict{}
	d.SetStr("_accessed_time", pyvalue.Float(1700000301.518331))
	d.SetStr("_creation_time", pyvalue.Float(1700000000.123456))
	d.SetStr("_domain", pyvalue.None{})
	d.SetStr("_path", str("/"))
	d.SetStr("user_id", pyvalue.NewInt(48213))
	d.SetStr("username", str("maria.keller"))
	d.SetStr("roles", pyvalue.NewList(str("user"), str("editor"), str("reviewer")))
	d.SetStr("_csrf_token_", str("9f1c3b7a5d2e4860b1a2c3d4e5f60718"))
	d.SetStr("_flash", pyvalue.NewList(str("Your changes were saved.")))
	d.SetStr("lang", str("de"))
	return d
}

func session(tb testing.TB, proto int) []byte {
	data, err := ours.Append(nil, typicalSession(), proto)
	require.NoError(tb, err)
	return data
}

// The bench script gives these bytes to Python too.
func TestTypicalSession(t *testing.T) {
	for _, proto := range []int{2, 4} {
		data := session(t, proto)
		v, err := ours.Decode(data, ours.Limits{})
		require.NoError(t, err)
		require.True(t, pyvalue.Same(typicalSession(), v))
		if dir := os.Getenv("GOBEAKER_BENCH_OUT"); dir != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "session.p"+strconv.Itoa(proto)), data, 0o644))
		}
	}
}

func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector changes what is allocated")
	}
	for _, proto := range []int{2, 4} {
		data := session(t, proto)
		n := testing.AllocsPerRun(200, func() {
			if _, err := ours.Decode(data, ours.Limits{}); err != nil {
				t.Error(err)
			}
		})
		require.Less(t, n, 20.0, "protocol %d", proto)
		v, buf := typicalSession(), make([]byte, 0, 1024)
		n = testing.AllocsPerRun(200, func() {
			if _, err := ours.Append(buf, v, proto); err != nil {
				t.Error(err)
			}
		})
		require.LessOrEqual(t, n, 1.0, "protocol %d", proto)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, proto := range []int{2, 4} {
		data := session(b, proto)
		b.Run("p"+strconv.Itoa(proto), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ours.Decode(data, ours.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("gopickle-p"+strconv.Itoa(proto), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				u := pickle.NewUnpickler(bytes.NewReader(data))
				if _, err := u.Load(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, proto := range []int{2, 4} {
		b.Run("p"+strconv.Itoa(proto), func(b *testing.B) {
			v, buf := typicalSession(), []byte(nil)
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = ours.Append(buf[:0], v, proto); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
