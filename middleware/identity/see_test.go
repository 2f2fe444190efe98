package identity

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

type (
	value = pyvalue.Value
	str   = pyvalue.Str
	none  = pyvalue.None
)

// values are what a session has, by key.
type values map[string]any

// see returns a view of a stored session; without values, of no session.
func see(t testing.TB, v values) *compat.View {
	t.Helper()
	o := compat.Defaults()
	o.Secret = "sekrit"
	manager, err := compat.New(o, memstore.New(), compat.Environment{})
	require.NoError(t, err)
	ctx, cookie := context.Background(), ""
	if v != nil {
		object := manager.Open("")
		session, err := object.Session(ctx)
		require.NoError(t, err)
		for key, value := range v {
			require.NoError(t, session.Set(key, value))
		}
		session.Save()
		require.NoError(t, session.Persist(ctx))
		cookie, _ = object.SetCookie()
	}
	view, err := manager.Open(cookie).Peek(ctx)
	require.NoError(t, err)
	require.Equal(t, len(v) == 0, view.IsNew())
	return view
}

func list(v ...value) *pyvalue.List { return pyvalue.NewList(v...) }

func dict(pairs ...value) *pyvalue.Dict {
	d := &pyvalue.Dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.Set(pairs[i], pairs[i+1])
	}
	return d
}

// instance is an object of a class of the application.
func instance(state value) *pyvalue.Object {
	return &pyvalue.Object{
		How: pyvalue.NewObj, Class: &pyvalue.Global{Module: "app.model", Name: "User"}, Args: pyvalue.NewTuple(),
		Ops: []pyvalue.Op{{Kind: pyvalue.Build, Values: []value{state}}},
	}
}

// python returns the natural Python value of a Go value.
func python(t testing.TB, v any) value {
	t.Helper()
	p, err := pyvalue.FromGo(v)
	require.NoError(t, err)
	return p
}
