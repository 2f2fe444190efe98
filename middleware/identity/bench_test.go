package identity

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkDecide(b *testing.B) {
	v := see(b, values{"user_id": "eve", "groups": []string{"staff", "users"}, "role": "editor"})
	s, _ := signer(b, ed25519PEM(b))
	for _, c := range []struct {
		name   string
		o      Options
		allocs float64
	}{
		{"header", Options{Require: []string{"user_id"}, Headers: []Header{{Name: "Remote-User", Path: "user_id"}}}, 4},
		{"groups", Options{Require: []string{"user_id"}, Groups: "groups", AnyGroup: []string{"staff"},
			Headers: []Header{{Name: "Remote-User", Path: "user_id"}, {Name: "Remote-Groups", Path: "groups"}}}, 10},
		{"allow", Options{Require: []string{"user_id"}, Allow: `session.role == "editor" and request.method != "DELETE"`}, 20},
		{"assertion", Options{Require: []string{"user_id"}, Assertion: &Assertion{Signer: s, Audience: "app", Subject: "user_id"}}, 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, r := policy(b, c.o), page()
			require.LessOrEqual(b, testing.AllocsPerRun(10, func() { p.Decide(r, v, nil) }), c.allocs)
			b.ReportAllocs()
			for b.Loop() {
				if d := p.Decide(r, v, nil); d.Status != 200 {
					b.Fatal(d.Reason)
				}
			}
		})
	}
}

// TestDecideAllocates holds the cost that every request has.
func TestDecideAllocates(t *testing.T) {
	v := see(t, values{"user_id": "eve"})
	p, r := policy(t, Options{Require: []string{"user_id"}, Headers: []Header{{Name: "Remote-User", Path: "user_id"}}}), page()
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { p.Decide(r, v, nil) }), 4.0)
}

func BenchmarkSign(b *testing.B) {
	rsaKey, _ := rsaPEM(b)
	for name, key := range map[string][]byte{"EdDSA": ed25519PEM(b), "RS256": rsaKey} {
		s, _ := signer(b, key)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.sign([]byte(`{"sub":"eve"}`)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDelete(b *testing.B) {
	h := page().Header
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "Cookie", "User-Agent", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Referer"} {
		h.Set(name, "keep-alive")
	}
	b.ReportAllocs()
	for b.Loop() {
		Delete(h, deleted)
	}
}
