package e2e

import (
	"testing"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// A person goes through a site that is on its way from Python to Go, and the operator does
// what operators do meanwhile.
func testGateway(t *testing.T, programs string, b browser) {
	for _, c := range []struct {
		venv  string
		among func(testing.TB) []peers.Venv
		store func(*testing.T, string) store
	}{
		{"py2.7-beaker1.11.0", peers.Beakers, files},
		{"py3.13-stores-beaker1.14.1", peers.Stores, redis},
	} {
		t.Run(c.venv, func(t *testing.T) {
			venv := choose(t, c.among(t), c.venv)
			s := startStrangler(t, programs, venv, c.store)
			b.run(t, "gateway.py", map[string]any{"addresses": []string{s.url}, "url": s.url, "cookie": cookieName}, s.act)
		})
	}
}
