package doctor

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/iniconf"
)

func TestText(t *testing.T) {
	f := healthy(t)
	out := NewOutcome(f.Subject, Run(f.Subject, Checks()), len(Checks()))
	require.Equal(t, `/etc/app.ini#main: type file, peer beaker-1.13/python3/pycrypto
    file in /srv/app/sessions/container_file: 40 of 40 sessions were read
    /srv/app/env/bin/python: Python 3.11.2, Beaker 1.13.0, AES by pycrypto, a session went both
    ways
/etc/gobeaker.toml: type file, peer beaker-1.13/python3/pycrypto

0 errors, 0 warnings, 0 info, of 127 checks
`, strings.ReplaceAll(out.Text(false), number(len(Checks()), "check"), "127 checks"))

	f.on(f.gob(), "secret", strongValidate)
	f.set("secure", false)
	f.set("auto", true)
	f.py().Sample.Complete = false
	out = NewOutcome(f.Subject, Run(f.Subject, Checks()), len(Checks()))
	text := out.Text(false)
	for _, want := range []string{
		"40 of more than 40 sessions were read\n",
		"\nERRORS\n\n  sides-secret  The secrets are different\n    at /etc/app.ini:1, /etc/gobeaker.toml:6\n    Each takes",
		"\nWARNINGS\n\n  cookie-not-secure  ", "\n    To do: Set secure = true", "\nINFO\n\n  auto-save  ", "\n1 error, 1 warning, 1 info, of ",
	} {
		require.Contains(t, text, want)
	}
	for _, line := range strings.Split(text, "\n") {
		require.LessOrEqual(t, len(line), lineWidth)
	}
	brief := out.Text(true)
	require.Equal(t, 4, strings.Count(brief, "\n"))
	require.Contains(t, brief, "warning  cookie-not-secure  The cookie is sent over plain HTTP, too  (/etc/app.ini:6, /etc/gobeaker.toml:6)\n")

	data, err := json.Marshal(out)
	require.NoError(t, err)
	require.Contains(t, string(data), `"summary":{"checks":`)
	require.Contains(t, string(data), `"code":"sides-secret","severity":"error"`)
}

// TestAlike: what is the same of several findings is told once.
func TestAlike(t *testing.T) {
	f := healthy(t)
	f.on(f.py(), "timeout", int64(90*86400))
	f.on(f.gob(), "timeout", int64(80*86400))
	checks, err := Select([]string{"timeout-long"}, nil)
	require.NoError(t, err)
	out := NewOutcome(f.Subject, Run(f.Subject, checks), 1)
	text := out.Text(false)
	require.Len(t, out.Findings, 2)
	require.Equal(t, 1, strings.Count(text, "timeout-long"))
	require.Equal(t, 1, strings.Count(text, "To do:"))
	require.Contains(t, text, "timeout is 90 days.\n    at /etc/gobeaker.toml:6\n    timeout is 80 days.\n    That is a long time")
}

// TestPeerOfGo: a Go program with auto writes for nobody in particular.
func TestPeerOfGo(t *testing.T) {
	f := healthy(t)
	f.peer("auto")
	f.gob().Python = f.py().Python
	out := NewOutcome(f.Subject, nil, 1)
	require.Equal(t, "beaker-1.13/python3/pycrypto", out.LookedAt[0].Peer)
	require.Equal(t, "auto (the Python that was asked is beaker-1.13/python3/pycrypto)", out.LookedAt[1].Peer)
}

func TestTextOfRefused(t *testing.T) {
	f := healthy(t)
	f.alone()
	f.py().Refused = &iniconf.Error{Position: iniconf.Position{File: "/etc/app.ini", Line: 3, Column: 9}, Kind: iniconf.KindOption, Msg: "Session timeout must be an integer."}
	f.py().Effective, f.py().Facts = nil, facts.Facts{}
	out := NewOutcome(f.Subject, Run(f.Subject, Checks()), 1)
	require.Contains(t, out.Text(false), "/etc/app.ini#main: refused\n")
	require.Contains(t, out.Text(false), "at /etc/app.ini:3\n")
	require.Equal(t, 1, out.Summary.Errors)
	data, err := json.Marshal(NewOutcome(Subject{}, nil, 0))
	require.NoError(t, err)
	require.Contains(t, string(data), `"findings":[]`)
}

func TestList(t *testing.T) {
	text := List(Checks())
	require.Equal(t, len(Checks()), strings.Count(text, "\n"))
	require.Contains(t, text, "secret-missing               error    There is no secret")
	require.Len(t, Listing(Checks()), len(Checks()))
}
