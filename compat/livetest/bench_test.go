package livetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// BenchmarkPeek looks at the session of a request, with and without a cache.
func BenchmarkPeek(b *testing.B) {
	set := livestores.New(b)
	for _, kind := range livestores.Kinds() {
		if kind.Name != "file" && kind.Name != "redis" {
			continue
		}
		for name, cacheTime := range map[string]time.Duration{"plain": 0, "cached": time.Hour} {
			b.Run(kind.Name+"/"+name, func(b *testing.B) {
				o := set.Place(b, kind, peers.Venv{}).Options(b, compat.Peer{}, nil)
				o.Secret, o.CacheTime, o.TouchInterval = "s", cacheTime, time.Hour
				store, err := backend.Open(o)
				require.NoError(b, err)
				m, err := compat.New(o, store, compat.Environment{})
				require.NoError(b, err)
				object := m.Open("")
				s, err := object.Session(b.Context())
				require.NoError(b, err)
				for k, v := range map[string]any{"user_id": 4711, "username": "eve@example.org", "roles": []string{"editor", "user"}, "lang": "fr"} {
					require.NoError(b, s.Set(k, v))
				}
				s.Save()
				require.NoError(b, object.Persist(b.Context()))
				text, _ := object.SetCookie()
				header, _, _ := strings.Cut(strings.TrimSpace(text), ";")
				if kind.Name == "file" {
					then := time.Now().Add(-time.Minute) // as most are
					require.NoError(b, os.Chtimes(filepath.Join(o.DataDir, "container_file", beakerfmt.DataPath(s.ID())), then, then))
				}
				b.ReportAllocs()
				for b.Loop() {
					v, err := m.Open(header).Peek(b.Context())
					if err != nil || v.IsNew() {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
