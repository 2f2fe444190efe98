package settings_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// Each key says what it does, once, and is in the text for terminals.
func TestEveryKeyIsDescribed(t *testing.T) {
	text := settings.Text()
	seen := map[string]bool{}
	for _, table := range settings.Tables() {
		require.NotEmpty(t, table.Help, table.Name)
		require.False(t, seen[table.Name], table.Name)
		seen[table.Name] = true
		for _, k := range table.Keys {
			at := table.Name + " " + k.Name
			require.NotEmpty(t, k.Help, at)
			require.False(t, seen[at], at)
			seen[at] = true
			require.Contains(t, text, "  "+k.Name, at)
		}
	}
	for _, want := range []string{"[[route]]", "[route.health]", "[route.tls]", "[policy.<name>]", "[policy.<name>.assertion]",
		"[[forward_auth.rule]]", "[session]", "[session.extra]", "[tracing]", "[admin] pprof", "[session] cache_time"} {
		require.True(t, seen[want], want)
	}
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, len([]rune(strings.TrimSpace(line))), 100, line)
	}
}

// Flags and variables are unique, and what a flag's default says is what the setting is.
func TestScalars(t *testing.T) {
	flags := map[string]string{}
	for _, s := range settings.Scalars() {
		require.Empty(t, flags[s.Flag], s.Flag)
		flags[s.Flag] = s.Key
		require.NotEmpty(t, s.Help, s.Key)
		require.Equal(t, "GOBEAKER_"+strings.ToUpper(strings.ReplaceAll(s.Flag, "-", "_")), s.Variable)
		if s.Default == "" {
			continue
		}
		c := settings.Default()
		require.NoError(t, c.Override(s.Flag, s.Default, "--"+s.Flag), s.Flag)
		require.Empty(t, defaultChanges(c), s.Flag)
	}
	require.Equal(t, "admin.listen", flags["admin-listen"])
	require.Equal(t, "server.drain_delay", flags["server-drain-delay"])
	require.Equal(t, "log.access", flags["access-log"])
	for _, secret := range []string{"secret", "token", "session-secret"} {
		require.NotContains(t, flags, secret)
	}
}

func defaultChanges(c settings.Config) []string {
	d := settings.Default()
	return d.Changes(&c)
}

// What is written in a file, given by a variable and by a flag comes to the same.
func TestThreeWays(t *testing.T) {
	for _, c := range []struct{ key, flag, toml, text string }{
		{"admin.listen", "admin-listen", "[admin]\nlisten = \"127.0.0.1:9901\"", "127.0.0.1:9901"},
		{"trusted_proxies", "trusted-proxies", "trusted_proxies = [\"loopback\", \"10.0.0.0/8\"]", "loopback, 10.0.0.0/8"},
		{"server.idle_timeout", "server-idle-timeout", "[server]\nidle_timeout = \"3m\"", "3m"},
		{"limits.memory", "limits-memory", "[limits]\nmemory = \"512MiB\"", "512MiB"},
		{"limits.header_bytes", "limits-header-bytes", "[limits]\nheader_bytes = 8192", "8KiB"},
		{"limits.refusals_per_minute", "limits-refusals-per-minute", "[limits]\nrefusals_per_minute = 2.5", "2.5"},
		{"limits.connections", "limits-connections", "[limits]\nconnections = 100", "100"},
		{"api.socket_mode", "api-socket-mode", "[api]\nsocket_mode = \"0640\"", "0640"},
		{"admin.pprof", "admin-pprof", "[admin]\npprof = true", "true"},
		{"tracing.ratio", "tracing-ratio", "[tracing]\nratio = 0.5", "0.5"},
	} {
		t.Run(c.key, func(t *testing.T) {
			file := load(t, c.toml)
			variable, flag := settings.Default(), settings.Default()
			name := "GOBEAKER_" + strings.ToUpper(strings.ReplaceAll(c.flag, "-", "_"))
			require.NoError(t, variable.Environment(func(k string) string { return map[string]string{name: c.text}[k] }))
			require.NoError(t, flag.Override(c.flag, c.text, "--"+c.flag))
			require.Equal(t, []string{c.key}, defaultChanges(file))
			require.Empty(t, file.Changes(&variable))
			require.Empty(t, file.Changes(&flag))
			require.NoError(t, file.Override(c.flag, c.text, "--"+c.flag))
		})
	}
}

