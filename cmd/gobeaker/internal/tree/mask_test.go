package tree_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
)

func TestSecret(t *testing.T) {
	for _, key := range []string{
		"password", "Password", "user_passwd", "PASSWORD_HASH", "pwd", "secret", "clientSecret", "token", "oauth/token", "a/b/refresh-token",
		"_csrft_", "csrf_token", "_authentication_token", "api_key", "apiKey", "API-KEY", "api key", "x.api.key.y", "Authorization", "auth_tkt",
		"private-key", "credit_card", "cookie", "session id", "\xffpassword\x00",
		"jwt", "Bearer", "otp", "totp", "PIN", "pw", "ssn", "creds", "signature", "aws_access_key_id", "encryptKey", "pass\u200bword",
	} {
		require.True(t, tree.Secret(key), key)
	}
	for _, key := range []string{"", "user", "pass", "key", "name", "_accessed_time", "_creation_time", "_path", "cart", "pwd_changed", "pinned", "sort_key", "spinner"} {
		require.False(t, tree.Secret(key), key)
	}
}

func TestMask(t *testing.T) {
	hide, err := tree.Mask([]string{"e-mail", "card[0-9]", "a*b", "*", ""})
	require.NoError(t, err)
	require.True(t, hide("anything/at all"))
	hide, err = tree.Mask([]string{"e-mail", "card[0-9]", "a*b", "?x"})
	require.NoError(t, err)
	for key, want := range map[string]bool{"EMail": true, "e_mail": true, "emails": false, "card7": true, "cardx": false, "a/b": true, "axb": true, "ax": true, "x": false} {
		require.Equal(t, want, hide(key), key)
	}
	hide, err = tree.Mask(nil)
	require.NoError(t, err)
	require.False(t, hide("password"))
	_, err = tree.Mask([]string{"x", "[a"})
	require.EqualError(t, err, `tree: mask: pattern "[a": syntax error in pattern`)
}

// What is under such a key is hidden wherever Python may have put it.
func TestHideEverywhere(t *testing.T) {
	const hidden = "hunter2"
	decode := func(s string) pyvalue.Value {
		v, err := pickle.Decode([]byte(s), pickle.Limits{})
		require.NoError(t, err)
		return v
	}
	secret := pyvalue.NewList(pyvalue.Str(hidden))
	entry := func(k, v pyvalue.Value) *pyvalue.Dict { return pyvalue.NewDict(pyvalue.Entry{Key: k, Value: v}) }
	for name, v := range map[string]pyvalue.Value{
		"bytes key":            entry(pyvalue.Bytes("password\xff"), secret),
		"py2 key":              entry(pyvalue.Py2Str("passwort und password\xe4"), secret),
		"tuple key":            entry(pyvalue.NewTuple(pyvalue.Str("user"), pyvalue.Str("password")), secret),
		"long key":             entry(pyvalue.Str(strings.Repeat("x", 5000)+"password"), secret),
		"state of an object":   decode("capp\nThing\n(I1\ntR(dS'_password'\nS'hunter2'\nsb."),
		"object of Python 2":   decode("ccopy_reg\n_reconstructor\n(capp\nUser\nc__builtin__\ndict\n(dS'password'\nS'hunter2'\nstR."),
		"slots":                decode("capp\nThing\n(tR(N(dS'password'\nS'hunter2'\nstb."),
		"entries of a subdict": decode("ccollections\nOrderedDict\n(tRS'password'\nS'hunter2'\ns."),
		"pair":                 pyvalue.NewList(pyvalue.NewTuple(pyvalue.Str("password"), secret)),
		"pair in a list":       pyvalue.NewList(pyvalue.NewList(pyvalue.Bytes("password"), secret)),
		"deep":                 pyvalue.NewList(pyvalue.NewTuple(pyvalue.Str("x"), entry(pyvalue.Str("x"), entry(pyvalue.Str("password"), secret)), pyvalue.None{})),
	} {
		t.Run(name, func(t *testing.T) {
			out := text(v, tree.Options{Hide: tree.Secret})
			require.NotContains(t, out, hidden)
			require.Equal(t, 1, strings.Count(out, "(hidden)"), out)
			require.Contains(t, text(v, tree.Options{}), hidden)
			require.False(t, tree.Find(v, tree.Options{Hide: tree.Secret}, func(l tree.Leaf) bool { return strings.Contains(l.Text, hidden) }))
		})
	}
}

func TestFind(t *testing.T) {
	loop := pyvalue.NewDict()
	loop.SetStr("self", loop)
	loop.SetStr("n", pyvalue.NewInt(42))
	loop.SetStr("list", pyvalue.NewList(pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("in"), Value: pyvalue.Bytes("\xff\x00")})))
	loop.SetStr("token", pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("under"), Value: pyvalue.Str("x")}))
	var leaves []tree.Leaf
	require.False(t, tree.Find(loop, tree.Options{Hide: tree.Secret}, func(l tree.Leaf) bool {
		leaves = append(leaves, l)
		return false
	}))
	require.Equal(t, []tree.Leaf{
		{Key: "self", Parts: true}, {Key: "n", Text: "42"}, {Key: "list", Parts: true}, {Key: "in", Text: "\xff\x00"}, {Key: "token", Parts: true, Hidden: true},
	}, leaves)
	require.True(t, tree.Find(loop, tree.Options{}, func(l tree.Leaf) bool { return l.Key == "under" }))
	require.False(t, tree.Find(loop, tree.Options{MaxNodes: 2}, func(l tree.Leaf) bool { return l.Key == "list" }))
	require.False(t, tree.Find(loop, tree.Options{MaxDepth: 1}, func(l tree.Leaf) bool { return l.Key == "in" }))
	require.False(t, tree.Find(pyvalue.None{}, tree.Options{}, func(tree.Leaf) bool { return true }))
}
