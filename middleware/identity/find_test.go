package identity

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"
)

func TestFind(t *testing.T) {
	slots := instance(pyvalue.NewTuple(none{}, dict(str("name"), str("slot"))))
	both := instance(pyvalue.NewTuple(dict(str("a"), str("1")), dict(str("b"), str("2"))))
	subclass := &pyvalue.Object{ // class Bunch(dict)
		How: pyvalue.NewObj, Class: &pyvalue.Global{Module: "app", Name: "Bunch"}, Args: pyvalue.NewTuple(),
		Ops: []pyvalue.Op{
			{Kind: pyvalue.Build, Values: []value{dict(str("name"), str("attribute"), str("other"), str("attribute"))}},
			{Kind: pyvalue.SetItems, Values: []value{str("name"), str("item")}},
		},
	}
	listSubclass := &pyvalue.Object{ // class Groups(list)
		How: pyvalue.NewObj, Class: &pyvalue.Global{Module: "app", Name: "Groups"}, Args: pyvalue.NewTuple(),
		Ops: []pyvalue.Op{{Kind: pyvalue.Append, Values: []value{str("a"), str("b")}}},
	}
	self := list()
	self.Items = append(self.Items, self, str("end"))
	v := see(t, values{
		"user_id": 7, "ключ": "unicode",
		"user": dict(
			str("email"), str("eve@example.org"), pyvalue.Py2Str("py2"), str("2"), pyvalue.Bytes("raw"), str("3"),
			pyvalue.NewInt(5), str("five"), str("6"), str("text six"), pyvalue.NewInt(6), str("int six"),
			pyvalue.Py2Str("\xc3\xa9"), str("é"), str("a.b"), str("dotted"),
		),
		"list": list(str("a"), list(str("b"))), "tuple": pyvalue.NewTuple(str("t")), "set": pyvalue.NewSet(str("0")),
		"object": instance(dict(str("name"), str("eve"), str("tags"), list(str("x")))),
		"slots":  slots, "both": both, "bunch": subclass, "groups": listSubclass,
		"ordered":     pyvalue.NewOrderedDict(dict(str("k"), str("o"))),
		"defaultdict": pyvalue.NewDefaultDict(none{}, dict(str("k"), str("d"))),
		"deque":       pyvalue.NewDeque([]value{str("first")}, -1),
		"self":        self,
		"text":        "abc",
	})
	for path, want := range map[string]string{
		"user_id": "7", "ключ": "unicode",
		"user.email": "eve@example.org", "user.py2": "2", "user.raw": "3", "user.5": "five", "user.6": "text six", "user.é": "é",
		`user.a\.b`: "dotted",
		"list.0":    "a", "list.1.0": "b", "tuple.0": "t", "object.name": "eve", "object.tags.0": "x",
		"slots.name": "slot", "both.a": "1", "both.b": "2", "bunch.name": "item", "bunch.other": "attribute",
		"groups.1": "b", "ordered.k": "o", "defaultdict.k": "d", "deque.0": "first", "self.0.0.0.1": "end",
	} {
		p, err := sessionvalue.ParsePath(path)
		require.NoError(t, err)
		found, ok := p.Find(v)
		require.True(t, ok, path)
		text, err := sessionvalue.Text(found, maxLine)
		require.NoError(t, err, path)
		require.Equal(t, want, text, path)
	}
	for _, path := range []string{
		"nobody", "user_id.0", "user.nobody", "user.email.x", "user.05", "user.-1", "list.2", "list.-1", "list.00", "list.+0", "list.01",
		"list.99999999999999999999", "set.0", "object.nobody", "object.tags.1", "slots.nobody", "text.0", "ordered.x", "defaultdict.x",
		"list.length", "deque.1", "groups.2",
	} {
		p, err := sessionvalue.ParsePath(path)
		require.NoError(t, err)
		_, ok := p.Find(v)
		require.False(t, ok, path)
	}
}
