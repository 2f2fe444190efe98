package redisstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
)

// ask puts a question to testdata/peer.py.
func ask(t *testing.T, venv peers.Venv, question map[string]any, answer any) {
	t.Helper()
	in, err := json.Marshal(question)
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), venv.Exe, "testdata/peer.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.NoError(t, json.Unmarshal(out, answer), string(out))
}

// readsEscapes: redis-py before 4 takes percent signs literally, among other things.
func readsEscapes(venv peers.Venv) bool {
	return !slices.Contains([]string{"2", "3"}, strings.SplitN(venv.Packages["redis"], ".", 2)[0])
}

// clusters: Beaker 1.13 has rediscluster, redis-py 4.1 a RedisCluster.
func clusters(venv peers.Venv) bool {
	return slices.Contains([]string{"1.13.0", "1.14.1"}, venv.Beaker) && readsEscapes(venv)
}

// pythonic is what redis-py makes of a url.
type pythonic struct {
	Error          string
	Host           *string
	Port           any // a text if it comes from the query
	DB             int
	Username       string
	Password       string
	Path           string
	Class          string
	SocketTimeout  *float64 `json:"socket_timeout"`
	ConnectTimeout *float64 `json:"socket_connect_timeout"`
	ClientName     string   `json:"client_name"`
	MaxConnections int      `json:"max_connections"`
}

// grid are urls of all parts that there are, each with each.
func grid() []string {
	schemes := []string{"redis://", "rediss://", "unix://"}
	users := []string{"", "u@", ":p@", "u:p:q@", ":@", "a@b@", "%75:p%40%2f%zz@", ":%C3%A9%@"}
	hosts := []string{"", "h", "H.Example", "127.0.0.1", "[::1]", "[x]", "h%41B", "[fe80::1%25ETH0]"}
	ports := []string{"", ":", ":7001", ":0", ":x"}
	paths := []string{"", "/", "/3", "/1/2", "/abc", "/1_0", "/ 7 ", "/s.sock", "/%33", "/a%20b%2Fc"}
	queries := []string{
		"", "?db=4", "?db=", "?db=x", "?db=4&db=5#x", "?socket_timeout=1.5&socket_connect_timeout=2e0", "?socket_timeout=x",
		"?max_connections=9", "?max_connections=x", "?username=me&password=se+cret", "?host=other", "?port=7002", "?nosuch=1", "?client_name=me",
		"?health_check_interval=5&retry_on_timeout=yes&encoding=latin-1", "?ssl_cert_reqs=none", "?ssl_check_hostname=no", "?ssl_cert_reqs=never",
		"?health_check_interval=x", "?path=/y", "?socket_keepalive=n", "?client_name=a%20b%2Bc+d", "?d%62=6",
	}
	var all, urls []string
	for _, scheme := range schemes {
		for _, user := range users {
			for _, host := range hosts {
				for _, port := range ports {
					for _, path := range paths {
						all = append(all, scheme+user+host+port+path)
					}
				}
			}
		}
	}
	// redis-py takes milliseconds for each. The stride has no divisor in common with
	// the numbers of the parts, so that any two of them still meet.
	const stride = 97
	for i := 0; i < len(all)*len(queries); i += stride {
		urls = append(urls, all[i/len(queries)]+queries[i%len(queries)])
	}
	return urls
}

// TestLiveURLs: every url means here what it means to redis-py.
func TestLiveURLs(t *testing.T) {
	seen := map[string]bool{}
	for _, venv := range peers.WithPackage(t, "redis") {
		name := "redis-py " + venv.Packages["redis"]
		if seen[name] || !readsEscapes(venv) {
			continue
		}
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			urls := grid()
			var answers []pythonic
			ask(t, venv, map[string]any{"do": "parse", "urls": urls}, &answers)
			require.Len(t, answers, len(urls))
			refused := 0
			for i, url := range urls {
				c, err := Options{URL: url}.settle()
				if answers[i].Error != "" {
					refused++
					require.Error(t, err, "%s: %s", url, answers[i].Error)
					continue
				}
				if strings.HasPrefix(url, "unix://") && answers[i].Path == "" {
					require.Error(t, err, url) // which redis-py refuses when it connects
					continue
				}
				if err != nil && strings.Contains(url, "[x]") {
					continue // older Pythons do not look at it
				}
				require.NoError(t, err, url)
				requireAlike(t, url, answers[i], c)
			}
			t.Logf("%d urls, %d of them refused by both", len(urls), refused)
		})
	}
}

