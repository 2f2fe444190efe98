package bounce

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
)

// In each way to keep a session that a peer has, a session bounces between it
// and Go: a thousand times with every framework, with nss, and with one
// environment of each of these Beakers. With the others, and in short tests, it is
// as many times as it takes to begin and end.
func TestBounce(t *testing.T) {
	often := map[string]bool{"1.6.5": true, "1.8.1": true, "1.11.0": true, "1.13.0": true, "1.14.1": true}
	for _, venv := range venvs(t) {
		turns := 48
		if !testing.Short() && (often[venv.Beaker] || venv.Group == "frameworks" || has(venv, "nss")) {
			turns = 1000
		}
		if venv.Group == "test" {
			often[venv.Beaker] = false
		}
		t.Run(venv.Name, func(t *testing.T) {
			t.Parallel()
			p := startPython(t, venv)
			for _, k := range keepings(t, venv) {
				t.Run(k.name, func(t *testing.T) { newGame(t, p, k).play(turns) })
			}
		})
	}
}

// side is where a session bounces: in a request with this Cookie header it
// tells what the session holds, changes and saves it.
type side interface {
	turn(t *testing.T, cookie string, changes []change) response
}

// response is what came of a request.
type response struct {
	// Session is what the session held at its beginning, in tagged JSON in the eyes
	// of the game's Python; Beaker's keys are apart.
	Session json.RawMessage
	Own     own
	// SetCookie are the headers.
	SetCookie []string `json:"set_cookie"`
}

// own are those of Beaker's keys that must stay as they are.
type own struct {
	ID      *string  `json:"_id"` // of a cookie-only session
	Created *float64 `json:"_creation_time"`
}

// sessions is how many sessions share the turns. They are begun in Python and in
// Go by turns.
const sessions = 4

// game is one browser's sessions, one after the other.
type game struct {
	t     *testing.T
	kept  keeping
	sides [2]side
	rand  *rand.Rand
	first int // the side that begins

	jar   *cookiejar.Jar
	model *model
	own   *own // nil for a session that is not there yet
}

func newGame(t *testing.T, p *python, k keeping) *game {
	p.start(t, k)
	seed := fnv.New64a()
	fmt.Fprint(seed, t.Name()) // so every game is another, and the same in every run
	return &game{
		t: t, kept: k, sides: [2]side{p, newGopher(t, k)},
		rand: rand.New(rand.NewPCG(1, seed.Sum64())),
	}
}

func (g *game) play(turns int) {
	each := turns / sessions
	for n := range sessions {
		g.begin()
		for i := range each {
			g.turn(n*each+i, (g.first+n+i)%2, true)
		}
		g.turn(turns, 0, false)
		g.turn(turns, 1, false)
	}
}

var address = &url.URL{Scheme: "https", Host: "bounce.example", Path: "/index"}

// begin gives the browser new cookies, none of them a session's.
func (g *game) begin() {
	var err error
	g.jar, err = cookiejar.New(nil)
	require.NoError(g.t, err)
	g.jar.SetCookies(address, []*http.Cookie{{Name: "theme", Value: "dark"}})
	g.model = newModel(g.kept)
	g.own = nil
}

// turn has a side do one request, and compares what it found with the model.
func (g *game) turn(number, who int, change bool) {
	g.t.Helper()
	what := fmt.Sprintf("turn %d, %T", number, g.sides[who])
	want, err := taggedjson.Append(nil, g.model.values, g.kept.dialect())
	require.NoError(g.t, err)
	changes := noChanges
	if change {
		changes, err = g.model.advance(g.rand, len(want), who == 0)
		require.NoError(g.t, err)
	}
	cookies, isNew := g.cookies()
	found := g.sides[who].turn(g.t, cookies, changes)
	g.requireSame(want, found.Session, what)
	g.requireOwn(found.Own, isNew, what)

	// A session in a store is sent its cookie once, one in a cookie every time.
	expect := 0
	if isNew || g.kept.options.Type == "cookie" {
		expect = 1
	}
	require.Len(g.t, found.SetCookie, expect, what)
	for _, line := range found.SetCookie {
		require.LessOrEqual(g.t, len(line), 4096, "browsers drop a longer one")
	}
	g.jar.SetCookies(address, (&http.Response{Header: http.Header{"Set-Cookie": found.SetCookie}}).Cookies())
}

// cookies is the browser's Cookie header, and whether it has no session yet.
func (g *game) cookies() (header string, isNew bool) {
	isNew = true
	var all []string
	for _, c := range g.jar.Cookies(address) {
		all = append(all, c.Name+"="+c.Value)
		isNew = isNew && c.Name != g.kept.options.Key
	}
	return strings.Join(all, "; "), isNew
}

// requireSame compares two sessions, types included.
func (g *game) requireSame(want, got []byte, what string) {
	g.t.Helper()
	if bytes.Equal(want, got) {
		return
	}
	same, err := taggedjson.Equal(want, got) // whatever the order of the keys
	require.NoError(g.t, err, what)
	if !same {
		require.Equal(g.t, string(want), string(got), what)
	}
}

// requireOwn compares a session's id and the time of its creation with those of
// before. They are there from the second turn on, as the first one saves them.
func (g *game) requireOwn(found own, isNew bool, what string) {
	g.t.Helper()
	if isNew {
		return
	}
	require.NotNil(g.t, found.Created, what)
	if g.kept.options.Type == "cookie" {
		require.NotNil(g.t, found.ID, what)
	}
	if g.own == nil {
		g.own = &found
	}
	require.Equal(g.t, g.own, &found, what)
}
