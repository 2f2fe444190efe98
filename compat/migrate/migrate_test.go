package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/compat/migrate"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// inserting is a memstore with batches.
type inserting struct{ *memstore.Store }

func (s inserting) Insert(ctx context.Context, records []stores.Record) []error {
	errs := make([]error, len(records))
	for i, r := range records {
		errs[i] = s.Update(ctx, r.ID, func(old pyvalue.Value) (pyvalue.Value, error) {
			if old != nil {
				return nil, stores.ErrExist
			}
			return r.Value, nil
		})
	}
	return errs
}

// side makes a side whose sessions stand as the settings ask.
func side(t *testing.T, store stores.Store, set func(*compat.Options)) migrate.Side {
	t.Helper()
	o := compat.Defaults()
	o.Type, o.Timeout = "memory", time.Hour
	if set != nil {
		set(&o)
	}
	m, err := compat.New(o, store, compat.Environment{Now: func() time.Time { return now }})
	require.NoError(t, err)
	return migrate.Side{Store: store, Manager: m}
}

func peer(name string) func(*compat.Options) {
	return func(o *compat.Options) {
		p, err := compat.ParsePeer(name)
		if err != nil {
			panic(err)
		}
		o.Peer = p
	}
}

func all(sets ...func(*compat.Options)) func(*compat.Options) {
	return func(o *compat.Options) {
		for _, set := range sets {
			set(o)
		}
	}
}

func keys(encrypt, validate string) func(*compat.Options) {
	return func(o *compat.Options) { o.EncryptKey, o.ValidateKey = encrypt, validate }
}

func json(o *compat.Options) { o.DataSerializer = "json" }

func id(n int) string { return fmt.Sprintf("%032x", n) }

// session returns a session that was accessed so long ago.
func session(n int, ago time.Duration) *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("_accessed_time", pyvalue.Float(now.Add(-ago).Unix()))
	d.SetStr("_creation_time", pyvalue.Float(now.Add(-2*ago).Unix()))
	d.SetStr("n", pyvalue.NewInt(int64(n)))
	d.SetStr("cart", pyvalue.NewTuple(pyvalue.Str("gr\u00fcn"), pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.NewInt(1), Value: pyvalue.None{}})))
	return d
}

func put(t *testing.T, s migrate.Side, id string, d *pyvalue.Dict) {
	t.Helper()
	f := beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2}
	if s.Manager.Options().DataSerializer == "json" { // as a peer that is auto found it
		f.Serializer = beakerfmt.JSON
	}
	v, err := s.Manager.Encode(d, f)
	require.NoError(t, err)
	require.NoError(t, s.Store.Put(t.Context(), id, v))
}

func get(t *testing.T, s migrate.Side, id string) compat.Examined {
	t.Helper()
	v, err := s.Store.Get(t.Context(), id)
	require.NoError(t, err)
	e, err := s.Manager.Examine(v)
	require.NoError(t, err)
	return e
}

func absent(t *testing.T, s migrate.Side, id string) {
	t.Helper()
	_, err := s.Store.Get(t.Context(), id)
	require.ErrorIs(t, err, stores.ErrNotExist)
}

func run(t *testing.T, o migrate.Options) migrate.Counts {
	t.Helper()
	c, err := migrate.Run(t.Context(), o)
	require.NoError(t, err)
	return c
}

const many = 300