func requireAlike(t *testing.T, url string, want pythonic, got settings) {
	t.Helper()
	switch want.Class {
	case "UnixDomainSocketConnection":
		require.Equal(t, unixPath, got.kind, url)
		require.Equal(t, []string{want.Path}, got.addrs, url)
	default:
		require.Equal(t, want.Class == "SSLConnection", got.kind == overTLS, url)
		host, port := "localhost", "6379"
		if want.Host != nil && *want.Host != "" {
			host = *want.Host
		}
		if want.Port != nil {
			port = fmt.Sprint(want.Port)
		}
		require.Equal(t, []string{net.JoinHostPort(host, port)}, got.addrs, url)
	}
	if want.Username != "" && want.Password == "" {
		want.Password = "nopass"
	}
	require.Equal(t, want.Username, got.username, url)
	require.Equal(t, want.Password, got.password, url)
	require.Equal(t, want.DB, got.db, url)
	require.Equal(t, want.ClientName, got.clientName, url)
	if strings.Contains(url, "socket_timeout") {
		require.InDelta(t, *want.SocketTimeout, got.timeout.Seconds(), 1e-6, url)
		require.InDelta(t, *want.ConnectTimeout, got.dialTimeout.Seconds(), 1e-6, url)
	}
	if strings.Contains(url, "max_connections") {
		require.Equal(t, want.MaxConnections, got.maxConnections, url)
	}
}

// TestLiveSessions: Beaker writes, Go changes, Beaker reads, and the reverse, for the
// Beakers that differ.
func TestLiveSessions(t *testing.T) {
	server, nodes := servers.Redis(t, "--requirepass", "sekrit"), servers.RedisCluster(t, 3)
	beakers := []string{"1.9.1", "1.11.0", "1.13.0"}
	for _, venv := range peers.WithPackage(t, "redis") {
		i := slices.Index(beakers, venv.Beaker)
		if i < 0 {
			continue
		}
		beakers = slices.Delete(beakers, i, i+1)
		single := map[string]any{"type": "ext:redis", "url": "redis://:sekrit@" + server.Addr() + "/3"}
		cluster := map[string]any{"type": "ext:rediscluster", "urls": "redis://" + nodes[0].Addr() + ",redis://" + nodes[1].Addr()}
		all := map[string]map[string]any{"single": single}
		if clusters(venv) {
			all["cluster"] = cluster
		}
		for kind, options := range all {
			for _, timeout := range []int{0, 600} {
				if kind == "cluster" && timeout == 0 {
					continue // one is enough
				}
				t.Run(fmt.Sprintf("%s-%s-%d", venv.Name, kind, timeout), func(t *testing.T) {
					o := Options{TTL: time.Duration(timeout) * time.Second}
					if timeout > 0 {
						options["timeout"] = timeout
						o.TTL += 2 * time.Minute
					}
					if u, ok := options["url"].(string); ok {
						o.URL = u
					} else {
						o.URLs = strings.Split(options["urls"].(string), ",")
					}
					defer delete(options, "timeout")
					liveSession(t, venv, options, open(t, o), timeout)
				})
			}
		}
	}
}

// visit is one request to Beaker.
type visit struct {
	ID     string
	New    bool
	Before map[string]any
}

func liveSession(t *testing.T, venv peers.Venv, options map[string]any, s *Store, timeout int) {
	ctx, id := t.Context(), beakerfmt.HashID(t.Name())
	request := func(values map[string]any) (v visit) {
		ask(t, venv, map[string]any{"do": "session", "options": options, "id": id, "values": values, "drop": false}, &v)
		return v
	}
	ttl := func() time.Duration { return s.client.TTL(ctx, beakerfmt.RedisKey(id)).Val() }
	requireTTL := func() {
		t.Helper()
		if timeout == 0 || venv.Beaker == "1.9.1" {
			require.EqualValues(t, -1, ttl())
			return
		}
		require.InDelta(t, 720, ttl().Seconds(), 60)
	}
	v := request(map[string]any{"python": 1})
	require.Equal(t, id, v.ID)
	require.True(t, v.New)
	requireTTL()
	require.NoError(t, s.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) { return changed(t, old), nil }))
	if timeout == 0 {
		require.EqualValues(t, -1, ttl())
	} else {
		require.InDelta(t, 720, ttl().Seconds(), 60)
	}
	v = request(map[string]any{"again": true})
	require.False(t, v.New)
	require.Equal(t, map[string]any{"python": 1.0, "go": "was here"}, v.Before)
	requireTTL()

	n := 0
	for info, err := range s.List(ctx, "") {
		require.NoError(t, err)
		if info.ID == id {
			n++
		}
	}
	require.Equal(t, 1, n)
	require.NoError(t, s.Delete(ctx, id))
	require.True(t, request(map[string]any{}).New)
}

// changed adds a key to a session, whichever form it has.
func changed(t *testing.T, old pyvalue.Value) pyvalue.Value {
	t.Helper()
	codec := &beakerfmt.Codec{}
	d, form, err := codec.DecodeValue(old)
	require.NoError(t, err, "%s", base64.StdEncoding.EncodeToString(fmt.Append(nil, old)))
	d.SetStr("go", pyvalue.Str("was here"))
	v, err := codec.EncodeValue(d, form)
	require.NoError(t, err)
	return v
}
