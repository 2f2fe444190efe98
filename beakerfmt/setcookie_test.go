package beakerfmt

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSetCookie(t *testing.T) {
	all := SetCookie{
		Name: "beaker.session.id", Value: exampleSigned, Domain: ".example.com", Path: "/app",
		Expires: "Tue, 14-Nov-2023 22:18:20 GMT", HTTPOnly: true, Secure: true, SameSite: "Lax",
	}
	for _, c := range []struct {
		name             string
		cookie           SetCookie
		python2, python3 string
	}{
		{
			"all attributes", all,
			" beaker.session.id=" + exampleSigned + "; Domain=.example.com; expires=Tue, 14-Nov-2023 22:18:20 GMT; httponly; Path=/app; SameSite=Lax; secure",
			" beaker.session.id=" + exampleSigned + "; Domain=.example.com; expires=Tue, 14-Nov-2023 22:18:20 GMT; HttpOnly; Path=/app; SameSite=Lax; Secure",
		},
		{
			"none", SetCookie{Name: "sid", Value: "x"},
			" sid=x", " sid=x",
		},
		{
			"base64 is sent as it is", SetCookie{Name: "sid", Value: "a+b/c==", Path: "/"},
			" sid=a+b/c==; Path=/", " sid=a+b/c==; Path=/",
		},
		{
			"a signed value is sent as it is", SetCookie{Name: "sid", Value: "0user@host, 1"},
			" sid=0user@host, 1", " sid=0user@host, 1",
		},
		{
			"a bare id", SetCookie{Name: "sid", Value: exampleID, Unsigned: true},
			" sid=" + exampleID, " sid=" + exampleID,
		},
		{
			"a bare id that wants quoting", SetCookie{Name: "sid", Value: "a/b=c @{}", Unsigned: true},
			` sid="a/b=c @{}"`, ` sid="a/b=c @{}"`,
		},
		{
			"an empty id", SetCookie{Name: "sid", Unsigned: true},
			` sid=`, ` sid=""`,
		},
		{
			"a colon", SetCookie{Name: "sid", Value: "a:b", Unsigned: true},
			` sid="a:b"`, ` sid=a:b`,
		},
		{
			"escapes", SetCookie{Name: "sid", Value: "a\"\\,;\r\n\x00\x7f\xe9", Unsigned: true},
			` sid="a\"\\\054\073\015\012\000\177\351"`, ` sid="a\"\\\054\073\015\012\000\177\351"`,
		},
		{
			"nothing is smuggled in by a signed value", SetCookie{Name: "sid", Value: "x; Domain=evil\r\nY: z"},
			` sid="x\073 Domain=evil\015\012Y: z"`, ` sid="x\073 Domain=evil\015\012Y: z"`,
		},
		{
			"bytes beyond ASCII", SetCookie{Name: "sid", Value: "é"},
			` sid="\303\251"`, ` sid="\303\251"`,
		},
		{
			"nor by attributes", SetCookie{Name: "sid", Value: "x", Domain: "a;b", Path: "/\r\nX: y", SameSite: "\x00", Expires: "\n", Secure: true},
			" sid=x; secure", " sid=x; Secure",
		},
		{"nor by the name", SetCookie{Name: "a b", Value: "x"}, "", ""},
		{"a reserved name", SetCookie{Name: "Path", Value: "x"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, ">"+c.python2, string(c.cookie.Append([]byte(">"), Python2)))
			require.Equal(t, ">"+c.python3, string(c.cookie.Append([]byte(">"), Python3)))
		})
	}
}

func FuzzSetCookie(f *testing.F) {
	f.Add("sid", "a\"\\,;\r\n", "/", true)
	f.Fuzz(func(t *testing.T, name, value, path string, unsigned bool) {
		for _, d := range []Dialect{Python2, Python3} {
			line := string(SetCookie{Name: name, Value: value, Path: path, Unsigned: unsigned}.Append(nil, d))
			if line == "" {
				require.False(t, ValidCookieName(name))
				continue
			}
			require.False(t, strings.ContainsAny(line, "\r\n\x00"))
			require.LessOrEqual(t, strings.Count(line, ";"), 1)
			if d == Python2 && strings.Contains(name, ":") || !unsigned {
				continue
			}
			coded, ok := CookieWalk{Dialect: d}.Find(line, name)
			if strings.Contains(path, `"`) || !ok { // such a path may end the walk in an error
				continue
			}
			require.Equal(t, value, Unquote(coded))
		}
	})
}

func TestFormatExpires(t *testing.T) {
	at := time.Unix(1700000300, 250_000_000)
	require.Equal(t, "Tue, 14-Nov-2023 22:18:20 GMT", FormatExpires(at))
	require.Equal(t, "Tue, 14-Nov-2023 22:18:20 GMT", FormatExpires(at.In(time.FixedZone("far", -9*3600))))
	require.Equal(t, "Tue, 19-Jan-2038 03:14:07 GMT", FormatExpires(time.Unix(0x7fffffff, 0)))
	require.Equal(t, "Wed, 02-Jan-2030 03:04:05 GMT", FormatExpires(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)))
}
