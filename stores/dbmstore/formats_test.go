package dbmstore

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

func allLayouts() []gnuLayout {
	var all []gnuLayout
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		all = append(all, gnuLayouts(order, gnuMagicOld)...)
	}
	return all
}

// freshGNU is a file without a key.
func freshGNU(t testing.TB) (gnuLayout, string) {
	t.Helper()
	l := gnuLayout{binary.LittleEndian, 8, 8}
	file, err := appendGNU(l, nil)
	require.NoError(t, err)
	return l, string(file)
}

// TestGNUIsGDBMs: what is written here is, byte for byte, what gdbm 1.23 wrote.
func TestGNUIsGDBMs(t *testing.T) {
	for name, value := range map[string][]byte{
		"empty": nil, "small": bytes.Repeat([]byte("x"), 100), "block": bytes.Repeat([]byte("z"), 4000),
	} {
		want, err := os.ReadFile(filepath.Join("testdata", "gnu-"+name+".dbm"))
		require.NoError(t, err)
		var all []gnuEntry
		if value != nil {
			all = append(all, gnuEntry{gnuHash("session"), []byte("session"), value})
		}
		got, err := appendGNU(gnuLayout{binary.LittleEndian, 8, 8}, all)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), name)
	}
}

// TestGNUSync: gdbm's extended header is read.
func TestGNUSync(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("testdata", "gnu-numsync.dbm"))
	require.NoError(t, err)
	f, err := openGNU(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	v, err := f.get("session", 100)
	require.NoError(t, err)
	require.Equal(t, "N.", string(v))
}

func TestGNULayouts(t *testing.T) {
	for _, l := range allLayouts() {
		var all []gnuEntry
		for n := range 100 {
			key := strings.Repeat("k", n+1)
			all = append(all, gnuEntry{gnuHash(key), []byte(key), bytes.Repeat([]byte{byte(n)}, n*100)})
		}
		file, err := appendGNU(l, all)
		require.NoError(t, err)
		f, err := openGNU(bytes.NewReader(file), int64(len(file)))
		require.NoError(t, err)
		require.Equal(t, l, f.gnuLayout)
		for _, e := range all {
			v, err := f.get(string(e.key), 1<<20)
			require.NoError(t, err)
			require.Equal(t, e.value, v)
		}
		v, err := f.get("absent", 1<<20)
		require.NoError(t, err)
		require.Nil(t, v)
		got, err := f.all(1 << 20)
		require.NoError(t, err)
		require.ElementsMatch(t, all, got)
		_, err = f.all(1000)
		require.ErrorIs(t, err, errGNUSize)
	}
	_, err := appendGNU(allLayouts()[0], make([]gnuEntry, 1000))
	require.ErrorIs(t, err, errGNUKeys)
}

// compactGNU is a file with the session and small buckets, such as a fuzzer can do
// something with.
func compactGNU(l gnuLayout, value string) []byte {
	const dir = 64
	bucket := dir + l.off<<3
	size := l.table() + 2*l.element()
	file := make([]byte, bucket+size)
	l.putHeader(file, 3)
	l.putOffset(file[8:], dir)
	h := file[8+l.off:]
	l.order.PutUint32(h, uint32(l.off<<3))
	l.order.PutUint32(h[8:], uint32(size))
	l.order.PutUint32(h[12:], 2)
	for n := range 8 {
		l.putOffset(file[dir+n*l.off:], int64(bucket))
	}
	b := file[bucket+l.table():]
	l.order.PutUint32(b[l.element():], 0xFFFFFFFF)
	l.order.PutUint32(b, gnuHash("session"))
	copy(b[4:8], "session")
	l.putOffset(b[8:], int64(len(file)))
	l.order.PutUint32(b[8+l.off:], 7)
	l.order.PutUint32(b[12+l.off:], uint32(len(value)))
	return append(file, "session"+value...)
}

func TestCompactGNU(t *testing.T) {
	for _, l := range allLayouts() {
		file := compactGNU(l, "value")
		f, err := openGNU(bytes.NewReader(file), int64(len(file)))
		require.NoError(t, err)
		v, err := f.get("session", 100)
		require.NoError(t, err)
		require.Equal(t, "value", string(v))
		all, err := f.all(100)
		require.NoError(t, err)
		require.Len(t, all, 1)
	}
}