// TestForms copies from every form to every other, again, and verifies.
func TestForms(t *testing.T) {
	forms := map[string]func(*compat.Options){
		"auto":      nil,
		"1.11":      peer("beaker-1.11/python2"),
		"1.13":      peer("beaker-1.13"),
		"1.13 json": all(peer("beaker-1.13"), json),
		"auto json": json,
		"1.11 aes":  all(peer("beaker-1.11/nss"), keys("k1", "v1")),
		"1.13 aes":  all(peer("beaker-1.13"), keys("k1", "v1")),
		"other key": all(peer("beaker-1.13"), keys("k2", "v2")),
		"1.14 gcm":  all(peer("beaker-1.14/cryptography"), keys("k2", "v2")),
		"auto aes":  keys("k1", "v1"),
		"json aes":  all(peer("beaker-1.13"), json, keys("k1", "v1")),
		"auto rotate": func(o *compat.Options) {
			keys("k3", "v3")(o)
			o.OldEncryptKeys, o.OldValidateKeys = []string{"k1"}, []string{"v1"}
		},
	}
	for from, a := range forms {
		for to, b := range forms {
			t.Run(from+" to "+to, func(t *testing.T) {
				src, dst := side(t, memstore.New(), a), side(t, inserting{memstore.New()}, b)
				for n := range 20 {
					put(t, src, id(n), session(n, time.Minute))
				}
				o := migrate.Options{From: src, To: dst, Batch: 7, Problem: func(p migrate.Problem) { t.Error(p.Reason, p.Err) }}
				require.Equal(t, migrate.Counts{Listed: 20, Copied: 20}, run(t, o))
				require.Equal(t, migrate.Counts{Listed: 20, Done: 20}, run(t, o), "again there is nothing to do")
				c, err := migrate.Verify(t.Context(), o)
				require.NoError(t, err)
				require.Equal(t, migrate.Counts{Listed: 20, Done: 20}, c)
				e := get(t, dst, id(3))
				opts := dst.Manager.Options()
				require.NoError(t, opts.Peer.Reads(e.Form, &opts), "the Python there reads it")
				require.Equal(t, opts.EncryptKey != "", e.Form.AES != beakerfmt.AESNone)
				require.Zero(t, e.Form.EncryptKey)
			})
		}
	}
}

// TestInPlace converts records where they are.
func TestInPlace(t *testing.T) {
	for name, c := range map[string]struct{ from, to func(*compat.Options) }{
		"upgrade":  {peer("beaker-1.11"), peer("beaker-1.13")},
		"back":     {peer("beaker-1.13"), peer("beaker-1.11")},
		"to json":  {nil, json},
		"new keys": {keys("k1", "v1"), keys("k2", "v2")},
	} {
		t.Run(name, func(t *testing.T) {
			store := memstore.New()
			src, dst := side(t, store, c.from), side(t, store, c.to)
			for n := range many {
				put(t, src, id(n), session(n, time.Minute))
			}
			put(t, dst, id(many), session(1, time.Minute)) // was converted before
			o := migrate.Options{From: src, To: dst, Problem: func(p migrate.Problem) { t.Error(p.Reason, p.Err) }, DryRun: true}
			require.Equal(t, migrate.Counts{Listed: many + 1, Replaced: many, Done: 1}, run(t, o))
			o.DryRun = false
			require.Equal(t, migrate.Counts{Listed: many + 1, Replaced: many, Done: 1}, run(t, o))
			require.Equal(t, migrate.Counts{Listed: many + 1, Done: many + 1}, run(t, o))
			require.Equal(t, compat.Live, get(t, dst, id(7)).State)
		})
	}
}

