package inspect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
)

// A session value as back ends keep it that have no dict around it.
func TestValueAndItem(t *testing.T) {
	session := &pyvalue.Dict{}
	session.SetStr("user", pyvalue.Str("alice"))
	codec := &beakerfmt.Codec{}
	text, err := codec.EncodeValue(session, beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2})
	require.NoError(t, err)
	line, ok := pyvalue.Text(text)
	require.True(t, ok)
	pickled := func(v pyvalue.Value, protocol int) []byte {
		data, err := pickle.Append(nil, v, protocol)
		require.NoError(t, err)
		return data
	}
	for name, c := range map[string]struct {
		read    func() (inspect.Decoded, error)
		text    beakerfmt.Text
		outer   bool
		pickles int
	}{
		"value, dict":       {func() (inspect.Decoded, error) { return inspect.Value(pickled(session, 4), codec) }, beakerfmt.TextNone, true, 1},
		"value, text":       {func() (inspect.Decoded, error) { return inspect.Value(pickled(text, 4), codec) }, beakerfmt.TextStr, true, 2},
		"item, pickle":      {func() (inspect.Decoded, error) { return inspect.Item(pickled(text, 0), 1, codec) }, beakerfmt.TextStr, true, 2},
		"item, text":        {func() (inspect.Decoded, error) { return inspect.Item([]byte(line), 16, codec) }, beakerfmt.TextStr, false, 1},
		"item, native text": {func() (inspect.Decoded, error) { return inspect.Item([]byte(line), 0, codec) }, beakerfmt.TextPy2Str, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := c.read()
			require.NoError(t, err)
			require.True(t, pyvalue.Equal(session, d.Session))
			require.Equal(t, c.text, d.Form.Text)
			require.Equal(t, c.outer, d.Outer != nil)
			require.Len(t, d.Pickles, c.pickles)
			require.Nil(t, d.Container)
			require.Equal(t, c.outer && c.text != beakerfmt.TextNone, d.JSON().Container != nil)
		})
	}
	_, err = inspect.Value([]byte("nonsense"), codec)
	require.ErrorIs(t, err, beakerfmt.ErrCorrupt)
	_, err = inspect.Value(pickled(pyvalue.Str("abc"), 2), codec)
	require.ErrorIs(t, err, beakerfmt.ErrCorrupt)
	_, err = inspect.Item([]byte(line), 64, codec)
	require.ErrorIs(t, err, beakerfmt.ErrCorrupt)
	_, err = inspect.Item([]byte("abc"), 16, codec)
	require.ErrorIs(t, err, beakerfmt.ErrCorrupt)
}
