package forwarded_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

func TestReadHost(t *testing.T) {
	label := strings.Repeat("a", 63)
	for in, want := range map[string]forwarded.Host{
		"app.example.org":         {Name: "app.example.org"},
		"App.Example.ORG.:8080":   {Name: "app.example.org", Port: "8080"},
		"a_b-c.example":           {Name: "a_b-c.example"},
		"localhost:":              {Name: "localhost"},
		"192.0.2.1:65535":         {Name: "192.0.2.1", Port: "65535"},
		"[2001:DB8:0:0::1]:443":   {Name: "[2001:db8::1]", Port: "443"},
		"[::1]":                   {Name: "[::1]"},
		"[::ffff:192.0.2.1]:1":    {Name: "[::ffff:192.0.2.1]", Port: "1"},
		label + "." + label:       {Name: label + "." + label},
		"xn--caf-dma.example.org": {Name: "xn--caf-dma.example.org"},
	} {
		got, err := forwarded.ReadHost(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, bad := range []string{
		"", ".", ":80", "a..b", ".a", "a..", "a:0", "a:080", "a:65536", "a:99999", "a:1:2", "a:+1", "a:x", "a b", "a/b", "a@b", "a,b", "a\x00", "a%2eb", "caf\u00e9", "*.a", `a\b`,
		"::1", "[::1", "[::1]x", "[::1]x:80", "[::1%25eth0]", "[::1%eth0]", "[192.0.2.1]", "[]", "[", "]", "a]:80", "[a]", "[[::1]]", label + "a", strings.Repeat("a.", 127) + "a",
	} {
		_, err := forwarded.ReadHost(bad)
		require.ErrorIs(t, err, forwarded.ErrHost, bad)
	}
	require.Zero(t, testing.AllocsPerRun(10, func() {
		forwarded.ReadHost("app.example.org:8080")
		forwarded.ReadHost("[2001:db8::1]:443")
	}))
}

func FuzzReadHost(f *testing.F) {
	for _, s := range []string{"app.example.org", "A.:80", "[::1]:1", "192.0.2.1", "a:", "[::ffff:1.2.3.4]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := forwarded.ReadHost(s)
		if err != nil {
			return
		}
		again, err := forwarded.ReadHost(h.String())
		require.NoError(t, err)
		require.Equal(t, h, again)
		require.Equal(t, h.Name, strings.ToLower(h.Name))
		require.NotContains(t, h.String(), "..")
		require.NotRegexp(t, `[^a-z0-9.:_\[\]-]`, h.String())
	})
}

func TestOwnName(t *testing.T) {
	names := []string{"Admin.internal", "gate.example.org:9901", "[2001:db8::7]"}
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.:80": true, "app.localhost:80": true, "127.0.0.1:9901": true, "10.4.4.1:9901": true, "[::1]:9901": true, "[2001:db8::1]": true,
		"admin.internal": true, "admin.internal.:1": true, "ADMIN.internal:9901": true, "gate.example.org:9901": true, "": true,
		"gate.example.org": false, "gate.example.org:80": false, "evil.example": false, "localhost.evil.example": false, "notlocalhost": false,
		"x.admin.internal": false, "127.0.0.1.evil.example": false, "evil.example:9901": false, "a b": false, "127.0.0.1@evil.example": false, "[::1": false,
	} {
		r := &http.Request{Host: host}
		require.Equal(t, want, forwarded.OwnName(r, names), host)
	}
	r := (&http.Request{Host: "evil.example"}).WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/x", Net: "unix"}))
	require.True(t, forwarded.OwnName(r, nil), "no page reaches a Unix socket")
	r = r.WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}))
	require.False(t, forwarded.OwnName(r, nil))
}

func TestCustomer(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "2001:db8:1:2::": "2001:db8:1:2::", "fe80::1%eth0": "fe80::", "::1": "::",
	} {
		require.Equal(t, want, forwarded.Customer(netip.MustParseAddr(in)).String(), in)
	}
	require.False(t, forwarded.Customer(netip.Addr{}).IsValid())
}