// TestDecisions: what is at the destination already stays if it is later.
func TestDecisions(t *testing.T) {
	logout := pyvalue.NewDict()
	logout.SetStr("_path", pyvalue.Str("/"))
	src, dst := side(t, memstore.New(), peer("beaker-1.11")), side(t, inserting{memstore.New()}, peer("beaker-1.13"))
	put(t, src, id(1), session(1, time.Minute)) // is not there
	put(t, src, id(2), session(2, time.Minute)) // older there
	put(t, dst, id(2), session(0, 2*time.Minute))
	put(t, src, id(3), session(3, 2*time.Minute)) // later there
	put(t, dst, id(3), session(0, time.Minute))
	put(t, src, id(4), session(4, time.Minute)) // the same there
	put(t, dst, id(4), session(4, time.Minute))
	put(t, src, id(5), session(5, time.Minute)) // the same time, another session
	put(t, dst, id(5), session(0, time.Minute))
	put(t, src, id(6), session(6, 2*time.Hour)) // expired
	put(t, src, id(7), logout)                  // logged out, and still there
	put(t, dst, id(7), session(7, time.Minute))
	put(t, src, id(8), session(8, time.Minute)) // logged out there
	put(t, dst, id(8), logout)
	require.NoError(t, src.Store.Put(t.Context(), id(9), pyvalue.Str("rubbish")))
	put(t, src, id(10), session(10, time.Minute)) // rubbish there
	require.NoError(t, dst.Store.Put(t.Context(), id(10), pyvalue.Str("rubbish")))
	var problems []string
	o := migrate.Options{From: src, To: dst, Problem: func(p migrate.Problem) {
		require.NotContains(t, p.Err.Error(), p.ID)
		problems = append(problems, p.ID+" "+string(p.Reason))
	}}
	want := migrate.Counts{Listed: 10, Copied: 1, Replaced: 2, Later: 2, Done: 1, Expired: 1, Empty: 1, LoggedOut: 1, Failed: 2}
	o.DryRun = true
	require.Equal(t, want, run(t, o))
	absent(t, dst, id(1))
	o.DryRun, problems = false, nil
	require.Equal(t, want, run(t, o))
	slices.Sort(problems)
	require.Equal(t, []string{id(9) + " unreadable", id(10) + " destination"}, problems)
	for n, want := range map[int]int64{1: 1, 2: 2, 3: 0, 4: 4, 5: 5} {
		v, _ := get(t, dst, id(n)).Values.GetStr("n")
		got, _ := v.(*pyvalue.Int).Int64()
		require.Equal(t, want, got, n)
	}
	absent(t, dst, id(6))
	absent(t, dst, id(7))
	require.Equal(t, compat.Dead, get(t, dst, id(8)).State)

	put(t, dst, id(7), session(7, time.Minute))
	o.KeepLoggedOut, o.All = true, true
	require.Equal(t, migrate.Counts{Listed: 10, Copied: 1, Later: 2, Done: 4, Empty: 1, Failed: 2}, run(t, o))
	require.Equal(t, compat.Live, get(t, dst, id(7)).State)
	require.Equal(t, compat.Expired, get(t, dst, id(6)).State)
}

// TestVerifyFinds what is missing, what is another session, and what was logged out.
func TestVerifyFinds(t *testing.T) {
	src, dst := side(t, memstore.New(), nil), side(t, memstore.New(), nil)
	put(t, src, id(1), session(1, time.Minute))
	put(t, src, id(2), session(2, time.Minute))
	put(t, dst, id(2), session(3, time.Minute))
	logout := pyvalue.NewDict()
	logout.SetStr("_path", pyvalue.Str("/"))
	put(t, src, id(3), logout)
	put(t, dst, id(3), session(3, time.Minute))
	put(t, src, id(4), logout)
	found := map[string]migrate.Reason{}
	c, err := migrate.Verify(t.Context(), migrate.Options{From: src, To: dst, Problem: func(p migrate.Problem) { found[p.ID] = p.Reason }})
	require.NoError(t, err)
	require.Equal(t, migrate.Counts{Listed: 4, Empty: 2, Failed: 3}, c)
	require.Equal(t, map[string]migrate.Reason{id(1): migrate.Missing, id(2): migrate.Different, id(3): migrate.Different}, found)
}

// TestJSONLoses: what JSON does not hold is told with its place, and stays.
func TestJSONLoses(t *testing.T) {
	src, dst := side(t, memstore.New(), nil), side(t, memstore.New(), all(peer("beaker-1.13"), json))
	bytes := session(1, time.Minute)
	bytes.SetStr("cart", pyvalue.NewList(pyvalue.Bytes("topsecret")))
	put(t, src, id(1), bytes)
	twice := session(2, time.Minute)
	twice.SetStr("map", pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.NewInt(1), Value: pyvalue.Str("a")}, pyvalue.Entry{Key: pyvalue.Str("1"), Value: pyvalue.Str("b")}))
	put(t, src, id(2), twice)
	var told []string
	c := run(t, migrate.Options{From: src, To: dst, Move: true, Problem: func(p migrate.Problem) {
		require.Equal(t, migrate.Inexpressive, p.Reason)
		told = append(told, p.Err.Error())
	}})
	require.Equal(t, migrate.Counts{Listed: 2, Failed: 2}, c)
	require.Len(t, told, 2)
	require.Contains(t, told[0], "bytes")
	require.Contains(t, told[0], "cart[0]")
	require.NotContains(t, told[0], "topsecret")
	require.Contains(t, told[1], "the same text")
	get(t, src, id(1))
	get(t, src, id(2))
	absent(t, dst, id(1))
}

