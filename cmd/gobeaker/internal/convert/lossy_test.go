package convert

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

func TestLosses(t *testing.T) {
	session := pyvalue.NewDict()
	session.SetStr("plain", &pyvalue.List{Items: []pyvalue.Value{pyvalue.Str("x"), pyvalue.NewInt(1), pyvalue.None{}}})
	session.SetStr("pair", &pyvalue.Tuple{Items: []pyvalue.Value{pyvalue.Bytes("a"), pyvalue.Bytes("b")}})
	session.SetStr("blob", pyvalue.Py2Str("\xff"))
	session.SetStr("old", pyvalue.Py2Str("a"))
	session.Put(pyvalue.NewInt(7), pyvalue.Str("x"))
	session.Put(&pyvalue.Tuple{}, &pyvalue.Global{Module: "shop", Name: "f"})
	require.Equal(t, []Loss{
		{"pair", "tuple", "a list"},
		{"pair", "bytes", ""},
		{"blob", "str (Python 2)", ""},
		{"old", "str (Python 2)", "unicode"},
		{"int", "int", "text"},
		{"tuple", "tuple", ""},
		{"tuple", "global shop.f", ""},
	}, Losses(session))
	require.Empty(t, Losses(pyvalue.NewDict()))
}
