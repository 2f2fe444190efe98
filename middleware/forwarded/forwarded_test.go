package forwarded_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

func trusted(t testing.TB, list ...string) forwarded.Trusted {
	t.Helper()
	tr, err := forwarded.Parse(list)
	require.NoError(t, err)
	return tr
}

func TestParse(t *testing.T) {
	tr := trusted(t, "10.0.0.0/8", "192.0.2.7", "loopback", "2001:db8::/32", "::ffff:198.51.100.0/120")
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "192.0.2.7": true, "192.0.2.8": false,
		"127.0.0.2": true, "::1": true, "2001:db8:1::1": true, "2001:db9::1": false, "198.51.100.9": true, "fe80::1%eth0": false,
	} {
		require.Equal(t, want, tr.Contains(netip.MustParseAddr(addr)), addr)
	}
	for _, addr := range []string{"10.1.1.1", "172.16.0.1", "192.168.1.1", "169.254.1.1", "fd00::1", "fe80::1%eth0", "127.0.0.1"} {
		require.True(t, trusted(t, "private").Contains(netip.MustParseAddr(addr)), addr)
	}
	require.False(t, forwarded.Trusted{}.Contains(netip.MustParseAddr("127.0.0.1")))
	for _, bad := range []string{"", "10.0.0.0/33", "proxy.example.org", "10.0.0", "Loopback", "*"} {
		_, err := forwarded.Parse([]string{"loopback", bad})
		require.ErrorContains(t, err, "give an address", bad)
	}
}

func request(peer string, header ...string) *http.Request {
	r := httptest.NewRequest("GET", "http://app.example.org/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestOriginClient(t *testing.T) {
	tr := trusted(t, "10.0.0.0/8", "unix", "fd00::/8")
	long := strings.Repeat("10.0.0.1, ", 100)
	for name, c := range map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"no proxy":                  {"192.0.2.1:4000", nil, "192.0.2.1"},
		"forged":                    {"192.0.2.1:4000", []string{"127.0.0.1"}, "192.0.2.1"},
		"one proxy":                 {"10.0.0.1:4000", []string{"192.0.2.9"}, "192.0.2.9"},
		"forged in front of it":     {"10.0.0.1:4000", []string{"127.0.0.1, 192.0.2.9"}, "192.0.2.9"},
		"two proxies":               {"10.0.0.1:4000", []string{"192.0.2.9, 10.0.0.2"}, "192.0.2.9"},
		"two lines":                 {"10.0.0.1:4000", []string{"6.6.6.6", "192.0.2.9,10.0.0.2"}, "192.0.2.9"},
		"line of a proxy":           {"10.0.0.1:4000", []string{"6.6.6.6, 192.0.2.9", "10.0.0.2"}, "192.0.2.9"},
		"all trusted":               {"10.0.0.1:4000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"proxy says nothing":        {"10.0.0.1:4000", nil, "10.0.0.1"},
		"port":                      {"10.0.0.1:4000", []string{"192.0.2.9:1234"}, "192.0.2.9"},
		"ipv6":                      {"10.0.0.1:4000", []string{"2001:db8::9"}, "2001:db8::9"},
		"ipv6 in brackets":          {"10.0.0.1:4000", []string{"[2001:db8::9]"}, "2001:db8::9"},
		"ipv6 with port":            {"10.0.0.1:4000", []string{"[2001:db8::9]:443"}, "2001:db8::9"},
		"ipv6 peer":                 {"[fd00::1]:4000", []string{"192.0.2.9"}, "192.0.2.9"},
		"ipv6 peer with a zone":     {"[fd00::1%eth0]:4000", []string{"192.0.2.9"}, "192.0.2.9"},
		"mapped":                    {"[::ffff:10.0.0.1]:4000", []string{"::ffff:192.0.2.9"}, "192.0.2.9"},
		"garbage":                   {"10.0.0.1:4000", []string{"192.0.2.9, unknown"}, "10.0.0.1"},
		"garbage on the left":       {"10.0.0.1:4000", []string{"<script>, 192.0.2.9"}, "192.0.2.9"},
		"empty":                     {"10.0.0.1:4000", []string{""}, "10.0.0.1"},
		"zone in the list":          {"10.0.0.1:4000", []string{"fe80::1%<b>"}, "10.0.0.1"},
		"brackets around IPv4":      {"10.0.0.1:4000", []string{"[192.0.2.9]"}, "10.0.0.1"},
		"bad port":                  {"10.0.0.1:4000", []string{"192.0.2.9:port"}, "10.0.0.1"},
		"unix":                      {"@", []string{"192.0.2.9"}, "192.0.2.9"},
		"unix without a header":     {"", nil, "invalid IP"},
		"too many proxies to look":  {"10.0.0.1:4000", []string{"192.0.2.9, " + long + "10.0.0.7"}, "10.0.0.1"},
		"garbage of a megabyte":     {"10.0.0.1:4000", []string{strings.Repeat("9", 1<<20)}, "10.0.0.1"},
		"a megabyte of commas":      {"10.0.0.1:4000", []string{strings.Repeat(",", 1<<20)}, "10.0.0.1"},
		"peer that is not believed": {"nonsense:x", []string{"192.0.2.9"}, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(c.peer)
			r.Header["X-Forwarded-For"] = c.xff
			require.Equal(t, c.want, tr.Origin(r).Client.String())
			require.LessOrEqual(t, testing.AllocsPerRun(10, func() { tr.Origin(r) }), 5.0, "however long the header is")
		})
	}
	require.False(t, trusted(t, "loopback").Origin(request("@", "X-Forwarded-For", "192.0.2.9")).Client.IsValid(), "Unix sockets are not loopback")
}

