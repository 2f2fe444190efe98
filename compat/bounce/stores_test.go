package bounce

import (
	"hash/fnv"
	"slices"
	"testing"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// The same in every back end of Beaker, on real servers, with the client libraries
// that Beaker uses there: files are the control.
func TestBounceStores(t *testing.T) {
	set := livestores.New(t)
	thorough := thoroughly(storePeers(t))
	for _, venv := range storePeers(t) {
		t.Run(venv.Name, func(t *testing.T) {
			t.Parallel()
			p := startPython(t, venv)
			for _, kind := range livestores.Of(t, venv) {
				t.Run(kind.Name, func(t *testing.T) {
					place := set.Place(t, kind, venv)
					for _, k := range storeKeepings(t, venv, place, thorough[venv.Name]) {
						t.Run(k.name, func(t *testing.T) {
							g := newGame(t, p, k)
							g.first = firstOf(venv.Name + kind.Name)
							g.play(storeTurns())
						})
					}
				})
			}
		})
	}
}

// storePeers are all, or with -short one of each release that many stay with.
func storePeers(t *testing.T) []peers.Venv {
	all := peers.Stores(t)
	if !testing.Short() {
		return all
	}
	seen := map[string]bool{"1.6.5": true, "1.9.1": true, "1.12.1": true, "1.14.1": true}
	return slices.DeleteFunc(all, func(v peers.Venv) bool {
		if seen[v.Beaker] || v.Packages["redis"] == "" {
			return true
		}
		seen[v.Beaker] = true
		return false
	})
}

// thoroughly names those that keep sessions in every way: one of each release that many
// stay with, in each Python.
func thoroughly(venvs []peers.Venv) map[string]bool {
	names, seen := map[string]bool{}, map[string]bool{}
	for _, v := range venvs {
		what := v.Beaker + v.Python[:1]
		if (v.Beaker == "1.11.0" || v.Beaker == "1.13.0") && !seen[what] {
			names[v.Name], seen[what] = true, true
		}
	}
	return names
}

// storeTurns is fewer than in TestBounce: what is told apart here is the place, not
// the values.
func storeTurns() int {
	if testing.Short() {
		return 8
	}
	return 24
}

// firstOf is who comes first to a place, and makes its table.
func firstOf(place string) int {
	h := fnv.New32a()
	h.Write([]byte(place))
	return int(h.Sum32()>>8) % 2
}

// storeKeepings are the ways to keep sessions in a place. Short tests have only the
// one that is Beaker's default.
func storeKeepings(t *testing.T, venv peers.Venv, place livestores.Place, thorough bool) (all []keeping) {
	peer := peerOf(t, venv)
	era := peer.Era()
	add := func(name, serializer, cryptoType string) *keeping {
		o := place.Options(t, peer, nil)
		all = append(all, configured(name, o, place.Beaker(nil), serializer, cryptoType))
		return &all[len(all)-1]
	}
	add("pickle", "pickle", "")
	if testing.Short() {
		return all
	}
	encrypts := peer.Crypto != "" && era.ServerAES
	if encrypts {
		add("encrypted", "pickle", "default")
	}
	if !thorough {
		return all
	}
	forever := add("no timeout", "pickle", "")
	forever.options.Timeout = compat.NoTimeout
	delete(forever.beaker, "timeout")
	if era.ServerText {
		add("json", "json", "")
	}
	if encrypts && era.JSON {
		add("encrypted json", "json", "default")
	}
	return all
}
