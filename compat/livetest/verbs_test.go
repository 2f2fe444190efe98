package livetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// TestVerbs runs random sequences of a session's verbs, over several requests of
// one browser, in real Beaker (scripts/verbs.py) and in compat, each with a
// directory of its own and under the same clock, and compares after each request
// the Set-Cookie header, what the verbs returned, and every stored record or, of
// cookie-only sessions, what the cookie holds; as that Beaker reads it. Beaker's own
// behaviour is selected; where compat is meant to differ all the same, rules keeps
// away. The sequences are the same in every run.
func TestVerbs(t *testing.T) {
	for _, peer := range verbPeers(t) {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			p := newVerbPair(t, peer)
			for seed := range verbSequences() {
				seq := newSequence(rand.New(rand.NewPCG(1, seed)), p.peer)
				if p.differ(t, seq) != "" {
					seq = p.shrink(t, seq)
					t.Fatalf("sequence %d, as short as it goes: %s\n%s", seed, seq.options, p.differ(t, seq))
				}
			}
		})
	}
}

func verbSequences() uint64 {
	if testing.Short() {
		return 100
	}
	return 400
}

// verbPeers are the Beakers, each once for Python 2 and 3. 1.12 is as 1.13 here.
func verbPeers(t *testing.T) []peers.Venv {
	seen := map[string]bool{}
	return slices.DeleteFunc(peers.Beakers(t), func(p peers.Venv) bool {
		name := fmt.Sprint(p.Beaker, p.Python2())
		again := seen[name]
		seen[name] = true
		return again || strings.HasPrefix(p.Beaker, "1.12.")
	})
}

// verb is one call, and as JSON what scripts/verbs.py is sent.
type verb struct {
	Name  string `json:"verb"`
	Key   string `json:"key,omitempty"`
	Value any    `json:"value,omitempty"`
}

func (v verb) String() string {
	s := v.Name
	if v.Key != "" {
		s += " " + v.Key
	}
	if v.Value != nil {
		s += fmt.Sprintf(" %v", v.Value)
	}
	return s
}

// verbRequest is one request of the browser, wait seconds after the last one.
type verbRequest struct {
	wait   float64
	cookie cookieChoice
	verbs  []verb
}

type cookieChoice string

const (
	jar     cookieChoice = "the browser's cookie"
	first   cookieChoice = "the first cookie that was sent"
	unknown cookieChoice = "a cookie with an unknown id"
)

// verbOptions are Beaker's options, by its names.
type verbOptions struct {
	Type             string `json:"type"` // "file" or "cookie"
	Secret           string `json:"secret,omitempty"`
	ValidateKey      string `json:"validate_key,omitempty"`
	EncryptKey       string `json:"encrypt_key,omitempty"`
	DataSerializer   string `json:"data_serializer,omitempty"`
	CryptoType       string `json:"crypto_type,omitempty"`
	CookieDomain     string `json:"cookie_domain,omitempty"`
	CookiePath       string `json:"cookie_path"`
	SameSite         string `json:"samesite,omitempty"`
	Timeout          *int   `json:"timeout,omitempty"`
	CookieExpires    int    `json:"cookie_expires,omitempty"` // seconds
	Auto             bool   `json:"auto"`
	SaveAccessedTime bool   `json:"save_accessed_time"`
	Secure           bool   `json:"secure"`
	HTTPOnly         bool   `json:"httponly"`

	// peerUnknown: compat is not told which Beaker it works with.
	peerUnknown bool
}

func (o verbOptions) String() string {
	text, _ := json.Marshal(o)
	return fmt.Sprintf("%s, peer unknown: %t", text, o.peerUnknown)
}

type sequence struct {
	options  verbOptions
	requests []verbRequest
}

func newSequence(r *rand.Rand, peer compat.Peer) sequence {
	seq := sequence{options: newOptions(r, peer)}
	for range 1 + r.IntN(6) {
		q := verbRequest{wait: pick(r, 0.5, 10, 30, 59.5, 60, 61, 100), cookie: pick(r, jar, jar, jar, jar, jar, jar, jar, jar, first, unknown)}
		if q.cookie == unknown && seq.options.Type == "cookie" {
			q.cookie = jar // there is no id to be unknown
		}
		for range pick(r, 0, 1, 1, 2, 2, 3, 4, 5) {
			q.verbs = append(q.verbs, newVerb(r))
		}
		seq.requests = append(seq.requests, q)
	}
	return seq
}

