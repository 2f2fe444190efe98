package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// A password may have any letter in it: SQLAlchemy takes all but @ as they are.
func TestPlace(t *testing.T) {
	for _, c := range []struct {
		kind, url, want string
		password        bool
	}{
		{"ext:redis", "redis://127.0.0.1:6379/0", "127.0.0.1:6379/0", false},
		{"ext:redis", "redis://:geheim@h:1/0?socket_timeout=1", "h:1/0", true},
		{"ext:redis", "redis://h/0?password=geheim", "h/0", true},
		{"ext:redis", "redis://h/0?password=ge@heim", "", true},
		{"ext:redis", "unix:///run/redis.sock?db=1", "/run/redis.sock", false},
		{"ext:database", "postgresql+psycopg2://u:12/geheim@h:5432/app", "h:5432/app", true},
		{"ext:database", "postgresql://u:12#geheim@h/app", "", true},
		{"ext:database", "postgresql://u:12?geheim@h/app", "", true},
		{"ext:database", "postgresql://u:12/34@geheim@h/app", "h/app", true},
		{"ext:database", "postgresql://user@h/app", "h/app", false},
		{"ext:database", "sqlite:////var/s.db", "/var/s.db", false},
		{"ext:database", "sqlite:///s.db", "s.db", false},
		{"ext:memcached", "10.0.0.1:11211;10.0.0.2:11211", "10.0.0.1:11211;10.0.0.2:11211", false},
		{"ext:memcached", "u:geheim@h:11211", "", true},
		{"ext:redis", "", "", false},
	} {
		want := c.kind
		if c.want != "" {
			want += " at " + c.want
		}
		require.Equal(t, want, backend.Place(compat.Options{Type: c.kind, URL: c.url}), c.url)
		require.Equal(t, c.password, hasPassword(c.url), c.url)
	}
}
