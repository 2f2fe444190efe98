package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// A check finds what New would, and connects to nobody.
func TestCheck(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if conn, err := l.Accept(); err == nil {
			conn.Close()
			asked <- struct{}{}
		}
	}()
	at := l.Addr().String()
	toml := "listen = \"" + at + "\"\n[[route]]\nupstream = \"http://" + at + "\"\nrequire = [\"user_id\"]\n[route.health]\npath = \"/\"\n" +
		"[session]\ntype = \"ext:redis\"\nurl = \"redis://" + at + "\"\nsecret = \"s\"\n[tracing]\nendpoint = \"http://" + at + "\"\n[admin]\nlisten = \"127.0.0.1:1\"\ninspector = true\n"
	env := server.Environment{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}
	c := write(t, toml, nil)
	text, err := server.Check(t.Context(), c, env)
	require.NoError(t, err)
	require.Equal(t, c.File()+" is good: 1 route of "+c.File(), text)
	require.NoError(t, l.Close())
	_, more := <-asked
	require.False(t, more, "somebody was asked")

	c.Log.Level, c.Tracing.Ratio = "loud", 2
	_, err = server.Check(t.Context(), c, env)
	require.ErrorIs(t, err, settings.ErrConfig)
	require.ErrorContains(t, err, "loud")
	require.ErrorContains(t, err, "tracing.ratio", "one mistake does not hide another")
}

func TestCheckTracing(t *testing.T) {
	env := server.Environment{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}
	_, err := server.Check(t.Context(), write(t, "[tracing]\nendpoint = \"not a url\"\n[session]\ntype = \"memory\"\n", nil), env)
	require.ErrorIs(t, err, settings.ErrConfig)
	require.ErrorContains(t, err, "give the URL of a collector")
}

// Who can begin sessions for an unknown Beaker is told what that may do.
func TestWarnsOfUnknownPeer(t *testing.T) {
	const toml = "[session]\ntype = \"file\"\ndata_dir = \"data\"\nsecret = \"s\"\n%s[api]\nlisten = \"unix:/tmp/x.sock\"\nopen = true\n"
	for peer, want := range map[string]bool{"": true, "peer = \"beaker-1.11/python2\"\n": false} {
		var log bytes.Buffer
		env := server.Environment{Stdout: io.Discard, Stderr: &log, Getenv: func(string) string { return "" }}
		_, err := server.Check(t.Context(), write(t, fmt.Sprintf(toml, peer), nil), env)
		require.NoError(t, err)
		require.Equal(t, want, strings.Contains(log.String(), "say peer in [session]"), peer)
	}
}

// Tokens that can be guessed are refused before anything listens.
func TestShortTokens(t *testing.T) {
	env := server.Environment{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}
	for _, table := range []string{"admin", "api"} {
		toml := "[session]\ntype = \"memory\"\nsecret = \"s\"\n[" + table + "]\nlisten = \"127.0.0.1:1\"\ntoken_files = [\"token\"]\n"
		_, err := server.Check(t.Context(), write(t, toml, map[string]string{"token": "only-nineteen-chars\n"}), env)
		require.ErrorIs(t, err, settings.ErrConfig, table)
		require.NotContains(t, err.Error(), "only-nineteen")
		_, err = server.Check(t.Context(), write(t, toml, map[string]string{"token": "twenty-characters-it\n"}), env)
		require.NoError(t, err, table)
	}
}

// Where everybody can ask, it is said who may.
func TestBuiltinForwardAuthNeedsProxies(t *testing.T) {
	env := server.Environment{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}
	const toml = "[[route]]\nupstream = \"builtin:forward-auth\"\n[session]\ntype = \"memory\"\nsecret = \"s\"\n[forward_auth]\n"
	_, err := server.Check(t.Context(), write(t, toml, nil), env)
	require.ErrorIs(t, err, settings.ErrConfig)
	require.ErrorContains(t, err, "trusted_proxies")
	_, err = server.Check(t.Context(), write(t, toml+"trusted_proxies = [\"loopback\"]\n", nil), env)
	require.NoError(t, err)
}