func TestOriginSchemeAndHost(t *testing.T) {
	tr := trusted(t, "10.0.0.0/8")
	for name, c := range map[string]struct {
		peer, proto, host string
		wantScheme        string
		wantHost          string
	}{
		"from a client":    {"192.0.2.1:1", "https", "evil.example", "http", "app.example.org"},
		"from a proxy":     {"10.0.0.1:1", "https", "www.example.org:8443", "https", "www.example.org:8443"},
		"websocket":        {"10.0.0.1:1", "WSS", "", "https", "app.example.org"},
		"the last counts":  {"10.0.0.1:1", "http, https", "evil.example, www.example.org", "https", "www.example.org"},
		"no scheme":        {"10.0.0.1:1", "javascript", "a/b", "http", "app.example.org"},
		"user in the host": {"10.0.0.1:1", "", "www.example.org@evil.example", "http", "app.example.org"},
		"two ports":        {"10.0.0.1:1", "", "a:1:2", "http", "app.example.org"},
		"no name":          {"10.0.0.1:1", "", ":80", "http", "app.example.org"},
		"ipv6":             {"10.0.0.1:1", "", "[::1]:80", "http", "[::1]:80"},
		"not ipv6":         {"10.0.0.1:1", "", "[1.2.3.4]", "http", "app.example.org"},
		"too long":         {"10.0.0.1:1", "", strings.Repeat("a", 300), "http", "app.example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			o := tr.Origin(request(c.peer, "X-Forwarded-Proto", c.proto, "X-Forwarded-Host", c.host))
			require.Equal(t, c.wantScheme, o.Scheme)
			require.Equal(t, c.wantHost, o.Host)
		})
	}
	r := request("192.0.2.1:1")
	r.TLS = &tls.ConnectionState{}
	require.Equal(t, "https", tr.Origin(r).Scheme)
}

func TestTold(t *testing.T) {
	gone := []string{
		"X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-PREFIX", "X-Forwarded", "X-Forwarded-User", "X_Forwarded_For", "X-Forwarded_For",
		"Forwarded", "X-Real-Ip", "X-Real-IP", "SCRIPT_NAME", "Remote_user", "X-Script-Name", "Proxy", "X.Forwarded.For", "X~Real~Ip", "X Real",
		"True-Client-IP", "X-Cluster-Client-Ip", "X-Original-Uri", "X-Original-Method", "R\u00e9mote",
	}
	kept := []string{"Accept", "Cookie", "X-Request-Id", "Traceparent", "X-Forward", "Proxying", "X-Requested-With", "Sec-Websocket-Extensions", ""}
	for _, name := range gone {
		require.True(t, forwarded.Told(name), name)
	}
	for _, name := range kept {
		require.False(t, forwarded.Told(name), name)
	}
	require.Zero(t, testing.AllocsPerRun(10, func() { forwarded.Told("X-Cluster-Client-Ip") }))
}