func newOptions(r *rand.Rand, peer compat.Peer) verbOptions {
	none, zero, minute := (*int)(nil), 0, 60
	era := peer.Era()
	o := verbOptions{
		Type:             pick(r, "file", "cookie"),
		Secret:           pick(r, "", "a secret"),
		EncryptKey:       pick(r, "", "an encrypt key"),
		CryptoType:       pick(r, "", "pycrypto", "cryptography"),
		CookieDomain:     pick(r, "", "", ".x.com"),
		CookiePath:       pick(r, "/", "/app"),
		SameSite:         pick(r, "", "Lax", "Strict"),
		Timeout:          pick(r, none, none, &zero, &minute),
		CookieExpires:    pick(r, 0, 0, 300),
		Auto:             pick(r, true, false, false, false),
		SaveAccessedTime: pick(r, true, true, true, false),
		Secure:           pick(r, true, false, false, false),
		HTTPOnly:         pick(r, true, false, false, false),
		peerUnknown:      era.ServerText && pick(r, true, false), // 1.11's form must be told
	}
	if era.JSON {
		o.DataSerializer = pick(r, "", "json")
	}
	if o.EncryptKey != "" || o.Type == "cookie" {
		o.ValidateKey = "a validate key"
	}
	switch {
	case o.EncryptKey == "" || len(era.CryptoTypes) == 0:
		o.CryptoType = ""
	case o.peerUnknown && o.CryptoType == "":
		o.CryptoType = "pycrypto" // the default has changed with 1.14
	}
	if o.Timeout != nil || peer.Release().Compare(compat.Release{Major: 1, Minor: 8, Patch: 1}) < 0 {
		o.SaveAccessedTime = true // refused by Beaker, except that it takes 0 for no timeout here; or not known
	}
	if o.Type == "cookie" && peer.Minor < 14 {
		o.CookieExpires = 0 // a session with an _expires in it keeps its first date
	}
	if !era.ServerSameSite {
		o.SameSite = ""
	}
	return o
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// verbNames are the verbs; those that are there twice come twice as often.
var verbNames = []string{
	"get", "get", "set", "set", "set", "set list", "append", "remove", "save", "save", "save", "persist",
	"delete", "invalidate", "invalidate", "regenerate_id", "clear", "revert", "load",
	"set domain", "set domain", "set path", "set path", "set samesite", "set secure", "set httponly",
	"domain", "path", "is_new", "was_invalidated", "created", "last_accessed", "len", "id",
}

func newVerb(r *rand.Rand) verb {
	v := verb{Name: pick(r, verbNames...)}
	switch v.Name {
	case "get", "remove":
		v.Key = pick(r, "a", "b", "list")
	case "set":
		v.Key, v.Value = pick(r, "a", "b"), 1+r.IntN(9)
	case "set list":
		v = verb{"set", "list", []int{1}}
	case "append":
		v.Key, v.Value = "list", 1+r.IntN(9)
	case "set domain":
		v.Value = pick(r, ".y.com", "z.com")
	case "set path":
		v.Value = pick(r, "/p", "/q")
	case "set samesite":
		v.Value = pick(r, "Lax", "Strict")
	}
	return v
}

// verbPair is a peer and compat.
type verbPair struct {
	peer   compat.Peer
	python *peers.Process
	// Each sequence has a directory of its own in root.
	root string
	ran  int // sequences so far
}

func newVerbPair(t *testing.T, venv peers.Venv) *verbPair {
	t.Helper()
	peer, err := compat.ParsePeer(venv.Peer())
	require.NoError(t, err)
	return &verbPair{
		peer:   peer,
		python: peers.Start(t, nil, venv.Exe, peers.Script(t, "verbs.py")),
		root:   t.TempDir(),
	}
}

// differ runs a sequence on both sides and returns "", or its history up to the
// first difference.
func (p *verbPair) differ(t *testing.T, seq sequence) string {
	t.Helper()
	dir, err := os.MkdirTemp(p.root, "")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	o := seq.options
	p.tell(t, map[string]any{"options": pythonOptions(o, p.peer, dir+"/python"), "dirs": []string{dir + "/python", dir + "/go"}}, &struct{}{})
	clock := &verbClock{at: 1700000000.25}
	// Beaker up to 1.9 would look for the lock of an id where it saw it first.
	p.ran++
	unknown := fmt.Sprintf("%032x", p.ran)
	gopher := newVerbGopher(t, o, p.peer, dir+"/go", clock)
	gopher.verbSide = newVerbSide(o, unknown)
	python := newVerbSide(o, unknown)

	var history strings.Builder
	for _, q := range seq.requests {
		clock.at += q.wait
		q.cookie = gopher.past.choose(q.cookie)
		pyHeader, goHeader := python.header(q.cookie), gopher.header(q.cookie)
		here, ran := gopher.request(goHeader, q.verbs)
		var there verbResponse
		p.tell(t, map[string]any{"now": clock.at, "cookie": pyHeader, "verbs": ran, "other": here.SetCookie}, &there)
		fmt.Fprintf(&history, "%gs later, with %s: %v\n", q.wait, q.cookie, ran)
		if d := compare(python, gopher, there, here, clock.now()); d != "" {
			return history.String() + d
		}
	}
	return ""
}

func compare(python *verbSide, gopher *verbGopher, there, here verbResponse, now time.Time) string {
	pyCookie, pyResults, err1 := python.take(there, now)
	goCookie, goResults, err2 := gopher.take(here, now)
	pyRecords, goRecords := python.records(there.Records[0]), gopher.records(there.Records[1])
	pyPayload, goPayload := python.payload(there.Payloads[0]), gopher.payload(there.Payloads[1])
	if !gopher.cookieOnly && !gopher.peer.Era().ConfigKeys {
		pyCookie, goCookie = forgivePath(pyCookie), forgivePath(goCookie)
	}
	if gopher.past.cleared {
		forgiveTimes(pyRecords, goRecords)
	}
	switch {
	case err1 != nil || err2 != nil:
		return fmt.Sprintf("error:\n  Beaker %v\n  compat %v", err1, err2)
	case pyCookie != goCookie:
		return fmt.Sprintf("Set-Cookie:\n  Beaker %s\n  compat %s", pyCookie, goCookie)
	case !reflect.DeepEqual(pyResults, goResults):
		return fmt.Sprintf("results:\n  Beaker %v\n  compat %v", pyResults, goResults)
	case pyPayload != goPayload:
		return fmt.Sprintf("cookie:\n  Beaker %s\n  compat %s", pyPayload, goPayload)
	case !reflect.DeepEqual(pyRecords, goRecords):
		return fmt.Sprintf("records:\n  Beaker %s\n  compat %s", pyRecords, goRecords)
	}
	return ""
}

func (p *verbPair) tell(t *testing.T, command, answer any) {
	t.Helper()
	text, err := json.Marshal(command)
	require.NoError(t, err)
	p.python.Ask(t, string(text), answer)
}

func pythonOptions(o verbOptions, peer compat.Peer, dir string) any {
	all := map[string]any{}
	text, _ := json.Marshal(o)
	_ = json.Unmarshal(text, &all)
	maps.Copy(all, map[string]any{"data_dir": dir, "invalidate_corrupt": false})
	if o.SameSite == "" && peer.Era().ServerSameSite {
		all["samesite"] = nil
	}
	return all
}

// shrink drops requests and verbs as long as the sides still differ, and puts
// options back to what they usually are.
func (p *verbPair) shrink(t *testing.T, seq sequence) sequence {
	t.Helper()
	for again := true; again; {
		again = false
		for _, shorter := range seq.shorter() {
			if p.differ(t, shorter) != "" {
				seq, again = shorter, true
				break
			}
		}
	}
	return seq
}

// shorter returns the sequences that have one thing less.
func (seq sequence) shorter() []sequence {
	var all []sequence
	for i, q := range seq.requests {
		all = append(all, sequence{seq.options, slices.Delete(slices.Clone(seq.requests), i, i+1)})
		for j := range q.verbs {
			fewer := slices.Clone(seq.requests)
			fewer[i].verbs = slices.Delete(slices.Clone(q.verbs), j, j+1)
			all = append(all, sequence{seq.options, fewer})
		}
	}
	for _, change := range []func(o *verbOptions){
		func(o *verbOptions) { o.Secret = "" },
		func(o *verbOptions) { o.EncryptKey, o.CryptoType = "", "" },
		func(o *verbOptions) { o.DataSerializer = "" },
		func(o *verbOptions) { o.CookieDomain = "" },
		func(o *verbOptions) { o.CookiePath = "/" },
		func(o *verbOptions) { o.SameSite = "" },
		func(o *verbOptions) { o.Timeout = nil },
		func(o *verbOptions) { o.CookieExpires = 0 },
		func(o *verbOptions) { o.Auto = false },
		func(o *verbOptions) { o.SaveAccessedTime = true },
		func(o *verbOptions) { o.Secure = false },
		func(o *verbOptions) { o.HTTPOnly = false },
		func(o *verbOptions) { o.peerUnknown = false },
	} {
		plainer := sequence{seq.options, seq.requests}
		if change(&plainer.options); plainer.options != seq.options {
			all = append(all, plainer)
		}
	}
	return all
}
