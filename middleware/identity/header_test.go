package identity

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"
)

func TestValuesAsText(t *testing.T) {
	moment := time.Date(2023, 11, 14, 22, 13, 20, 123456000, time.FixedZone("", 3600))
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, c := range []struct {
		encode string
		v      any
		want   string
		err    error
	}{
		{"", "eve", "eve", nil},
		{"", "a b,c=d;\"e\"", "a b,c=d;\"e\"", nil},
		{"", pyvalue.Py2Str("eve"), "eve", nil},
		{"", pyvalue.Bytes("eve"), "eve", nil},
		{"", &pyvalue.ByteArray{Data: []byte("eve")}, "eve", nil},
		{"", 42, "42", nil},
		{"", -1, "-1", nil},
		{"", 0, "0", nil},
		{"", huge, huge.String(), nil},
		{"", pyvalue.NewLong(big.NewInt(7)), "7", nil},
		{"", true, "true", nil},
		{"", false, "false", nil},
		{"", 1.0, "1.0", nil},
		{"", 1e16, "1e+16", nil},
		{"", math.Inf(1), "inf", nil},
		{"", python(t, moment), "2023-11-14T22:13:20.123456+01:00", nil},
		{"", python(t, moment.Truncate(time.Second).UTC()), "2023-11-14T21:13:20+00:00", nil},
		{"", pyvalue.NaiveTime{Time: moment.Truncate(time.Second)}, "2023-11-14T22:13:20", nil},
		{"", pyvalue.Date{Year: 2024, Month: 2, Day: 29}, "2024-02-29", nil},
		{"", pyvalue.TimeOfDay{Hour: 1, Microsecond: 4}, "01:00:00.000004", nil},
		{"", 24*time.Hour + 5*time.Second, "86405.0", nil},
		{"", -1500 * time.Millisecond, "-1.5", nil},
		{"", pyvalue.Decimal("1.10"), "1.10", nil},
		{"", pyvalue.UUID{15: 1}, "00000000-0000-0000-0000-000000000001", nil},
		{"", nil, "", nil},
		{"", "", "", nil},
		{"", list(), "", nil},
		{"", list(none{}, str("")), "", nil},

		{"", "Zoë", "", errNotASCII},
		{"", "a\r\nX-Admin: 1", "", errControl},
		{"", "a\nb", "", errControl},
		{"", "a\x00", "", errControl},
		{"", "a\tb", "", errControl},
		{"", "a\x7f", "", errControl},
		{"", "admin ", "", errSpace},
		{"", " admin", "", errSpace},
		{"", pyvalue.Py2Str("Zo\xeb"), "", sessionvalue.ErrNotUTF8},
		{"", pyvalue.Bytes("\xff"), "", sessionvalue.ErrNotUTF8},
		{"", str("\xed\xa0\x80"), "", sessionvalue.ErrNotUTF8},
		{"", dict(str("a"), str("b")), "", sessionvalue.ErrKind},
		{"", instance(dict()), "", sessionvalue.ErrKind},
		{"", &pyvalue.Global{Module: "a", Name: "B"}, "", sessionvalue.ErrKind},
		{"", complex(1, 2), "", sessionvalue.ErrKind},
		{"", strings.Repeat("x", maxLine), "", sessionvalue.ErrTooLong},
		{"", new(big.Int).Lsh(big.NewInt(1), 1<<16), "", sessionvalue.ErrTooLong},

		{"utf-8", "Zoë", "Zoë", nil},
		{"utf-8", pyvalue.Py2Str("Zo\xc3\xab"), "Zoë", nil},
		{"utf-8", "a\u0085b", "", errControl},
		{"utf-8", "a\u2028b", "", errControl},
		{"utf-8", "admin\u00a0", "", errSpace},
		{"utf-8", "\u3000admin", "", errSpace},
		{"utf-8", str("\xed\xa0\x80"), "", sessionvalue.ErrNotUTF8},
		{"utf-8", pyvalue.Py2Str("Zo\xeb"), "", sessionvalue.ErrNotUTF8},

		{"percent", "Zoë & Co,\r\n", "Zo%C3%AB%20%26%20Co%2C%0D%0A", nil},
		{"percent", "a-b._~", "a-b._~", nil},
		{"percent", pyvalue.Bytes("\xff"), "", sessionvalue.ErrNotUTF8},
		{"percent", strings.Repeat("\n", maxLine/2), "", sessionvalue.ErrTooLong},
		{"base64", "Zoë", "Wm/Dqw==", nil},
		{"base64", pyvalue.Bytes("\x00\xff"), "AP8=", nil},
		{"base64", pyvalue.Py2Str("Zo\xeb"), "Wm/r", nil},
		{"base64", str("\xed\xa0\x80"), "", sessionvalue.ErrNotUTF8},
		{"base64", 42, "NDI=", nil},

		{"", []string{"b", "a"}, "b,a", nil},
		{"", list(str("a"), none{}, str(""), pyvalue.NewInt(1)), "a,1", nil},
		{"", pyvalue.NewTuple(str("a"), pyvalue.Bool(true)), "a,true", nil},
		{"", pyvalue.NewSet(str("b"), str("a")), "a,b", nil},
		{"", pyvalue.NewFrozenSet(str("b"), str("a")), "a,b", nil},
		{"", pyvalue.NewDeque([]value{str("b"), str("a")}, -1), "b,a", nil},
		{"", []string{"users", "x,admin"}, "", errSeparator},
		{"", []string{"users", "ü"}, "", errNotASCII},
		{"", []string{"users", " admin"}, "", errSpace},
		{"", list(str("a"), list(str("b"))), "", sessionvalue.ErrKind},
		{"", slices.Repeat([]string{"group"}, maxLine), "", sessionvalue.ErrTooLong},
		{"percent", []string{"a b", "x,admin"}, "a%20b,x%2Cadmin", nil},
		{"base64", []string{"a", "x,admin"}, "YQ==,eCxhZG1pbg==", nil},

		{"json", "Zoë \"\\\n\x7f😀", `"Zo\u00eb \"\\\u000a\u007f\ud83d\ude00"`, nil},
		{"json", 42, "42", nil},
		{"json", 1<<53 - 1, "9007199254740991", nil},
		{"json", 1 << 53, `"9007199254740992"`, nil},
		{"json", -1 << 53, `"-9007199254740992"`, nil},
		{"json", huge, `"` + huge.String() + `"`, nil},
		{"json", true, "true", nil},
		{"json", 1.0, "1.0", nil},
		{"json", 1e-5, "1e-05", nil},
		{"json", math.NaN(), "", sessionvalue.ErrNotJSON},
		{"json", math.Inf(-1), "", sessionvalue.ErrNotJSON},
		{"json", 1500 * time.Millisecond, "1.5", nil},
		{"json", pyvalue.Date{Year: 2024, Month: 2, Day: 29}, `"2024-02-29"`, nil},
		{"json", pyvalue.Decimal("1.10"), `"1.10"`, nil},
		{"json", []string{"a,b", "c"}, `["a,b","c"]`, nil},
		{"json", list(), "[]", nil},
		{"json", pyvalue.NewSet(str("b"), pyvalue.NewInt(10), pyvalue.NewInt(9), str("a")), `["a","b",10,9]`, nil},
		{"json", dict(), "{}", nil},
		{"json", dict(str("b"), list(none{}), pyvalue.Py2Str("a"), dict()), `{"b":[null],"a":{}}`, nil},
		{"json", pyvalue.NewOrderedDict(dict(str("k"), pyvalue.NewInt(1))), `{"k":1}`, nil},
		{"json", dict(pyvalue.NewInt(1), str("a")), "", sessionvalue.ErrNotJSON},
		{"json", dict(str("a"), str("1"), pyvalue.Bytes("a"), str("2")), "", sessionvalue.ErrNotJSON},
		{"json", dict(str("a"), instance(dict(str("password"), str("x")))), "", sessionvalue.ErrNotJSON},
		{"json", pyvalue.Bytes("\xff"), "", sessionvalue.ErrNotUTF8},
		{"json", str("\xed\xa0\x80"), "", sessionvalue.ErrNotUTF8},
		{"json", strings.Repeat("ü", maxLine/6+1), "", sessionvalue.ErrTooLong},
	} {
		h, err := newHeader(Header{Name: "Remote-User", Path: "v", Encode: c.encode})
		require.NoError(t, err)
		got, err := h.value(see(t, values{"v": c.v, "user_id": 1}))
		require.ErrorIs(t, err, c.err, "%s %v", c.encode, c.v)
		if c.err == nil {
			require.NoError(t, err, "%s %v", c.encode, c.v)
		}
		require.Equal(t, c.want, got, "%s %v", c.encode, c.v)
	}
}