// TestRaw: what stands as it should is copied as it is, encrypted texts with their
// nonces too.
func TestRaw(t *testing.T) {
	src, dst := side(t, memstore.New(), all(peer("beaker-1.13"), keys("k", "v"))), side(t, memstore.New(), all(peer("beaker-1.13"), keys("k", "v")))
	put(t, src, id(1), session(1, time.Minute))
	run(t, migrate.Options{From: src, To: dst})
	a, err := src.Store.Get(t.Context(), id(1))
	require.NoError(t, err)
	b, err := dst.Store.Get(t.Context(), id(1))
	require.NoError(t, err)
	require.Equal(t, a, b)

	require.NoError(t, src.Store.Put(t.Context(), id(2), pyvalue.Str("anything")))
	put(t, src, id(1), session(2, time.Minute))
	put(t, src, id(3), session(3, 2*time.Hour))
	o := migrate.Options{From: src, To: dst, Raw: true, Move: true}
	require.Equal(t, migrate.Counts{Listed: 3, Copied: 2, Later: 1, Removed: 2}, run(t, o))
	absent(t, src, id(2))
	v, err := dst.Store.Get(t.Context(), id(2))
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("anything"), v)
	o.To = side(t, memstore.New(), nil)
	_, err = migrate.Run(t.Context(), o)
	require.ErrorContains(t, err, "the same peer")
	require.ErrorIs(t, err, migrate.ErrOptions)
}

// mangling is a store that loses what is put into some records.
type mangling struct {
	inserting
	bad string
}

func (s mangling) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if id == s.bad {
		return pyvalue.Str("gAJ9cQAu"), nil
	}
	return s.inserting.Get(ctx, id)
}

// TestMove removes from the source only what can be read at the destination.
func TestMove(t *testing.T) {
	src, dst := side(t, memstore.New(), nil), side(t, mangling{inserting{memstore.New()}, id(2)}, nil)
	for n := range 4 {
		put(t, src, id(n), session(n, time.Minute))
	}
	put(t, dst, id(3), session(3, time.Minute))
	c := run(t, migrate.Options{From: src, To: dst, Move: true, Problem: func(migrate.Problem) {}})
	require.Equal(t, migrate.Counts{Listed: 4, Copied: 3, Done: 1, Removed: 4}, c, "the session that ended there meanwhile has ended")
	absent(t, src, id(0))
	get(t, dst, id(0))
}

// forgetful is a store in which every other session is deleted, by the way of its users,
// just after it was read.
type forgetful struct {
	*memstore.Store
	other stores.Store
}

func (s forgetful) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	v, err := s.Store.Get(ctx, id)
	if err == nil && id[len(id)-1]%2 == 1 {
		err = errors.Join(s.Delete(ctx, id), s.other.Delete(ctx, id))
	}
	return v, err
}

// TestOnlineDeletes: what Go deletes from both stores while it is copied stays deleted.
func TestOnlineDeletes(t *testing.T) {
	for _, store := range []stores.Store{memstore.New(), inserting{memstore.New()}} {
		src, dst := side(t, forgetful{memstore.New(), store}, nil), side(t, store, nil)
		for n := range 10 {
			put(t, src, id(n), session(n, time.Minute))
		}
		c := run(t, migrate.Options{From: src, To: dst, Online: true})
		require.Equal(t, migrate.Counts{Listed: 10, Copied: 5, Gone: 5}, c)
		for n := range 10 {
			if n%2 == 1 {
				absent(t, dst, id(n))
				continue
			}
			get(t, dst, id(n))
		}
	}
}

// breaking is a store that fails after so many calls.
type breaking struct {
	inserting
	left *int
}

func (s breaking) Insert(ctx context.Context, records []stores.Record) []error {
	if *s.left--; *s.left < 0 {
		errs := make([]error, len(records))
		for i := range errs {
			errs[i] = fmt.Errorf("down: %w", stores.ErrUnavailable)
		}
		return errs
	}
	return s.inserting.Insert(ctx, records)
}

