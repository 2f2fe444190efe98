package servers_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/servers"
)

func TestServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *servers.Server{
		"memcached": func(t testing.TB) *servers.Server { return servers.Memcached(t) },
		"redis":     func(t testing.TB) *servers.Server { return servers.Redis(t) },
		"postgres":  servers.Postgres,
		"mariadb":   servers.MariaDB,
		"mongo":     servers.Mongo,
		"nginx": func(t testing.TB) *servers.Server {
			port := servers.FreePort(t)
			return servers.Nginx(t, port, map[string]string{"app.conf": fmt.Sprintf("server { listen %s:%d; }", servers.Host, port)})
		},
		"caddy": func(t testing.TB) *servers.Server {
			port := servers.FreePort(t)
			return servers.Caddy(t, port, fmt.Sprintf(":%d\n", port))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			reach := func() error {
				conn, err := net.Dial("tcp", s.Addr())
				if err == nil {
					_ = conn.Close()
				}
				return err
			}
			require.NoError(t, reach())
			s.Stop()
			require.Error(t, reach())
			s.Start(t)
			require.NoError(t, reach())
			s.Kill()
			require.Error(t, reach())
			s.Start(t)
			require.NoError(t, reach())
		})
	}
}