func FuzzGNU(f *testing.F) {
	for _, l := range allLayouts() {
		file := compactGNU(l, "value")
		f.Add(file)
		f.Add(file[:len(file)-1])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20
		file, err := openGNU(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			require.True(t, isGNUError(err), err)
			return
		}
		value, err := file.get(beakerfmt.SessionKey, limit)
		if err != nil || value == nil {
			return
		}
		// What was read is read again from what is written.
		all, err := file.all(limit)
		if err != nil {
			all = nil
		}
		fresh := []gnuEntry{{gnuHash(beakerfmt.SessionKey), []byte(beakerfmt.SessionKey), value}}
		for _, e := range all {
			if string(e.key) != beakerfmt.SessionKey {
				fresh = append(fresh, e)
			}
		}
		written, err := appendGNU(file.gnuLayout, fresh)
		if err != nil {
			require.ErrorIs(t, err, errGNUKeys)
			return
		}
		again, err := openGNU(bytes.NewReader(written), int64(len(written)))
		require.NoError(t, err)
		same, err := again.get(beakerfmt.SessionKey, limit)
		require.NoError(t, err)
		require.Equal(t, value, same)
	})
}

func TestDumbIndex(t *testing.T) {
	for text, want := range map[string][]dumbEntry{
		"":                                      nil,
		"'session', (0, 512)\n":                 {{"session", 0, 512}},
		"'session', (0L, 512L)\n":               {{"session", 0, 512}},
		"'session', (0, 512)":                   {{"session", 0, 512}},
		"'a', (0, 1)\n'b', (2, 3)\n'a', (4, 5)": {{"a", 4, 5}, {"b", 2, 3}},
		`"it's", (512, 0)` + "\n":               {{"it's", 512, 0}},
		`'\\\'\"\n\r\t\x00\xff', (0, 0)`:        {{"\\'\"\n\r\t\x00\xff", 0, 0}},
		"'caf\xe9', (0, 0)\r\n":                 {{"caf\xe9", 0, 0}},
	} {
		got, err := dumbIndex([]byte(text))
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, got, "%q", text)
		again, err := dumbIndex(appendDumbIndex(nil, got))
		require.NoError(t, err)
		require.Equal(t, want, again)
	}
	for _, text := range []string{
		"\n", "'", "'a", "'a'", "'a',", "'a', (", "'a', (1", "'a', (1,", "'a', (1, 2", "'a' (1, 2)", "a, (1, 2)", "'a', (-1, 2)",
		"'a', (+1, 2)", "'a', (1, 2, 3)", "'a', (x, 2)", "'a', (, )", "'a', (L, 1)", `'\`, `'\x`, `'\x0`, `'\xzz', (0, 0)`, `'\0', (0, 0)`, "'a', (1, 9999999999999999999)",
		"'a', (1, 2)x",
	} {
		_, err := dumbIndex([]byte(text))
		require.ErrorIs(t, err, errDumbIndex, "%q", text)
	}
}

func TestDumbPlace(t *testing.T) {
	for _, c := range []struct {
		all  []dumbEntry
		size int64
		want int64
	}{
		{nil, 10, 0},
		{[]dumbEntry{{"a", 0, 512}}, 10, 512},
		{[]dumbEntry{{"a", 0, 513}}, 10, 1024},
		{[]dumbEntry{{"a", 512, 10}}, 512, 0},
		{[]dumbEntry{{"a", 512, 10}}, 513, 1024},
		{[]dumbEntry{{"b", 2048, 10}, {"a", 0, 10}}, 1536, 512},
		{[]dumbEntry{{"b", 2048, 10}, {"a", 0, 10}}, 1537, 2560},
		{[]dumbEntry{{"a", 0, 5000}, {"b", 512, 10}}, 10, 5120},
	} {
		require.Equal(t, c.want, dumbPlace(c.all, c.size), "%v", c)
	}
}

func FuzzDumb(f *testing.F) {
	f.Add([]byte("'session', (0, 512)\n"), int64(10))
	f.Add([]byte(`"it's\xff", (512L, 1024L)`), int64(513))
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		index, err := dumbIndex(data)
		if err != nil {
			require.ErrorIs(t, err, errDumbIndex)
			return
		}
		again, err := dumbIndex(appendDumbIndex(nil, index))
		require.NoError(t, err)
		require.Equal(t, index, again)
		if size < 0 || size > 1<<40 {
			return
		}
		pos := dumbPlace(index, size)
		require.Zero(t, pos%dumbBlock)
		for _, e := range index { // it is free
			require.True(t, e.size == 0 || pos >= e.pos+e.size || pos+size <= e.pos, "%v, %d at %d", index, size, pos)
		}
	})
}

func isGNUError(err error) bool {
	return err == errGNU || err == errGNUEmpty || err == io.EOF
}
