// Package mongostore keeps sessions in MongoDB as Beaker's ext:mongodb does, which is
// there since 1.9: in the url's default database, in the collection backer_cache (sic;
// ext/mongodb.py, MongoNamespaceManager), a document for each session,
//
//	{_id: "<id>:session", value: <pickle of the session's value>, expiration: null}
//
// Sessions never expire in it by themselves, and Beaker has no locks for them. An
// Update is a compare-and-set of the value, which is atomic with every writer.
//
// Before each access Beaker removes the expired documents of which the key matches the
// regular expression "^<id>". A rule of ids that lets characters pass that mean
// something there, such as "." or "+", lets Beaker remove cached values of others, never
// sessions, for these have no expiration.
//
// A read that failed is tried once more. A write never is: it is ErrUncertain if it was
// sent and not answered.
package mongostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
)

// Names of Beaker's.
const (
	collectionName = "backer_cache"
	keySuffix      = ":" + beakerfmt.SessionKey
)

// listBatch is how many keys are asked for at once.
const listBatch = 1000

// Store is a store in MongoDB. It implements [stores.Store], [stores.Updater],
// [stores.Inserter], [stores.Lister], [stores.Pinger] and [stores.Clock], and is safe for
// concurrent use.
type Store struct {
	settings
	mu     sync.Mutex
	client *mongo.Client // nil until it is first used
	closed bool
}

var _ interface {
	stores.Store
	stores.Updater
	stores.Inserter
	stores.Lister
	stores.Pinger
	stores.Clock
} = (*Store)(nil)

// New returns a store, or an error that says which option is wrong. It does not connect,
// and looks up no names.
func New(o Options) (*Store, error) {
	c, err := o.settle()
	if err != nil {
		return nil, err
	}
	s := &Store{settings: c}
	if strings.HasPrefix(c.url, "mongodb://") { // of others even the options are looked up
		if err := s.clientOptions().Validate(); err != nil {
			return nil, errors.New("mongostore: options: url is not one of MongoDB, or its options contradict each other")
		}
	}
	return s, nil
}

func (s *Store) clientOptions() *options.ClientOptions {
	o := options.Client().ApplyURI(s.url).SetRetryWrites(false).
		SetServerSelectionTimeout(s.dialTimeout).SetConnectTimeout(s.dialTimeout).SetTimeout(s.timeout).
		SetMonitor(sentMonitor())
	if s.maxConnections > 0 {
		o.SetMaxPoolSize(s.maxConnections)
	}
	return o
}

// collection returns the collection, of a client that is made when it is first
// wanted.
func (s *Store) collection() (*mongo.Collection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.client == nil {
		client, err := mongo.Connect(s.clientOptions())
		if err != nil {
			return nil, errors.New("the url, or what the name service says of it, is not right")
		}
		s.client = client
	}
	return s.client.Database(s.database).Collection(collectionName), nil
}

var errClosed = errors.New("the store is closed")

// Close closes the connections. The store is not to be used after that.
func (s *Store) Close() error {
	s.mu.Lock()
	client := s.client
	s.client, s.closed = nil, true
	s.mu.Unlock()
	if client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := client.Disconnect(ctx); err != nil {
		return errors.New("mongostore: close: not all connections were closed in time")
	}
	return nil
}

func key(id string) string { return id + keySuffix }

// document is a document of a session, as Beaker reads it. The value is decoded later,
// for it may be anything.
type document struct {
	Key        string        `bson:"_id"`
	Value      bson.RawValue `bson:"value"`
	Expiration bson.RawValue `bson:"expiration"`
}

// expired reports whether Beaker would remove the document before it looks.
func (d document) expired(now time.Time) bool {
	var at float64
	switch d.Expiration.Type {
	case bson.TypeDouble:
		at = d.Expiration.Double()
	case bson.TypeInt32:
		at = float64(d.Expiration.Int32())
	case bson.TypeInt64:
		at = float64(d.Expiration.Int64())
	default:
		return false
	}
	return at <= float64(now.UnixNano())/float64(time.Second)
}

// set is what Beaker's set_value does to a document.
func set(data []byte) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: "value", Value: bson.Binary{Data: data}}, {Key: "expiration", Value: nil}}}}
}

func byKey(id string) bson.D { return bson.D{{Key: "_id", Value: key(id)}} }

