package backend_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores/backend"
)

func TestSame(t *testing.T) {
	rule, err := beakerfmt.NewIDRule("[0-9]+")
	require.NoError(t, err)
	equal, err := beakerfmt.NewIDRule("[0-9]+")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		a, b compat.Options
		want bool
	}{
		"nothing":               {compat.Options{}, compat.Options{}, true},
		"the default":           {compat.Options{DataDir: "d"}, compat.Options{DataDir: "d", Type: "file"}, true},
		"type":                  {compat.Options{DataDir: "d"}, compat.Options{DataDir: "d", Type: "dbm"}, false},
		"data_dir":              {compat.Options{DataDir: "d"}, compat.Options{DataDir: "e"}, false},
		"data_dir of memory":    {compat.Options{Type: "memory"}, compat.Options{Type: "memory", DataDir: "e"}, true},
		"lock_dir":              {compat.Options{DataDir: "d"}, compat.Options{DataDir: "d", LockDir: "l"}, false},
		"ids":                   {compat.Options{IDs: rule}, compat.Options{IDs: equal}, true},
		"other ids":             {compat.Options{IDs: rule}, compat.Options{}, false},
		"url":                   {compat.Options{Type: "ext:mongodb", URL: "a"}, compat.Options{Type: "ext:mongodb", URL: "b"}, false},
		"extra":                 {compat.Options{DataDir: "d", Extra: map[string]string{"fsync": "1"}}, compat.Options{DataDir: "d"}, false},
		"secrets and timeout":   {compat.Options{DataDir: "d", Secret: "a"}, compat.Options{DataDir: "d", Secret: "b", Timeout: time.Hour}, true},
		"Redis, another time":   {compat.Options{Type: "ext:redis"}, compat.Options{Type: "ext:redis", Timeout: time.Hour}, false},
		"which Python reads it": {compat.Options{Type: "ext:memcached"}, compat.Options{Type: "ext:memcached", Peer: compat.Peer{Python: 2}}, false},
	} {
		require.Equal(t, c.want, backend.Same(c.a, c.b), name)
		require.Equal(t, c.want, backend.Same(c.b, c.a), name)
	}
}