func TestDefault(t *testing.T) {
	h, err := newHeader(Header{Name: "X-Role", Path: "role", Default: "guest"})
	require.NoError(t, err)
	for _, v := range []values{nil, {}, {"role": nil}, {"role": ""}, {"role": []string{}}, {"role": list(none{})}} {
		text, err := h.value(see(t, v))
		require.NoError(t, err)
		require.Equal(t, "guest", text)
	}
	// A value that cannot be told is not the same as none.
	text, err := h.value(see(t, values{"role": "b\nanned"}))
	require.ErrorIs(t, err, errControl)
	require.Empty(t, text)
}

func TestJoin(t *testing.T) {
	for _, c := range []struct {
		join    string
		members []string
		want    string
	}{
		{"", []string{"a b", "c"}, "a b,c"},
		{", ", []string{"a b", "c"}, "a b, c"},
		{", ", []string{"a,", "c"}, ""},
		{"||", []string{"a|", "b"}, ""},
		{"||", []string{"a", "b"}, "a||b"},
		{" ", []string{"a", "b"}, "a b"},
		{" ", []string{"a b"}, ""},
	} {
		h, err := newHeader(Header{Name: "X-Groups", Path: "groups", Join: c.join})
		require.NoError(t, err)
		text, err := h.value(see(t, values{"groups": c.members}))
		require.Equal(t, c.want, text)
		if c.want == "" {
			require.ErrorIs(t, err, errSeparator)
		}
	}
}

