package iniconf

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
)

func TestOriginString(t *testing.T) {
	at := Position{"a.ini", 12, 3}
	for want, o := range map[string]Origin{
		"default":                              {},
		"a.ini:12":                             {Kind: FromIni, Position: at, Written: "session.key"},
		"the rule":                             {Kind: FromTOML, Position: Position{File: "the rule"}},
		"--secret":                             {Kind: FromFlag, Written: "--secret"},
		"/run/key":                             {Kind: FromFile, Position: Position{File: "/run/key"}},
		"(a rule)":                             {Kind: FromFramework, Because: "a rule"},
		"a.ini:12 (cache_dir, as Pylons does)": {Kind: FromFramework, Position: at, Because: "cache_dir, as Pylons does"},
		"environment SECRET":                   {Kind: FromEnvironment, Written: "SECRET"},
	} {
		require.Equal(t, want, o.String())
	}
	var names []string
	for k := FromDefault; k <= FromFlag; k++ {
		names = append(names, k.String())
	}
	require.Equal(t, []string{"default", "ini", "framework", "toml", "file", "environment", "flag"}, names)
}

func TestEffectiveSet(t *testing.T) {
	e := effective(t, "session.key = a\nsession.timeout = 9\nsession.type = ext:database\nsession.table_name = t\nsession.unheard = x", LoadOptions{})
	require.Contains(t, notesOn(e, "secret"), "there is no secret")
	require.Contains(t, notesOn(e, "unheard"), "no such option")
	shared := e.Options.Extra

	flag := Origin{Kind: FromFlag, Written: "--x"}
	require.NoError(t, e.Set("secret", "s", flag))
	require.NoError(t, e.Set("timeout", int64(60), flag))
	require.NoError(t, e.Set("table_name", "sessions", flag))
	require.NoError(t, e.Set("unheard", "y", flag))
	require.Equal(t, "s", e.Options.Secret)
	require.Equal(t, time.Minute, e.Options.Timeout)
	require.Equal(t, map[string]string{"table_name": "sessions", "unheard": "y"}, e.Options.Extra)
	require.Equal(t, "t", shared["table_name"], "a map that somebody else may hold is left alone")
	require.Empty(t, notesOn(e, "secret")+notesOn(e, "unheard"), "the warnings were about what is replaced")
	require.Equal(t, flag, e.Origins["secret"])

	require.EqualError(t, e.Set("secret", 7, flag), "secret: give a text in quotes")
	require.EqualError(t, e.Set("table_name", true, flag), "table_name: give a text in quotes")
	require.NoError(t, NewEffective().Set("table_name", "t", flag))
}

func TestEffectiveList(t *testing.T) {
	e := effective(t, "cache_dir = /c\nsession.timeout = 60\nsession.sa.pool = 3\nsession.my_password = p\nsession.url = u", LoadOptions{})
	byName := map[string]Option{}
	var last string
	for _, o := range e.List() {
		byName[o.Name] = o
		last = o.Name
	}
	require.Len(t, byName, len(optionInfos)+2)
	require.Equal(t, "sa.pool", last, "those of the back end come last, by name")
	require.Equal(t, int64(60), byName["timeout"].Value)
	require.Equal(t, "/c/sessions", byName["data_dir"].Value)
	require.Equal(t, FromFramework, byName["data_dir"].Origin.Kind)
	require.Nil(t, byName["secret"].Value)
	require.Contains(t, byName["secret"].Notes[0], "there is no secret")
	require.Equal(t, FromDefault, byName["secret"].Origin.Kind)
	require.True(t, byName["my_password"].Secret)
	require.Equal(t, "p", byName["my_password"].Value)
	require.False(t, byName["sa.pool"].Secret)

	require.Equal(t, compat.Defaults(), NewEffective().Options)
	require.Empty(t, NewEffective().Origins)
}
