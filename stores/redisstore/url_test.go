package redisstore

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestParseURL: what redis-py 8.1's parse_url made of each, on Python 3.13.
func TestParseURL(t *testing.T) {
	for url, want := range map[string]target{
		"redis://":                      {},
		"redis:///3":                    {db: 3, hasDB: true},
		"redis://h":                     {host: "h"},
		"redis://H:1/2/3":               {host: "h", port: 1, db: 23, hasDB: true},
		"redis://u@h":                   {username: "u", host: "h"},
		"redis://:p@h":                  {password: "p", host: "h"},
		"redis://u:@h":                  {username: "u", host: "h"},
		"redis://u:p:q@h":               {username: "u", password: "p:q", host: "h"},
		"redis://a@b@h:6":               {username: "a@b", host: "h", port: 6},
		"redis://u:p@":                  {username: "u", password: "p"},
		"redis://[::1]:5/1":             {host: "::1", port: 5, db: 1, hasDB: true},
		"redis://[FE::1%25ETH0]/1":      {host: "fe::1%ETH0", db: 1, hasDB: true},
		"redis://[v1.x]":                {host: "v1.x"},
		"redis://h:/1":                  {host: "h", db: 1, hasDB: true},
		"redis://h:0/1":                 {host: "h", db: 1, hasDB: true},
		"redis://h/1_0":                 {host: "h", db: 10, hasDB: true},
		"redis://h/ 5 ":                 {host: "h", db: 5, hasDB: true},
		"redis://h/-1":                  {host: "h", db: -1, hasDB: true},
		"redis://h/+1":                  {host: "h", db: 1, hasDB: true},
		"redis://h/%31%2F2":             {host: "h", db: 12, hasDB: true},
		"redis://h/abc":                 {host: "h"},
		"redis://h/1;x=2":               {host: "h"},
		"redis://h/1?db=3#x":            {host: "h", db: 3, hasDB: true, query: []option{{"db", "3"}}},
		"redis://h/1#?db=3":             {host: "h", db: 1, hasDB: true},
		"redis://h?db=+5&db=6":          {host: "h", db: 5, hasDB: true, query: []option{{"db", " 5"}}},
		"redis://h?db&db=&=5":           {host: "h", query: []option{{"", "5"}}},
		"redis://h?DB=5;db=2":           {host: "h", query: []option{{"DB", "5;db=2"}}},
		"redis://h?client_name=a+b%2Bc": {host: "h", query: []option{{"client_name", "a b+c"}}},
		"redis://h?a=%2541":             {host: "h", query: []option{{"a", "%41"}}},
		"redis://h%41Bc":                {host: "hABc"},
		"redis://%75ser:p%40ss%zz%@h":   {username: "user", password: "p@ss%zz%", host: "h"},
		"redis://:%C3%A9%FFx@h":         {password: "é\ufffdx", host: "h"},
		"redis://re\tdis\r\n/1":         {host: "redis", db: 1, hasDB: true},
		"rediss://h":                    {kind: overTLS, host: "h"},
		"unix:///a%20b.sock?db=2":       {kind: unixPath, path: "/a b.sock", db: 2, hasDB: true, query: []option{{"db", "2"}}},
		"unix://u:p@/s":                 {kind: unixPath, username: "u", password: "p", path: "/s"},
		"unix://host/s":                 {kind: unixPath, path: "/s"},
	} {
		got, err := parseURL(url)
		require.NoError(t, err, url)
		require.Equal(t, want, got, url)
	}
	for _, url := range []string{
		"", "h:6379", "unix:/s", "redis:/x", "REDIS://h", " redis://h", "re\ndis://h", "http://h",
		"redis://h:70000", "redis://h:x", "redis://h:-1", "redis://h:+1", "redis://h: 1", "redis://h:6379:1/",
		"redis://[::1", "redis://::1]:3", "redis://[abc]/1", "redis://[127.0.0.1]/", "redis://h?db=x", "redis://h?db=1.0", "redis://h/1?db=0x1",
	} {
		_, err := parseURL(url)
		require.Error(t, err, url)
	}
}

