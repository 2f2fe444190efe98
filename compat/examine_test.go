package compat_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

func TestExamine(t *testing.T) {
	now := time.Unix(1700000000, 0)
	o := compat.Defaults()
	o.Timeout = time.Minute
	m, err := compat.New(o, memstore.New(), compat.Environment{Now: func() time.Time { return now }})
	require.NoError(t, err)
	session := func(accessed float64) *pyvalue.Dict {
		d := pyvalue.NewDict()
		d.SetStr("user", pyvalue.Str("ann"))
		d.SetStr("_accessed_time", pyvalue.Float(accessed))
		return d
	}
	left := pyvalue.NewDict()
	left.SetStr("_domain", pyvalue.None{})
	left.SetStr("_path", pyvalue.Str("/"))
	for _, c := range []struct {
		name  string
		value pyvalue.Value
		want  compat.State
		err   error
	}{
		{"live", session(1700000000 - 60), compat.Live, nil},
		{"expired", session(1700000000 - 60.5), compat.Expired, nil},
		{"without a time", func() pyvalue.Value { d := session(0); d.DeleteStr("_accessed_time"); return d }(), compat.Live, nil},
		{"deleted by Beaker 1.11", left, compat.Dead, nil},
		{"deleted by Beaker 1.10", pyvalue.NewDict(), compat.Dead, nil},
		{"None", pyvalue.None{}, compat.Dead, nil},
		{"garbage", pyvalue.Str("garbage!"), 0, stores.ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := m.Examine(c.value)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, e.State)
			if c.want == compat.Dead {
				require.Nil(t, e.Values)
				return
			}
			v, err := m.Encode(e.Values, e.Form)
			require.NoError(t, err)
			require.Equal(t, c.value, v, "auto keeps the form: the dict itself")
		})
	}
	e, err := m.Examine(session(1700000000))
	require.NoError(t, err)
	require.True(t, e.Accessed.Equal(now))
	require.True(t, e.Created.IsZero())

	o.Peer, err = compat.ParsePeer("beaker-1.13/python3")
	require.NoError(t, err)
	m, err = compat.New(o, memstore.New(), compat.Environment{})
	require.NoError(t, err)
	v, err := m.Encode(session(1), beakerfmt.Form{})
	require.NoError(t, err)
	require.IsType(t, pyvalue.Str(""), v, "a peer of 1.12 and later reads text")
}
