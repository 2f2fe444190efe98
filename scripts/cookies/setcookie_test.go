// Package cookies holds what the tests ask Python about cookies, and the test
// that Set-Cookie is what Beaker says, byte for byte.
package cookies

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

const (
	secret = "sekrit"
	newID  = "d136ad9c54f548d9a31887286abff980"

	atLeast = 4_000 // requests to each Beaker
)

// setting is what Python is given for one or more options, and the same for us.
type setting struct {
	python map[string]any // see scripts/cookies/setcookie.py
	ours   func(*compat.Options)
	since  int // the Beaker 1.x that has the option, or these values of it
}

var unset = setting{}

// options are all options that Set-Cookie depends on.
var options = [][]setting{
	{
		unset,
		{map[string]any{"secret": secret}, func(o *compat.Options) { o.Secret = secret }, 0},
		{map[string]any{"type": "cookie", "validate_key": secret}, func(o *compat.Options) { o.Type, o.ValidateKey = "cookie", secret }, 0},
	},
	{
		unset,
		expires(true, compat.CookieExpires{}, 0),
		expires(false, compat.CookieExpires{Mode: compat.ExpiresNever}, 0),
		expires(300, compat.CookieExpires{Mode: compat.ExpiresAfter, After: 300 * time.Second}, 6),
		expires(map[string]any{"seconds": 0.75}, compat.CookieExpires{Mode: compat.ExpiresAfter, After: 750 * time.Millisecond}, 0),
		expires(map[string]any{"seconds": -86400}, compat.CookieExpires{Mode: compat.ExpiresAfter, After: -24 * time.Hour}, 0),
		expires(map[string]any{"date": []int{2030, 1, 2, 3, 4, 5}}, compat.CookieExpires{Mode: compat.ExpiresAt, At: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}, 0),
	},
	{unset, one("cookie_domain", ".example.com", func(o *compat.Options) { o.CookieDomain = ".example.com" }, 0)},
	{
		unset,
		one("cookie_path", "/", func(o *compat.Options) { o.CookiePath = "/" }, 6),
		one("cookie_path", `/app, a="b"`, func(o *compat.Options) { o.CookiePath = `/app, a="b"` }, 6),
	},
	{unset, one("secure", true, func(o *compat.Options) { o.Secure = true }, 0)},
	{unset, one("httponly", true, func(o *compat.Options) { o.HTTPOnly = true }, 6)},
	{unset, sameSite("Lax", "Lax"), sameSite("Strict", "Strict"), sameSite("None", "None"), sameSite("odd word", "odd word"), sameSite(nil, "")},
}

func one(name string, value any, ours func(*compat.Options), since int) setting {
	return setting{map[string]any{name: value}, ours, since}
}

func expires(value any, ours compat.CookieExpires, since int) setting {
	return one("cookie_expires", value, func(o *compat.Options) { o.CookieExpires = ours }, since)
}

func sameSite(value any, ours string) setting {
	return one("samesite", value, func(o *compat.Options) { o.SameSite = ours }, 10)
}

// clientID is an id as text and as it stands in a header without a signature;
// the latter only for one that cannot stand there with a signature.
type clientID struct{ id, unsigned string }

// ids are what clients may come with.
var ids = []clientID{
	{id: "0123456789abcdef0123456789abcdef"},
	{id: "aBcDeFgHiJkLmNoPqRsTuVwXyZ0"},
	{id: "a-b_c"},
	{id: "!#$%&'*+-.^_`|~"},
	{id: "a:b"},
	{id: "a b"},
	{id: "a,b"},
	{id: "@(){}[]<>?="},
	{id: `quo"te`, unsigned: `"quo\"te"`},
	{id: `back\slash`, unsigned: `"back\\slash"`},
	{id: "semi;colon", unsigned: `"semi\073colon"`},
}

var times = []time.Time{
	time.Unix(1700000000, 250_000_000),
	time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC),
	time.Date(2037, 12, 31, 23, 59, 59, 500_000_000, time.UTC),
}

// request is what Python is sent, and the same for us.
type request struct {
	Options map[string]any `json:"options"`
	Now     float64        `json:"now"`
	ID      string         `json:"id"`
	Cookie  string         `json:"cookie"`
	Verbs   []verb         `json:"verbs"`

	ours compat.Options
	now  time.Time
}