// FuzzParseURL: whatever is accepted can be connected to, and an error holds no part
// of it.
func FuzzParseURL(f *testing.F) {
	for _, url := range []string{
		"redis://u:p@h:1/2?db=3", "rediss://[::1%25eth0]:5?ssl_cert_reqs=none&ssl_min_version=771", "unix://:p@/a%20b?db=1",
		"redis://h?socket_timeout=1_0.5&max_connections=5&host=x&port=3", "redis://%", "redis://h/%zz?%=%&&=",
		"redis://:p4ss@h:x?p4ss=1", "rediss://h?ssl_ca_certs=p4ss&ssl_min_version=p4ss", "redis://h?decode_responses=p4ss",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		c, err := (Options{URL: url}).settle()
		if err != nil {
			require.NotContains(t, err.Error(), "p4ss", url)
			return
		}
		require.Len(t, c.addrs, 1)
		require.GreaterOrEqual(t, c.db, 0)
		require.Positive(t, c.timeout)
		require.Positive(t, c.dialTimeout)
		if c.kind == unixPath {
			require.NotEmpty(t, c.addrs[0])
			return
		}
		_, port, err := net.SplitHostPort(c.addrs[0])
		if err == nil { // a host may have any bytes in it, that are no host then
			n, err := strconv.Atoi(port)
			require.NoError(t, err)
			require.Less(t, 0, n)
			require.Less(t, n, 1<<16)
		}
	})
}

func TestURLOptions(t *testing.T) {
	c, err := Options{URL: "rediss://h?socket_timeout=1.5&socket_connect_timeout=.25&max_connections=7&client_name=me" +
		"&username=u&password=p%20q&port=7000&ssl_cert_reqs=optional&ssl_check_hostname=No&ssl_min_version=772&ssl_ca_certs=/ca" +
		"&ssl_certfile=/c&ssl_keyfile=/k&retry_on_timeout=1&health_check_interval=30&protocol=3&socket_timeout=9"}.settle()
	require.NoError(t, err)
	require.Equal(t, settings{
		kind: overTLS, addrs: []string{"h:7000"}, username: "u", password: "p q", clientName: "me", maxConnections: 7,
		dialTimeout: 250 * time.Millisecond, timeout: 1500 * time.Millisecond,
		tls:      tlsSettings{minVersion: 772, caFile: "/ca", certFile: "/c", keyFile: "/k"},
		protocol: 2, maxBytes: DefaultMaxBytes, limits: c.limits,
	}, c)

	c, err = Options{URL: "redis://v:w@g:1?username=u&password=p&host=h&port=2", Timeout: time.Minute}.settle()
	require.NoError(t, err)
	require.Equal(t, []string{"g:1"}, c.addrs)
	require.Equal(t, "v:w", c.username+":"+c.password)
	require.Equal(t, time.Minute, c.timeout)
	require.Equal(t, DefaultDialTimeout, c.dialTimeout)

	c, err = Options{URLs: []string{"redis://u:p@a", "redis://[::1]:7002"}, Extra: map[string]string{
		"ssl": "true", "username": "x", "password": "y", "ssl_cert_reqs": "none", "data_dir": "/d", "host": "h", "socket_timeout": "2",
	}}.settle()
	require.NoError(t, err)
	require.Equal(t, []string{"a:6379", "[::1]:7002"}, c.addrs)
	require.Equal(t, "x:y", c.username+":"+c.password)
	require.Equal(t, overTLS, c.kind)
	require.True(t, c.tls.verifyNone)
	require.Equal(t, 2*time.Second, c.timeout)

	c, err = Options{URL: "redis://u:p@ignored:1/4", MasterName: "m", Sentinels: []string{"a", " b:5", "[::1]", "::2"}}.settle()
	require.NoError(t, err)
	require.Equal(t, []string{"a:26379", "b:5", "[::1]:26379", "[::2]:26379"}, c.addrs)
	require.Equal(t, 4, c.db)
}
