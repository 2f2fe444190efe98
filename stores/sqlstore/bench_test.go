package sqlstore

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// BenchmarkGet is Get beside a bare SELECT by the same driver of the same row, and the
// decoding of what it holds.
func BenchmarkGet(b *testing.B) {
	for _, start := range []func(testing.TB) *base{sqliteBase, postgresBase, mariadbBase} {
		base := start(b)
		s := open(b, Options{URL: base.url, Create: true})
		v := pyvalue.NewDict()
		for n := range 20 {
			v.SetStr(fmt.Sprintf("key %d", n), pyvalue.Str("a value of some length, as they are"))
		}
		require.NoError(b, s.Put(b.Context(), sessionID, v))
		b.Run(base.name+"/store", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Get(b.Context(), sessionID); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(base.name+"/bare", func(b *testing.B) {
			b.ReportAllocs()
			query := s.rebind("SELECT data FROM beaker_cache WHERE namespace = ?")
			for b.Loop() {
				var data []byte
				if err := s.db.QueryRowContext(b.Context(), query, sessionID).Scan(&data); err != nil {
					b.Fatal(err)
				}
				if _, err := beakerfmt.DecodeContainer(data, pickle.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(base.name+"/update", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Update(b.Context(), sessionID, func(old pyvalue.Value) (pyvalue.Value, error) { return old, nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
