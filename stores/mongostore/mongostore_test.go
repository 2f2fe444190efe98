package mongostore

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/storetest"
)

const testID = "1e4c684fb206494191440c2cc28cbc22"

// databases numbers the databases of a server.
var databases atomic.Int64

// newURL is the url of a new database.
func newURL(s *servers.Server) string {
	return fmt.Sprintf("mongodb://%s/beaker%d", s.Addr(), databases.Add(1))
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// raw is the collection of a store, past the store.
func raw(t testing.TB, s *Store) *mongo.Collection {
	t.Helper()
	c, err := s.collection()
	require.NoError(t, err)
	return c
}

func TestConformance(t *testing.T) {
	server := servers.Mongo(t)
	for name, o := range map[string]Options{"defaults": {}, "protocol 5": {Protocol: 5}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) stores.Store {
					o.URL = newURL(server)
					return open(t, o)
				},
				Corrupt: func(t *testing.T, s stores.Store, id string) {
					_, err := raw(t, s.(*Store)).UpdateOne(t.Context(), byKey(id), set([]byte("\x80\x02}q\x00X\x07")))
					require.NoError(t, err)
				},
			})
		})
	}
}

// TestDocument: what is written is what pymongo writes for Beaker.
func TestDocument(t *testing.T) {
	s := open(t, Options{URL: newURL(servers.Mongo(t))})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.None{}))
	var d bson.M
	require.NoError(t, raw(t, s).FindOne(t.Context(), byKey(testID)).Decode(&d))
	require.Equal(t, bson.M{"_id": testID + ":session", "value": bson.Binary{Data: []byte("\x80\x02N.")}, "expiration": nil}, d)
	require.Equal(t, "backer_cache", raw(t, s).Name())
}

// TestExpired: a document that Beaker would remove before it looks is no session, and
// one that it cannot read is corrupt.
func TestExpired(t *testing.T) {
	s := open(t, Options{URL: newURL(servers.Mongo(t)), Now: func() time.Time { return time.Unix(1700000000, 0) }})
	insert := func(more ...bson.E) {
		_, err := raw(t, s).DeleteMany(t.Context(), bson.D{})
		require.NoError(t, err)
		_, err = raw(t, s).InsertOne(t.Context(), append(byKey(testID), more...))
		require.NoError(t, err)
	}
	value := bson.E{Key: "value", Value: bson.Binary{Data: []byte("N.")}}
	for _, at := range []any{1700000000.0, int32(1600000000), int64(1)} {
		insert(value, bson.E{Key: "expiration", Value: at})
		_, err := s.Get(t.Context(), testID)
		require.ErrorIs(t, err, stores.ErrNotExist)
		require.NoError(t, s.Update(t.Context(), testID, func(old pyvalue.Value) (pyvalue.Value, error) {
			require.Nil(t, old)
			return pyvalue.Str("new"), nil
		}))
		v, err := s.Get(t.Context(), testID)
		require.NoError(t, err, "it does not expire any more")
		require.Equal(t, pyvalue.Str("new"), v)
	}
	insert(value, bson.E{Key: "expiration", Value: 1700000000.5})
	_, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	for _, other := range []any{"text", nil, 5, bson.D{}} {
		insert(bson.E{Key: "value", Value: other})
		_, err = s.Get(t.Context(), testID)
		require.ErrorIs(t, err, stores.ErrCorrupt)
	}
	insert()
	_, err = s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrCorrupt)
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("new")))
}

// TestListPages: a list is asked for in pieces, and has sessions only.
func TestListPages(t *testing.T) {
	s := open(t, Options{URL: newURL(servers.Mongo(t))})
	const n = 2*listBatch + 5
	var records []stores.Record
	for i := range n {
		records = append(records, stores.Record{ID: fmt.Sprintf("%032x", i), Value: pyvalue.None{}})
	}
	for _, err := range s.Insert(t.Context(), records) {
		require.NoError(t, err)
	}
	_, err := raw(t, s).InsertMany(t.Context(), []any{
		bson.D{{Key: "_id", Value: "cache:key"}}, bson.D{{Key: "_id", Value: 5}}, bson.D{{Key: "_id", Value: "a b:session"}},
	})
	require.NoError(t, err)
	i := 0
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		require.Equal(t, records[i].ID, info.ID)
		i++
	}
	require.Equal(t, n, i)
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no url": {}, "another url": {URL: "redis://localhost/0"}, "no database": {URL: "mongodb://localhost/?w=1"},
		"no host": {URL: "mongodb:///beaker"}, "a bad database": {URL: "mongodb://localhost/a%2Fb"}, "bad escapes": {URL: "mongodb://localhost/%zz"},
		"a bad option":  {URL: "mongodb://user:secret@localhost/beaker?maxPoolSize=x"},
		"a timeout":     {URL: "mongodb://localhost/beaker", Timeout: -1},
		"a protocol":    {URL: "mongodb://localhost/beaker", Protocol: 6},
		"a size":        {URL: "mongodb://localhost/beaker", MaxBytes: 1 << 24},
		"connections":   {URL: "mongodb://localhost/beaker", MaxConnections: -1},
		"a bad port":    {URL: "mongodb://user:secret@localhost:x/beaker"},
		"a bad user":    {URL: "mongodb://us:er:secret@localhost/beaker"},
		"direct to two": {URL: "mongodb://a,b/beaker?directConnection=true"},
	} {
		_, err := New(o)
		require.ErrorContains(t, err, "mongostore: options: ", name)
		require.NotContains(t, err.Error(), "secret", name)
	}
	for url, want := range map[string]string{
		"mongodb://localhost/beaker":                              "beaker",
		"mongodb://user:p%2Fw@a:1,b:2/be%20ker.coll?replicaSet=r": "",
		"mongodb://user:p%2Fw@a:1,b:2/beaker.coll?replicaSet=r":   "beaker",
		"mongodb+srv://example.org/beaker":                        "beaker",
	} {
		s, err := New(Options{URL: url})
		if want == "" {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, s.database)
	}
}