// Nothing that is shared or refers to itself takes long, or much room.
func TestHostileValues(t *testing.T) {
	self := list()
	self.Items = append(self.Items, self)
	bomb := list(str("x"))
	for range 60 {
		bomb = list(bomb, bomb)
	}
	deep := list()
	for range 500 {
		deep = list(deep)
	}
	wide := pyvalue.NewOrderedDict(dict(str("k"), str("v")))
	for i := range 1000 {
		wide.Ops[0].Values = append(wide.Ops[0].Values, pyvalue.NewInt(int64(i)), none{})
	}
	many := list(slices.Repeat([]value{wide}, 1000)...)
	v := see(t, values{"self": self, "bomb": bomb, "deep": deep, "many": many})
	for key := range map[string]bool{"self": true, "bomb": true, "deep": true, "many": true} {
		for _, encode := range []string{"", "utf-8", "percent", "base64", "json"} {
			h, err := newHeader(Header{Name: "A", Path: key, Encode: encode})
			require.NoError(t, err)
			text, err := h.value(v)
			require.Error(t, err, "%s %s", key, encode)
			require.Empty(t, text)
		}
		e, err := compileExpression("session." + key + " == nil")
		require.NoError(t, err)
		require.Equal(t, sessionvalue.ErrTooMuch.Error(), e.refuses(page(), v, time.Time{}))
	}
}

// FuzzHeader: whatever the value, a header has no control byte and nothing that a receiver
// would trim, and what is encoded reads back as the same members.
func FuzzHeader(f *testing.F) {
	f.Add("eve", "staff", byte(0), ",")
	f.Add("a\r\nb: c", "x,admin", byte(1), ", ")
	f.Add("Zo\xeb", "\u0085", byte(2), "|")
	f.Add("\xed\xa0\x80", " ", byte(3), ";")
	f.Add("😀", "\x00", byte(4), "||")
	f.Fuzz(func(t *testing.T, a, b string, encoding byte, join string) {
		encode := []string{"", "utf-8", "percent", "base64", "json"}[encoding%5]
		h, err := newHeader(Header{Name: "Remote-User", Path: "v", Encode: encode, Join: join})
		if err != nil {
			return
		}
		kinds := func(s string) []value {
			all := []value{pyvalue.Py2Str(s), pyvalue.Bytes(s)}
			if pyvalue.ValidText(s) {
				all = append(all, str(s))
			}
			return all
		}
		for _, v := range kinds(a) {
			check := func(v value, members ...string) {
				text, err := h.text(v)
				if err != nil || len(text) > h.limit {
					return
				}
				for _, r := range text {
					require.False(t, r < ' ' || r == 0x7F || r >= 0x80 && r < 0xA0, "%q", text)
				}
				if encode != "utf-8" {
					require.True(t, pyvalue.IsASCII(text), "%q", text)
				}
				require.True(t, utf8.ValidString(text))
				require.Equal(t, strings.TrimSpace(text), text)
				require.Equal(t, members, readBack(t, &h, text, len(members) == 1), "%q", text)
			}
			check(v, a)
			if a == "" || b == "" {
				continue
			}
			for _, w := range kinds(b) {
				check(list(v, w), a, b)
			}
		}
	})
}

// readBack reads a header as an application does.
func readBack(t *testing.T, h *header, text string, one bool) []string {
	t.Helper()
	if h.encode == "json" {
		var members []string
		if one {
			var s string
			require.NoError(t, json.Unmarshal([]byte(text), &s))
			return []string{s}
		}
		require.NoError(t, json.Unmarshal([]byte(text), &members))
		return members
	}
	members := []string{text}
	if !one {
		members = strings.Split(text, h.join)
	}
	for i, member := range members {
		switch h.encode {
		case "percent":
			plain, err := url.PathUnescape(member)
			require.NoError(t, err)
			members[i] = plain
		case "base64":
			plain, err := base64.StdEncoding.DecodeString(member)
			require.NoError(t, err)
			members[i] = string(plain)
		}
	}
	return members
}
