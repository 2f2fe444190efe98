package settings_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// Routes and rules go by what their author called them.
func TestNames(t *testing.T) {
	c := settings.Config{
		Routes:      []settings.Route{{}, {Prefix: "/app", Hosts: []string{"a.example.org", "b.example.org"}}, {Name: "shop", Prefix: "/app"}},
		ForwardAuth: settings.ForwardAuth{Rules: []settings.Rule{{}, {Prefix: "/staff"}}},
	}
	for want, key := range map[string][]string{
		`server.tls_key`:                     {"server", "tls_key"},
		`policy.users.headers`:               {"policy", "users", "headers"},
		`route "/"`:                          {"route", "0"},
		`route "a.example.org/app": retries`: {"route", "1", "retries"},
		`route "shop": tls.ca_file`:          {"route", "2", "tls", "ca_file"},
		`route.3`:                            {"route", "3"},
		`route.x`:                            {"route", "x"},
		`route`:                              {"route"},
		`forward_auth rule "/"`:              {"forward_auth", "rule", "0"},
		`forward_auth rule "/staff": policy`: {"forward_auth", "rule", "1", "policy"},
		`forward_auth.rule.-1`:               {"forward_auth", "rule", "-1"},
	} {
		require.Equal(t, want, c.Name(key...))
	}
}

// The path of a socket is relative to the file that names it, or to the current folder.
func TestRelativeSockets(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Chdir(elsewhere)
	elsewhere, err := os.Getwd()
	require.NoError(t, err)
	path := filepath.Join(dir, "gobeaker.toml")
	require.NoError(t, os.WriteFile(path, []byte(`
listen = "unix:run/gateway.sock"
[[route]]
upstream = "unix:../app.sock"
[[route]]
prefix = "/a"
upstreams = ["unix:a.sock", "unix:/run/a.sock", "unix:///run/b.sock", "http://127.0.0.1:1"]
[forward_auth]
listen = "unix:./auth.sock"
[api]
listen = "127.0.0.1:1"
[admin]
listen = "unix:@abstract"
`), 0o600))
	c, err := settings.Load(path)
	require.NoError(t, err)
	require.Equal(t, "unix:"+dir+"/run/gateway.sock", c.Listen)
	require.Equal(t, "unix:"+filepath.Dir(dir)+"/app.sock", c.Routes[0].Upstream)
	require.Equal(t, []string{"unix:" + dir + "/a.sock", "unix:/run/a.sock", "unix:///run/b.sock", "http://127.0.0.1:1"}, c.Routes[1].Upstreams)
	require.Equal(t, "unix:"+dir+"/auth.sock", c.ForwardAuth.Listen)
	require.Equal(t, "127.0.0.1:1", c.API.Listen)
	require.ErrorContains(t, c.Validate(), `gobeaker.toml:13: admin.listen: bad configuration: "unix:@abstract": give the path of a socket`)

	require.NoError(t, c.Override("admin-listen", "unix:admin.sock", "--admin-listen"))
	require.Equal(t, "unix:"+elsewhere+"/admin.sock", c.Admin.Listen)
	require.NoError(t, c.Override(settings.RouteFlag, "/=unix:app.sock", "--route"))
	require.Equal(t, "unix:"+elsewhere+"/app.sock", c.Routes[0].Upstream)
}

// What is out of range is refused where it stands, whatever floating point makes of it.
func TestRanges(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	weight := func(w float64) func(*settings.Config) {
		return func(c *settings.Config) { c.Routes = []settings.Route{{Upstream: "http://127.0.0.1:1", Weight: &w}} }
	}
	limits := func(change func(*settings.Limits)) func(*settings.Config) {
		return func(c *settings.Config) {
			c.Limits.RefusalsPerMinute = 1
			change(&c.Limits)
		}
	}
	retries := func(n int) func(*settings.Config) {
		return func(c *settings.Config) { c.Routes = []settings.Route{{Upstream: "http://127.0.0.1:1", Retries: n}} }
	}
	for name, c := range map[string]struct {
		change func(*settings.Config)
		want   string // "": it is good
	}{
		"refusals, NaN":      {limits(func(l *settings.Limits) { l.RefusalsPerMinute = nan }), "limits.refusals_per_minute: "},
		"refusals, infinite": {limits(func(l *settings.Limits) { l.RefusalsPerMinute = inf }), "limits.refusals_per_minute: "},
		"refusals, huge":     {limits(func(l *settings.Limits) { l.RefusalsPerMinute = 1e300 }), "limits.refusals_per_minute: "},
		"refusals, negative": {limits(func(l *settings.Limits) { l.RefusalsPerMinute = -1 }), "limits.refusals_per_minute: "},
		"refusals, none":     {limits(func(l *settings.Limits) { l.RefusalsPerMinute, l.RefusalsBurst = 0, 0 }), ""},
		"refusals, tiny":     {limits(func(l *settings.Limits) { l.RefusalsPerMinute = 1e-9 }), ""},
		"burst, huge":        {limits(func(l *settings.Limits) { l.RefusalsBurst = math.MaxInt }), "limits.refusals_burst: "},
		"burst, none":        {limits(func(l *settings.Limits) { l.RefusalsBurst = 0 }), "limits.refusals_burst: "},
		"clients, huge":      {limits(func(l *settings.Limits) { l.RefusalsClients = math.MaxInt }), "limits.refusals_clients: "},
		"connections, huge":  {limits(func(l *settings.Limits) { l.Connections = math.MaxInt }), "limits.connections: "},
		"connections, less":  {limits(func(l *settings.Limits) { l.Connections = -1 }), "limits.connections: "},
		"ratio, NaN":         {func(c *settings.Config) { c.Tracing.Ratio = nan }, "tracing.ratio: "},
		"ratio, more":        {func(c *settings.Config) { c.Tracing.Ratio = 1.5 }, "tracing.ratio: "},
		"weight, NaN":        {weight(nan), `route "/": weight: `},
		"weight, huge":       {weight(1e300), `route "/": weight: `},
		"weight, negative":   {weight(-1), `route "/": weight: `},
		"weight":             {weight(0.5), ""},
		"retries, huge":      {retries(math.MaxInt), `route "/": retries: `},
		"retries, negative":  {retries(-1), `route "/": retries: `},
		"retries":            {retries(3), ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := settings.Default()
			c.change(&config)
			err := config.Validate()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, settings.ErrConfig)
			require.ErrorContains(t, err, "settings: "+c.want+"bad configuration: give a number from ")
		})
	}
}