func TestSet(t *testing.T) {
	tr := trusted(t, "10.0.0.0/8", "unix")
	long := strings.Repeat("192.0.2.1, ", 400) + "192.0.2.77"
	for name, c := range map[string]struct {
		peer    string
		in      []string
		mounted string
		want    map[string]string // "X-Forwarded-" is before each name
	}{
		"client": {"192.0.2.1:5", []string{"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Port", "1", "X-Forwarded-Prefix", "/evil"}, "",
			map[string]string{"For": "192.0.2.1", "Host": "app.example.org", "Proto": "http"}},
		"client by IPv6": {"[2001:db8::1%eth0]:5", nil, "/app",
			map[string]string{"For": "2001:db8::1", "Host": "app.example.org", "Proto": "http", "Prefix": "/app"}},
		"proxy": {"10.0.0.1:5", []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-For", "10.0.0.2", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "www.example.org",
			"X-Forwarded-Port", "443", "X-Forwarded-Prefix", "/outer/", "X-Forwarded-User", "root"}, "/app",
			map[string]string{"For": "192.0.2.1, 10.0.0.2, 10.0.0.1", "Host": "www.example.org", "Proto": "https", "Port": "443", "Prefix": "/outer/app"}},
		"proxy by a socket": {"@", []string{"X-Forwarded-For", "192.0.2.1"}, "",
			map[string]string{"For": "192.0.2.1", "Host": "app.example.org", "Proto": "http"}},
		"socket that says nothing": {"", nil, "", map[string]string{"Host": "app.example.org", "Proto": "http"}},
		"prefix elsewhere": {"10.0.0.1:5", []string{"X-Forwarded-Prefix", "//evil.example", "X-Forwarded-Port", "80; x"}, "",
			map[string]string{"For": "10.0.0.1", "Host": "app.example.org", "Proto": "http"}},
		"prefix with markup": {"10.0.0.1:5", []string{"X-Forwarded-Prefix", `/"><script>`}, "/a",
			map[string]string{"For": "10.0.0.1", "Host": "app.example.org", "Proto": "http", "Prefix": "/a"}},
		"empty chain": {"10.0.0.1:5", []string{"X-Forwarded-For", " , "}, "",
			map[string]string{"For": "10.0.0.1", "Host": "app.example.org", "Proto": "http"}},
		"long chain": {"10.0.0.1:5", []string{"X-Forwarded-For", long}, "",
			map[string]string{"For": strings.Repeat("192.0.2.1, ", 185) + "192.0.2.77, 10.0.0.1", "Host": "app.example.org", "Proto": "http"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(c.peer, c.in...)
			out := http.Header{}
			tr.Origin(r).Set(out, r, c.mounted)
			got := map[string]string{}
			for name, values := range out {
				require.Len(t, values, 1)
				got[strings.TrimPrefix(name, "X-Forwarded-")] = values[0]
			}
			require.Equal(t, c.want, got)
		})
	}
}

// Whatever a proxy passes on of a client's header, the client found is one that the
// rightmost part of the list says, and no text of the header gets into the scheme or, in
// pieces, into the host.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "[::1]:80, 10.0.0.1", "unknown", ",,", "a:b", "fe80::1%x", "[", "]:1"} {
		f.Add(s, "https", "host:80", "/p")
	}
	tr := trusted(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, xff, proto, host, prefix string) {
		r := request("10.0.0.1:5", "X-Forwarded-For", xff, "X-Forwarded-Proto", proto, "X-Forwarded-Host", host, "X-Forwarded-Prefix", prefix)
		o := tr.Origin(r)
		require.True(t, o.Client.IsValid())
		require.Empty(t, o.Client.Zone())
		require.Contains(t, []string{"http", "https"}, o.Scheme)
		require.NotContains(t, o.Host, "/")
		require.NotContains(t, o.Host, "@")
		require.LessOrEqual(t, len(o.Host), 261)
		// A client further left changes nothing about who is found on the right.
		if !tr.Contains(o.Client) {
			r.Header.Set("X-Forwarded-For", "6.6.6.6, "+xff)
			require.Equal(t, o.Client, tr.Origin(r).Client)
		}
		out := http.Header{}
		o.Set(out, r, "")
		require.True(t, strings.HasSuffix(out.Get("X-Forwarded-For"), "10.0.0.1"))
		require.False(t, strings.HasPrefix(out.Get("X-Forwarded-Prefix"), "//"))
	})
}