// TestResume breaks passes off at any point, and goes on from the last cursor: in the end all
// is there, and none was read much more than once.
func TestResume(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		src, left := side(t, memstore.New(), nil), 0
		store := inserting{memstore.New()}
		dst := side(t, breaking{store, &left}, nil)
		for n := range many {
			put(t, src, id(n), session(n, time.Minute))
		}
		o := migrate.Options{From: src, To: dst, Batch: 1 + r.IntN(30), Workers: 1}
		o.Checkpoint = func(cursor string, _ migrate.Counts) error { o.Cursor = cursor; return nil }
		var listed int64
		for {
			left = r.IntN(10)
			c, err := migrate.Run(t.Context(), o)
			listed += c.Listed
			if err == nil {
				break
			}
			require.ErrorIs(t, err, stores.ErrUnavailable)
			left = 0
		}
		for n := range many {
			get(t, dst, id(n))
		}
	}
}

// TestUnavailable: a store that is down ends the pass, whichever it is, and a checkpoint
// that cannot be kept does so too.
func TestUnavailable(t *testing.T) {
	left := 1
	src, dst := side(t, memstore.New(), nil), side(t, breaking{inserting{memstore.New()}, &left}, nil)
	for n := range many {
		put(t, src, id(n), session(n, time.Minute))
	}
	c, err := migrate.Run(t.Context(), migrate.Options{From: src, To: dst, Batch: 10, Workers: 1, Problem: func(migrate.Problem) { t.Error("no record is to blame") }})
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.EqualValues(t, 10, c.Copied)

	mine := errors.New("mine")
	left = 1000
	_, err = migrate.Run(t.Context(), migrate.Options{From: src, To: dst, Batch: 10, Workers: 1, Checkpoint: func(string, migrate.Counts) error { return mine }})
	require.ErrorIs(t, err, mine)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = migrate.Run(ctx, migrate.Options{From: src, To: dst, Batch: 10, Workers: 1, Rate: 1e6, Progress: func(migrate.Counts) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
}

func TestOptionsAreChecked(t *testing.T) {
	a, b := side(t, memstore.New(), nil), side(t, memstore.New(), nil)
	bare := migrate.Side{Store: struct{ stores.Store }{memstore.New()}, Manager: a.Manager}
	for want, o := range map[string]migrate.Options{
		"missing":               {From: a},
		"cannot be moved":       {From: a, To: a, Move: true},
		"negative":              {From: a, To: b, Batch: -1},
		"which sessions it has": {From: bare, To: b},
		"under a lock":          {From: a, To: bare},
	} {
		_, err := migrate.Run(t.Context(), o)
		require.ErrorContains(t, err, want)
		_, err = migrate.Verify(t.Context(), o)
		require.ErrorContains(t, err, want)
	}
}

// TestOnline holds what tiered uses against what the Managers say.
func TestOnline(t *testing.T) {
	a, b := side(t, memstore.New(), peer("beaker-1.11")), side(t, memstore.New(), all(peer("beaker-1.13"), keys("k", "v")))
	old, err := a.Manager.Encode(session(1, 2*time.Minute), beakerfmt.Form{})
	require.NoError(t, err)
	fresh, err := b.Manager.Encode(session(1, time.Minute), beakerfmt.Form{})
	require.NoError(t, err)
	toNew, toOld := migrate.Form(b.Manager, a.Manager), migrate.Form(a.Manager, b.Manager)
	newer, dead := migrate.Newer(b.Manager, a.Manager), migrate.Dead(b.Manager, a.Manager)
	require.True(t, newer(fresh, old))
	require.False(t, newer(old, fresh))
	require.False(t, newer(old, old))
	require.True(t, newer(old, pyvalue.Str("rubbish")))
	require.False(t, newer(pyvalue.Str("rubbish"), old))
	require.False(t, dead(old) || dead(fresh) || dead(pyvalue.Str("rubbish")))
	require.True(t, dead(pyvalue.NewDict()))

	v, err := toNew(old)
	require.NoError(t, err)
	e, err := b.Manager.Examine(v)
	require.NoError(t, err)
	require.True(t, pyvalue.Equal(session(1, 2*time.Minute), e.Values))
	again, err := toNew(v)
	require.NoError(t, err)
	require.Equal(t, v, again, "what is right stays as it is")
	back, err := toOld(v)
	require.NoError(t, err)
	require.True(t, pyvalue.Equal(old, back))
	_, err = toNew(pyvalue.Str("rubbish"))
	require.Error(t, err)
}
