package migrate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/compat/migrate"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// TestOtherFormThere: a pass with the right settings mends what one without them wrote, be
// it used there since; until then verify finds it.
func TestOtherFormThere(t *testing.T) {
	for name, c := range map[string]struct{ wrong, right func(*compat.Options) }{
		"no peer":   {nil, peer("beaker-1.13")},
		"dict":      {peer("beaker-1.11"), peer("beaker-1.13")},
		"text":      {peer("beaker-1.13"), peer("beaker-1.11")},
		"pickle":    {peer("beaker-1.13"), all(peer("beaker-1.13"), json)},
		"json":      {all(peer("beaker-1.13"), json), peer("beaker-1.13")},
		"auto json": {nil, json},
		"old key": {all(peer("beaker-1.13"), keys("k1", "v1")), all(peer("beaker-1.13"), keys("k2", "v2"), func(o *compat.Options) {
			o.OldEncryptKeys, o.OldValidateKeys = []string{"k1"}, []string{"v1"}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			src, store := side(t, memstore.New(), peer("beaker-1.11")), inserting{memstore.New()}
			wrong, dst := side(t, store, c.wrong), side(t, store, c.right)
			for n := range 4 {
				put(t, src, id(n), session(n, 2*time.Minute))
			}
			if name == "no peer" || name == "auto json" { // which keep the form they find
				for n := range 4 {
					v, err := wrong.Manager.Encode(session(n, 2*time.Minute), beakerfmt.Form{})
					require.NoError(t, err)
					if name == "auto json" {
						v, err = wrong.Manager.Encode(session(n, 2*time.Minute), beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2})
						require.NoError(t, err)
					}
					require.NoError(t, store.Put(t.Context(), id(n), v))
				}
			} else {
				run(t, migrate.Options{From: src, To: wrong})
			}
			later := session(9, time.Minute)
			form := get(t, wrong, id(3)).Form
			v, err := wrong.Manager.Encode(later, form)
			require.NoError(t, err)
			require.NoError(t, store.Put(t.Context(), id(3), v))

			var reasons []migrate.Reason
			o := migrate.Options{From: src, To: dst, Problem: func(p migrate.Problem) { reasons = append(reasons, p.Reason) }}
			counts, err := migrate.Verify(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, migrate.Counts{Listed: 4, Failed: 4}, counts)
			require.Equal(t, []migrate.Reason{"form", "form", "form", "form"}, reasons)
			o.DryRun, o.Problem = true, nil
			require.Equal(t, migrate.Counts{Listed: 4, Reformed: 4}, run(t, o))
			o.DryRun, o.Move = false, true
			require.Equal(t, migrate.Counts{Listed: 4, Reformed: 4, Removed: 4}, run(t, o))

			opts := dst.Manager.Options()
			for n := range 4 {
				e := get(t, dst, id(n))
				require.NoError(t, opts.Peer.Reads(e.Form, &opts))
				require.Zero(t, e.Form.EncryptKey)
				put(t, src, id(n), session(n, 2*time.Minute))
			}
			x, _ := get(t, dst, id(3)).Values.GetStr("n")
			require.True(t, pyvalue.Equal(pyvalue.NewInt(9), x), "the later one stays")
			o.Move = false
			require.Equal(t, migrate.Counts{Listed: 4, Done: 3, Later: 1}, run(t, o))
			counts, err = migrate.Verify(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, migrate.Counts{Listed: 4, Done: 3, Later: 1}, counts)
		})
	}
}

// python2Dates are as Python 2 pickles them.
func python2Dates(n int) *pyvalue.Dict {
	made := func(class, state string) *pyvalue.Object {
		return &pyvalue.Object{How: pyvalue.Reduce, Class: &pyvalue.Global{Module: "datetime", Name: class}, Args: pyvalue.NewTuple(pyvalue.Py2Str(state))}
	}
	d := session(n, time.Minute)
	when := made("datetime", "\x07\xea\x01\x02\x03\x04\x05\x00\x00\x01")
	self := pyvalue.NewList(when)
	self.Items = append(self.Items, self)
	d.SetStr("when", when)
	d.SetStr("list", self)
	d.SetStr("tuple", pyvalue.NewTuple(made("date", "\x07\xea\x01\x02"), pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("t"), Value: made("time", "\x01\x02\x03\x00\xff\xff")})))
	return d
}

// TestPython2Dates: Python 3 loads them when they are made of bytes. Other strings of 8 bits
// stay as they are: nobody knows what they are.
func TestPython2Dates(t *testing.T) {
	for _, name := range []string{"beaker-1.13/python3", "beaker-1.11/python3"} {
		src, dst := side(t, memstore.New(), peer("beaker-1.11/python2")), side(t, inserting{memstore.New()}, peer(name))
		put(t, src, id(1), python2Dates(1))
		put(t, src, id(2), python2Dates(2))
		same := migrate.Options{From: src, To: side(t, dst.Store, peer(name[:len(name)-1]+"2"))} // the wrong peer
		require.Equal(t, migrate.Counts{Listed: 2, Copied: 2}, run(t, same))
		require.NoError(t, dst.Store.Delete(t.Context(), id(2)))

		o := migrate.Options{From: src, To: dst, Move: true, Problem: func(p migrate.Problem) { t.Error(p.Reason, p.Err) }}
		require.Equal(t, migrate.Counts{Listed: 2, Copied: 1, Reformed: 1, Removed: 2}, run(t, o))
		put(t, src, id(1), python2Dates(1))
		put(t, src, id(2), python2Dates(2))
		o.Move = false
		require.Equal(t, migrate.Counts{Listed: 2, Done: 2}, run(t, o))
		c, err := migrate.Verify(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, migrate.Counts{Listed: 2, Done: 2}, c)
		for n := range 2 {
			got := get(t, dst, id(n+1)).Values
			v, _ := got.GetStr("when")
			require.Equal(t, pyvalue.Bytes("\x07\xea\x01\x02\x03\x04\x05\x00\x00\x01"), v.(*pyvalue.Object).Args.Items[0])
			at, _, ok := pyvalue.AsTime(v)
			require.True(t, ok)
			require.Equal(t, now.Add(time.Microsecond), at)
			list, _ := got.GetStr("list")
			require.Same(t, v, list.(*pyvalue.List).Items[0])
			tuple, _ := got.GetStr("tuple")
			require.Equal(t, pyvalue.Bytes("\x07\xea\x01\x02"), tuple.(*pyvalue.Tuple).Items[0].(*pyvalue.Object).Args.Items[0])
		}
	}
}