func load(t *testing.T, text string) settings.Config {
	t.Helper()
	path := t.TempDir() + "/gobeaker.toml"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	c, err := settings.Load(path)
	require.NoError(t, err)
	return c
}

// The whole file of the reference can be decoded: every key that is described is one, with
// a value of its kind.
func TestEverythingDecodes(t *testing.T) {
	c := load(t, everything)
	require.NoError(t, c.Validate())
	missing := []string{}
	unset(reflect.ValueOf(c), "", &missing)
	require.Equal(t, []string{"api.open"}, missing, "everything has every key but this, which goes with no token")
}

// unset names the fields that have no value.
func unset(v reflect.Value, prefix string, out *[]string) {
	for field, x := range v.Fields() {
		key := field.Tag.Get("toml")
		if field.Type.Kind() == reflect.Pointer && !x.IsNil() {
			x = x.Elem()
		}
		switch {
		case field.Anonymous:
			unset(x, prefix, out)
		case key == "" || key == "session":
		case x.IsZero():
			*out = append(*out, prefix+key)
		case x.Kind() == reflect.Struct:
			unset(x, prefix+key+".", out)
		}
	}
}

const everything = `
listen = "127.0.0.1:8080"
trusted_proxies = ["loopback"]

[[route]]
name = "new"
hosts = ["app.example.org", "*.example.org"]
prefix = "/new"
methods = ["GET"]
match_headers = { X-Beta = "1" }
weight = 0.5
sticky = "user_id"
upstream = "https://127.0.0.1:9000"
strip_prefix = true
hide_cookies = ["a"]
hide_session_cookie = true
touch = false
retries = 1
response_timeout = "5s"
require = ["user_id"]
groups = "groups"
any_group = ["staff"]
allow = 'session.role == "editor"'
login = "https://login.example.org/?came_from={url}"
login_hosts = ["app.example.org"]
audience = "new"
headers = { Remote-User = "user_id", X-Groups = { path = "user.groups", join = ",", encode = "percent", default = "none" } }
[route.health]
path = "/ping"
interval = "5s"
timeout = "1s"
host = "app"
[route.tls]
ca_file = "ca.pem"
certificate_file = "c.pem"
key_file = "k.pem"
server_name = "app"
insecure = true
[route.assertion]
audience = "a"
header = "X-A"
lifetime = "1m"
subject = "user_id"
claims = { email = "user.email" }

[[route]]
upstreams = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
policy = "users"

[policy.users]
require = ["user_id"]

[assertion]
issuer = "https://example.org"
key_files = ["key.pem"]

[forward_auth]
listen = "127.0.0.1:9902"
socket_mode = "0666"
policy = "users"
userinfo = "users"
trusted_proxies = ["loopback"]
touch = true
[[forward_auth.rule]]
hosts = ["a"]
prefix = "/a"
methods = ["GET"]
policy = "users"
[[forward_auth.rule]]
require = ["user_id"]

[api]
hosts = ["api.internal"]
listen = "127.0.0.1:9903"
socket_mode = "0600"
allow_remote = true
token_files = ["token"]
token_env = "TOKEN"
open = false
max_body = "1MiB"

[admin]
listen = "127.0.0.1:9901"
socket_mode = "0600"
allow_remote = true
hosts = ["admin"]
token_files = ["token"]
token_env = "TOKEN"
inspector = true
inspector_mask = ["*secret*"]
read_only = true
pprof = true

[server]
read_header_timeout = "1s"
read_timeout = "1s"
stall_timeout = "30s"
write_timeout = "1s"
idle_timeout = "1s"
drain_delay = "1s"
drain_timeout = "1s"
dial_timeout = "1s"
response_timeout = "1s"
tls_certificate = "c.pem"
tls_key = "k.pem"
h2c = true
socket_mode = "0600"
pid_file = "pid"

[limits]
connections = 1
header_bytes = 8192
memory = "1GiB"
refusals_per_minute = 1.0
refusals_burst = 1
refusals_clients = 1

[log]
format = "json"
level = "warn"
access = true
user_agent = true

[tracing]
endpoint = "http://127.0.0.1:4318"
ratio = 0.5
service = "a"

[session]
ini = "a.ini"
`