// Get implements [stores.Store].
func (s *Store) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	c, err := s.prepare(ctx, id)
	if err != nil {
		return nil, s.failed(ctx, "get", id, err)
	}
	d, err := s.find(ctx, c, id)
	if err != nil {
		return nil, s.failed(ctx, "get", id, err)
	}
	v, err := s.decode(d)
	return v, s.failed(ctx, "get", id, err)
}

// prepare refuses what must not get near a key.
func (s *Store) prepare(ctx context.Context, id string) (*mongo.Collection, error) {
	if !s.ids.Valid(id) {
		return nil, stores.ErrInvalidID
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.collection()
}

// find returns the document of id; one without a key if there is none.
func (s *Store) find(ctx context.Context, c *mongo.Collection, id string) (d document, err error) {
	err = c.FindOne(ctx, byKey(id)).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return document{}, nil
	}
	return d, reading(err)
}

// decode returns the session of a document.
func (s *Store) decode(d document) (pyvalue.Value, error) {
	if d.Key == "" || d.expired(s.now()) {
		return nil, stores.ErrNotExist
	}
	_, data, ok := d.Value.BinaryOK()
	if !ok {
		return nil, fmt.Errorf("%w: its value is not binary", stores.ErrCorrupt)
	}
	if int64(len(data)) > s.maxBytes {
		return nil, fmt.Errorf("%w: %w", stores.ErrCorrupt, stores.ErrTooLarge)
	}
	v, err := pickle.Decode(data, s.limits)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stores.ErrCorrupt, err)
	}
	return v, nil
}

func (s *Store) encode(v pyvalue.Value) ([]byte, error) {
	if v == nil {
		return nil, fault.Permanent(errors.New("nil is not a Python value"))
	}
	data, err := pickle.Append(nil, v, s.protocol)
	if err != nil {
		return nil, fault.Permanent(err)
	}
	if int64(len(data)) > s.maxBytes {
		return nil, stores.ErrTooLarge
	}
	return data, nil
}

// Put implements [stores.Store]. v must not be nil.
func (s *Store) Put(ctx context.Context, id string, v pyvalue.Value) error {
	c, err := s.prepare(ctx, id)
	if err != nil {
		return s.failed(ctx, "put", id, err)
	}
	data, err := s.encode(v)
	if err != nil {
		return s.failed(ctx, "put", id, err)
	}
	for conflicts := 0; ; conflicts++ {
		sending, sent := watch(ctx)
		_, err := c.UpdateOne(sending, byKey(id), set(data), options.UpdateOne().SetUpsert(true))
		if !mongo.IsDuplicateKeyError(err) {
			return s.failed(ctx, "put", id, sent.judge(err))
		}
		// Somebody inserted it meanwhile: nothing was done.
		if err := pause(ctx, conflicts); err != nil {
			return s.failed(ctx, "put", id, err)
		}
	}
}

// Delete implements [stores.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	c, err := s.prepare(ctx, id)
	if err != nil {
		return s.failed(ctx, "delete", id, err)
	}
	sending, sent := watch(ctx)
	_, err = c.DeleteOne(sending, byKey(id))
	return s.failed(ctx, "delete", id, sent.judge(err))
}

// Update implements [stores.Updater], by compare-and-set: f is called again if somebody
// else wrote meanwhile.
func (s *Store) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	c, err := s.prepare(ctx, id)
	if err != nil {
		return s.failed(ctx, "update", id, err)
	}
	for conflicts := 0; ; conflicts++ {
		d, err := s.find(ctx, c, id)
		if err != nil {
			return s.failed(ctx, "update", id, err)
		}
		old, err := s.decode(d)
		if err != nil && !errors.Is(err, stores.ErrNotExist) {
			return s.failed(ctx, "update", id, err)
		}
		v, err := f(old)
		remove := errors.Is(err, stores.ErrRemove)
		if !remove && (v == nil || err != nil) {
			return err
		}
		done, err := s.exchange(ctx, c, id, d, v, remove)
		if err == nil && !done {
			err = pause(ctx, conflicts)
		}
		if done || err != nil {
			return s.failed(ctx, "update", id, err)
		}
	}
}