type verb struct {
	Verb  string `json:"verb"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
}

// handlers are what sends a cookie, of a client without one. Up to Beaker 1.5 a
// delete sets the year of the cookie to 2003, which is a date on most days only;
// up to 1.10 an invalidate keeps domain and path that were set, and we do not.
var handlers = []struct {
	verbs []verb
	since int
}{
	{verbs: []verb{{Verb: "set path", Value: "/own"}, {Verb: "save"}}},
	{verbs: []verb{{Verb: "set domain", Value: ".example.org"}}},
	{verbs: []verb{{Verb: "invalidate"}}},
	{[]verb{{Verb: "regenerate_id"}}, 6},
	{[]verb{{Verb: "delete"}}, 6},
	{[]verb{{"set", "k", "v"}, {Verb: "set path", Value: "/own"}, {Verb: "delete"}}, 6},
	{[]verb{{Verb: "set domain", Value: ".example.org"}, {Verb: "set path", Value: "/own"}, {Verb: "invalidate"}}, 11},
}

// requests is the full product of the options of that Beaker, each with a new
// session that is saved and, if there is a store, with one of the handlers or
// the session of a client that is deleted; where that is little, several times.
func requests(t *testing.T, peer compat.Peer) []request {
	t.Helper()
	everything, err := beakerfmt.NewIDRule(`.*`)
	require.NoError(t, err)
	ours := compat.Defaults()
	ours.Peer, ours.IDs, ours.AdoptUnknownIDs, ours.Key = peer, everything, true, "sid"
	product := []request{{Options: map[string]any{"key": "sid"}, ours: ours}}
	for _, settings := range options {
		var longer []request
		for _, r := range product {
			for _, s := range settings {
				if s.since <= peer.Minor {
					longer = append(longer, r.with(s))
				}
			}
		}
		product = longer
	}
	var out []request
	random := rand.New(rand.NewPCG(1, 2))
	for len(out) < atLeast {
		for _, r := range product {
			r.now, r.ID = times[random.IntN(len(times))], newID
			r.Now = float64(r.now.UnixNano()) / 1e9
			out = append(out, r.doing("", verb{"set", "k", "v"}, verb{Verb: "save"}))
			h := handlers[random.IntN(len(handlers))]
			client := clientCookie(r.ours, ids[random.IntN(len(ids))])
			switch toss := random.IntN(2); {
			case r.ours.Type == "cookie":
			case toss == 0 && h.since <= peer.Minor:
				out = append(out, r.doing("", h.verbs...))
			case toss == 1 && client != "" && peer.Minor >= 6:
				out = append(out, r.doing(client, verb{Verb: "delete"}))
			}
		}
	}
	return out
}

func (r request) with(s setting) request {
	if s.ours != nil {
		r.Options = maps.Clone(r.Options)
		maps.Copy(r.Options, s.python)
		s.ours(&r.ours)
	}
	return r
}

func (r request) doing(cookie string, verbs ...verb) request {
	r.Cookie, r.Verbs = cookie, verbs
	return r
}

// clientCookie is the Cookie header of a client with one of the ids, or "" if it
// cannot come with that one.
func clientCookie(o compat.Options, id clientID) string {
	switch {
	case o.Type == "cookie":
		return ""
	case o.Secret == "" && id.unsigned != "":
		return "sid=" + id.unsigned
	case o.Secret == "":
		return `sid="` + id.id + `"`
	case id.unsigned != "":
		return ""
	}
	return `sid="` + string(beakerfmt.AppendSigned(nil, []byte(secret), id.id)) + `"`
}

// answer is the Set-Cookie text that we send.
func (r request) answer(t *testing.T) string {
	t.Helper()
	var store stores.Store = &memstore.Store{IDs: r.ours.IDs}
	if r.ours.Type == "cookie" {
		store = nil
	}
	m, err := compat.New(r.ours, store, compat.Environment{
		Now:    func() time.Time { return r.now },
		Random: alwaysTheSameID{},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	o := m.Open(r.Cookie)
	s, err := o.Session(context.Background())
	require.NoError(t, err)
	for _, v := range r.Verbs {
		switch v.Verb {
		case "set":
			require.NoError(t, s.Set(v.Key, v.Value))
		case "save":
			s.Save()
		case "delete":
			s.Delete()
		case "set path":
			require.NoError(t, s.SetPath(v.Value))
		case "set domain":
			require.NoError(t, s.SetDomain(v.Value))
		case "invalidate":
			require.NoError(t, s.Invalidate())
		case "regenerate_id":
			require.NoError(t, s.RegenerateID())
		default:
			require.Fail(t, v.Verb)
		}
	}
	require.NoError(t, o.Persist(context.Background()))
	text, _ := o.SetCookie()
	return text
}

// comparable is the text, without what a cookie-only session holds: that need
// not be the same bytes, and compat/livetest compares it.
func (r request) comparable(text string) string {
	if r.ours.Type == "cookie" {
		name, _, _ := strings.Cut(text, "=")
		_, attributes, _ := strings.Cut(text, ";")
		return name + "=...;" + attributes
	}
	return text
}

// alwaysTheSameID is the randomness of which newID is made.
type alwaysTheSameID struct{}

func (alwaysTheSameID) Read(b []byte) (int, error) {
	id, err := hex.DecodeString(newID)
	return copy(b, id), err
}

func TestSetCookieIsBeakers(t *testing.T) {
	for _, venv := range peers.AllBeakers(t) {
		t.Run(venv.Name, func(t *testing.T) {
			peer, err := compat.ParsePeer(venv.Peer())
			require.NoError(t, err)
			all := requests(t, peer)
			if testing.Short() {
				rand.New(rand.NewPCG(3, 4)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				all = all[:400]
			}
			texts := map[string]bool{}
			for i, answer := range askBeaker(t, venv, all) {
				ours := all[i].answer(t)
				require.Nil(t, answer[1], "%+v", all[i])
				require.NotNil(t, answer[0])
				require.Equal(t, all[i].comparable(*answer[0]), all[i].comparable(ours), "%+v", all[i])
				texts[ours] = true
			}
			require.Greater(t, len(texts), 50, "the options make no difference")
			t.Logf("Beaker %s, Python %s: %d requests, %d different headers", venv.Beaker, venv.Python, len(all), len(texts))
		})
	}
}

// askBeaker has one process answer all requests.
func askBeaker(t *testing.T, venv peers.Venv, requests []request) [][2]*string {
	t.Helper()
	var in, stderr bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, r := range requests {
		require.NoError(t, enc.Encode(r))
	}
	cmd := exec.Command(venv.Exe, peers.Script(t, "cookies/setcookie.py"))
	// Beaker says GMT and means local time; we say GMT and mean it.
	cmd.Env = append(os.Environ(), "TZ=UTC", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var answers [][2]*string
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var a [2]*string
		if err := dec.Decode(&a); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		answers = append(answers, a)
	}
	require.Len(t, answers, len(requests), "%s", strings.TrimSpace(stderr.String()))
	return answers
}
