package mongostore

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/gobeaker/gobeaker/stores"
)

// FuzzDocument: of any document the store says that there is a session, that there is
// none, or that it is corrupt; a session that was read is read again from what is
// written.
func FuzzDocument(f *testing.F) {
	for _, d := range []bson.D{
		fresh(testID, []byte("\x80\x02N.")),
		fresh(testID, []byte("\x80\x02}")),
		append(byKey(testID), bson.E{Key: "value", Value: "text"}),
		append(fresh(testID, []byte("N.")), bson.E{Key: "expiration", Value: 1.5}),
		append(fresh(testID, []byte("N.")), bson.E{Key: "expiration", Value: int64(1 << 60)}),
	} {
		data, err := bson.Marshal(d)
		require.NoError(f, err)
		f.Add(data)
	}
	s, err := New(Options{URL: "mongodb://localhost/beaker", MaxBytes: 1 << 16, Now: func() time.Time { return time.Unix(1700000000, 0) }})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		var d document
		if bson.Unmarshal(data, &d) != nil {
			return
		}
		v, err := s.decode(d)
		if err != nil {
			require.True(t, errors.Is(err, stores.ErrNotExist) || errors.Is(err, stores.ErrCorrupt), err)
			return
		}
		written, err := s.encode(v)
		if err != nil {
			return // such as a value that is too large in another protocol
		}
		second, err := bson.Marshal(fresh(testID, written))
		require.NoError(t, err)
		var again document
		require.NoError(t, bson.Unmarshal(second, &again))
		_, err = s.decode(again)
		require.NoError(t, err)
	})
}