// exchange writes v in place of a document, or removes it, if it is still there as it
// was found.
func (s *Store) exchange(ctx context.Context, c *mongo.Collection, id string, d document, v pyvalue.Value, remove bool) (done bool, err error) {
	same := byKey(id)
	if !d.Value.IsZero() {
		same = append(same, bson.E{Key: "value", Value: d.Value})
	}
	sending, sent := watch(ctx)
	switch {
	case remove && d.Key == "":
		return true, nil
	case remove:
		r, err := c.DeleteOne(sending, same)
		if err != nil {
			return false, sent.judge(err)
		}
		return r.DeletedCount > 0, nil
	}
	data, err := s.encode(v)
	if err != nil {
		return false, err
	}
	if d.Key != "" {
		r, err := c.UpdateOne(sending, same, set(data))
		if err != nil {
			return false, sent.judge(err)
		}
		return r.MatchedCount > 0, nil
	}
	_, err = c.InsertOne(sending, fresh(id, data))
	if mongo.IsDuplicateKeyError(err) {
		return false, nil
	}
	return err == nil, sent.judge(err)
}

func fresh(id string, data []byte) bson.D {
	return append(byKey(id), bson.E{Key: "value", Value: bson.Binary{Data: data}}, bson.E{Key: "expiration", Value: nil})
}

// Insert implements [stores.Inserter].
func (s *Store) Insert(ctx context.Context, records []stores.Record) []error {
	errs := make([]error, len(records))
	var batch []bson.D
	var at []int // which record each of the batch is
	for i, r := range records {
		_, err := s.prepare(ctx, r.ID)
		var data []byte
		if err == nil {
			data, err = s.encode(r.Value)
		}
		if err != nil {
			errs[i] = s.failed(ctx, "insert", r.ID, err)
			continue
		}
		batch, at = append(batch, fresh(r.ID, data)), append(at, i)
	}
	if len(batch) == 0 {
		return errs
	}
	for n, err := range s.insert(ctx, batch) {
		errs[at[n]] = s.failed(ctx, "insert", records[at[n]].ID, err)
	}
	return errs
}

// insert inserts documents, and returns an error for each.
func (s *Store) insert(ctx context.Context, batch []bson.D) []error {
	errs := make([]error, len(batch))
	c, err := s.collection()
	sending, sent := watch(ctx)
	if err == nil {
		_, err = c.InsertMany(sending, batch, options.InsertMany().SetOrdered(false))
	}
	var answer mongo.BulkWriteException
	if errors.As(err, &answer) && answer.WriteConcernError == nil {
		for _, e := range answer.WriteErrors {
			if errs[e.Index] = judgeWrite(e.WriteError); mongo.IsDuplicateKeyError(e.WriteError) {
				errs[e.Index] = stores.ErrExist
			}
		}
		return errs
	}
	if err = sent.judge(err); err != nil {
		for n := range errs {
			errs[n] = err
		}
	}
	return errs
}

// List implements [stores.Lister], in the order of the keys. It does not know when
// records were modified, nor how large they are. Documents that are not sessions, such
// as Beaker's cached values, are passed over.
func (s *Store) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		for more := true; more; {
			keys, err := s.keys(ctx, from)
			if err != nil {
				yield(stores.Info{}, s.failed(ctx, "list", "", err))
				return
			}
			for _, key := range keys {
				id, session := strings.CutSuffix(key, keySuffix)
				if session && s.ids.Valid(id) && !yield(stores.Info{ID: id, Cursor: key}, nil) {
					return
				}
				from = key
			}
			more = len(keys) == listBatch
		}
	}
}

// keys returns the next keys after one.
func (s *Store) keys(ctx context.Context, from string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := s.collection()
	if err != nil {
		return nil, err
	}
	found, err := c.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: from}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(listBatch).SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, reading(err)
	}
	var docs []struct {
		Key string `bson:"_id"`
	}
	if err := found.All(ctx, &docs); err != nil {
		return nil, reading(err)
	}
	keys := make([]string, len(docs))
	for n, d := range docs {
		keys[n] = d.Key
	}
	return keys, nil
}

// Ping implements [stores.Pinger]: it reads what is not there, as one who may read
// sessions can.
func (s *Store) Ping(ctx context.Context) error {
	c, err := s.collection()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		_, err = s.find(ctx, c, "")
	}
	return s.failed(ctx, "ping", "", err)
}
