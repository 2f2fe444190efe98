package doctor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/iniconf"
)

// TestServerOf: two spellings of one place are the same, and no password is in it.
func TestServerOf(t *testing.T) {
	for _, test := range []struct{ a, b string }{
		{"redis://h", "redis://u:pw@h:6379/0"},
		{"redis://h/3", "redis://:pw@h:6379?db=3"},
		{"unix:///run/redis.sock", "unix:///run/redis.sock?db=0"},
		{"postgresql+psycopg2://a:b@h/d", "postgres://c:d/@e@h:5432/d?sslmode=require"},
		{"mysql+pymysql://h/d", "mysql://h:3306/d/"},
		{"redis://b, redis://a:6379", "redis://a,redis://b"},
		{"sqlite:////srv/s.db", "sqlite:////srv/s.db"},
		{"plain", "plain"},
	} {
		require.Equal(t, withoutUser(test.a), withoutUser(test.b), "%s and %s", test.a, test.b)
		require.NotContains(t, withoutUser(test.b), "pw")
	}
	for _, test := range []struct{ a, b string }{
		{"redis://h/1", "redis://h/2"}, {"redis://h:1", "redis://h:2"}, {"mysql://h/a", "mysql://h/b"}, {"redis://a", "redis://b"},
		{"unix:///run/redis.sock?db=1", "unix:///run/redis.sock"},
	} {
		require.NotEqual(t, withoutUser(test.a), withoutUser(test.b))
	}
}

func TestDirectory(t *testing.T) {
	f := healthy(t)
	require.Equal(t, "/srv/app/sessions/container_file", f.py().directory())
	f.set("type", "dbm")
	require.Equal(t, "/srv/app/sessions/container_dbm", f.py().directory())
	f.set("dbm_dir", "/srv/dbm")
	require.Equal(t, "/srv/dbm", f.py().directory())
	f.set("type", "file")
	f.set("file_dir", "/srv/files")
	require.Equal(t, "/srv/files", f.py().directory())
	require.Equal(t, "file /srv/files", f.py().place())
	require.Equal(t, "/srv/app/sessions/container_file_lock", locksOf(f.py()))
}

func TestStoresOfSides(t *testing.T) {
	f := healthy(t)
	require.True(t, f.py().HasStore())
	require.True(t, f.py().SameStore(f.gob()))
	f.on(f.gob(), "old_secrets", []string{strongValidate})
	require.False(t, f.py().SameStore(f.gob()), "another key may open more")
	shared := facts.Facts{Tree: &facts.Tree{Files: []facts.Place{{Path: "/etc/gobeaker.toml"}}}}.SharedWith(f.py().Facts)
	require.Same(t, f.py().Sample, shared.Sample)
	require.Same(t, f.py().Clocks, shared.Clocks)
	require.Equal(t, []facts.Place{{Path: "/etc/gobeaker.toml"}}, shared.Tree.Files)
	require.Equal(t, f.py().Tree.Dirs, shared.Tree.Dirs)
	require.Nil(t, facts.Facts{}.SharedWith(facts.Facts{}).Tree)
	for _, kind := range []string{"cookie", "memory", "nothing"} {
		f.set("type", kind)
		require.False(t, f.py().HasStore(), kind)
	}
}

func TestStrength(t *testing.T) {
	for _, test := range []struct {
		key         string
		least, most float64
		why         string
	}{
		{"", 0, 0, ""},
		{"12345678901", 0, 15, "follow from the one before"},
		{"90210472", 20, 27, "digits alone"},
		{"deadbeefcafe0123", 40, 64, "hexadecimal"},
		{"qzxkvwpfjhtnbd", 50, 66, "of one case"},
		{"qzxkVWpfjhtNBD", 55, 80, "14 characters, letters"},
		{"QZ7KVW1FJHTN8D", 55, 73, "letters of one case and digits"},
		{"kD8sP2mQx9Wb4Lz7Rt3Y", 85, 120, "letters and digits"},
		{"kD8sP2mQx9Wb4Lz7", 90, 96, "letters and digits"},
		{"kkDDkkDkDkDDDkkDkkDDkD", 0, 40, "only 2 of them different"},
		{"our little secret", 0, 34, "look like words"},
		{"abababababababababab", 0, 40, ""},
		{"0123456789abcdefghijklmnopqrstuvwxyz", 0, 30, "follow"},
	} {
		bits, why := strength(test.key)
		require.GreaterOrEqual(t, bits, test.least, test.key)
		require.LessOrEqual(t, bits, test.most, test.key)
		require.Contains(t, why, test.why, test.key)
		require.False(t, len(test.key) > 8 && strings.Contains(why, test.key))
	}
	for _, k := range []string{"somesecret", "Some-Secret!", "CHANGE_ME", "${app_instance_secret}", "{{ secret }}", "[your key]", "%(key)s", "#{key}"} {
		require.True(t, isKnown(k), k)
	}
	require.False(t, isKnown(strongSecret))
}

// TestWarningsElsewhere: what the loader says of an option that has a check of its own is
// told once.
func TestWarningsElsewhere(t *testing.T) {
	for _, test := range []struct {
		w      iniconf.Warning
		change func(f *patient)
		want   bool
	}{
		{iniconf.Warning{Option: "secret", Code: iniconf.CodeNoSecret}, nil, true},
		{iniconf.Warning{Option: "secret", Code: iniconf.CodeTwice}, nil, false},
		{iniconf.Warning{Option: "validate_key", Code: iniconf.CodeNoneIsText}, func(f *patient) { f.set("validate_key", "None") }, true},
		{iniconf.Warning{Option: "encrypt_key", Code: iniconf.CodeNoneIsText}, nil, false},
		{iniconf.Warning{Option: "url", Code: iniconf.CodeNoneIsText}, nil, true},
		{iniconf.Warning{Option: "data_dir", Code: iniconf.CodeRelativePath}, nil, true},
		{iniconf.Warning{Option: "data_dir", Code: iniconf.CodeInMemory}, nil, true},
		{iniconf.Warning{Option: "data_dir", Code: iniconf.CodeNoCacheDir}, nil, false},
		{iniconf.Warning{Option: "use_cookies", Code: iniconf.CodeNotCoerced}, nil, true},
		{iniconf.Warning{Option: "cookie_expires", Code: iniconf.CodeExpiresWord}, nil, false},
		{iniconf.Warning{Option: "session_class", Code: iniconf.CodeKeywordText}, nil, true},
		{iniconf.Warning{Option: "data_serializer", Code: iniconf.CodeSerializerGuessed}, nil, true},
		{iniconf.Warning{Code: iniconf.CodeFrameworkGuessed}, nil, false},
	} {
		f := healthy(t)
		if test.change != nil {
			test.change(f)
		}
		require.Equal(t, test.want, f.py().saidElsewhere(test.w), "%+v", test.w)
	}
}

func TestManyNames(t *testing.T) {
	require.Equal(t, "1, 2, 3, 4, 5, 6, 7, 8 and 2 more", someOf(strings.Split("1 2 3 4 5 6 7 8 9 10", " ")))
	require.Equal(t, []string{"b", "a", "c"}, byCount(facts.Tally{"a": {Sessions: 1}, "b": {Sessions: 2}, "c": {Sessions: 1}}))
	require.Len(t, []rune(clip(strings.Repeat("é", 50))), 41)
}
