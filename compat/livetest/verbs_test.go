package livetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// TestVerbs runs random sequences of a session's verbs, over several requests of
// one browser, in real Beaker (scripts/verbs.py) and in compat, each with a
// directory of its own and under the same clock, and compares after each request
// the Set-Cookie header, what the verbs returned, and every stored record. Beaker's
// own behaviour is selected; where compat is meant to differ all the same, rules
// keeps away. The sequences are the same in every run.
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

// verbPeers are the Beakers from 1.11 on, which keep domain and path in the
// session, each once for Python 2 and 3. 1.12 is as 1.13 here.
func verbPeers(t *testing.T) []peers.Venv {
	seen := map[string]bool{}
	return slices.DeleteFunc(peers.Beakers(t), func(p peers.Venv) bool {
		peer, err := compat.ParsePeer(p.Peer())
		require.NoError(t, err)
		again := seen[p.Peer()]
		seen[p.Peer()] = true
		return again || peer.Minor < 11 || peer.Minor == 12
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
	Secret           string `json:"secret,omitempty"`
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
		for range pick(r, 0, 1, 1, 2, 2, 3, 4, 5) {
			q.verbs = append(q.verbs, newVerb(r))
		}
		seq.requests = append(seq.requests, q)
	}
	return seq
}

func newOptions(r *rand.Rand, peer compat.Peer) verbOptions {
	none, zero, minute := (*int)(nil), 0, 60
	o := verbOptions{
		Secret:           pick(r, "", "a secret"),
		CookieDomain:     pick(r, "", "", ".x.com"),
		CookiePath:       pick(r, "/", "/app"),
		SameSite:         pick(r, "", "Lax", "Strict"),
		Timeout:          pick(r, none, none, &zero, &minute),
		CookieExpires:    pick(r, 0, 0, 300),
		Auto:             pick(r, true, false, false, false),
		SaveAccessedTime: pick(r, true, true, true, false),
		Secure:           pick(r, true, false, false, false),
		HTTPOnly:         pick(r, true, false, false, false),
		peerUnknown:      peer.Minor >= 12 && pick(r, true, false), // 1.11's form must be told
	}
	if o.Timeout != nil {
		o.SaveAccessedTime = true // refused by Beaker, except that it takes 0 for no timeout here
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

// verbResponse is what came of a request.
type verbResponse struct {
	SetCookie *string `json:"set_cookie"`
	Error     *string `json:"error"`
	Results   []any   `json:"results"`
	// Records of the directories of Python and of Go, by id, as Python reads
	// them. In the answer of Python only.
	Records [2]map[string]verbRecord `json:"records"`
}

// verbRecord is a record under the form that it has: "dict" or "text".
type verbRecord map[string]map[string]json.RawMessage

func (r verbRecord) String() string {
	text, _ := json.Marshal(map[string]map[string]json.RawMessage(r))
	return string(text)
}

// verbSide is one of the two implementations during a sequence.
type verbSide struct {
	keys  [][]byte // of the signature
	names map[string]string
	jar   string
	first string
}

func newVerbSide(o verbOptions) *verbSide {
	s := &verbSide{names: map[string]string{}}
	if o.Secret != "" {
		s.keys = [][]byte{[]byte(o.Secret)}
	}
	return s
}

const verbCookie = "beaker.session.id"

func (s *verbSide) header(c cookieChoice) string {
	switch c {
	case first:
		return s.first
	case unknown:
		id := strings.Repeat("0123456789abcdef", 2)
		s.name(id)
		if s.keys != nil {
			id = string(beakerfmt.AppendSigned(nil, s.keys[0], id))
		}
		return verbCookie + "=" + id
	}
	return s.jar
}

// name stands for an id: the two sides make ids of their own, but at the same
// points.
func (s *verbSide) name(id string) string {
	if s.names[id] == "" {
		s.names[id] = fmt.Sprintf("id%d", len(s.names))
	}
	return s.names[id]
}

// take reads a response as a browser does, and returns it in a form that is to
// be the same on both sides.
func (s *verbSide) take(r verbResponse, now time.Time) (cookie string, results []any, err error) {
	if r.Error != nil {
		return "", nil, errors.New(*r.Error)
	}
	cookie = "none"
	if r.SetCookie != nil {
		if cookie, err = s.takeCookie(*r.SetCookie, now); err != nil {
			return "", nil, err
		}
	}
	for _, result := range r.Results {
		if id, ok := result.(string); ok && len(id) == 32 {
			result = s.name(id)
		}
		results = append(results, result)
	}
	return cookie, results, nil
}

func (s *verbSide) takeCookie(text string, now time.Time) (string, error) {
	c, err := http.ParseSetCookie(text)
	if err != nil {
		return "", err
	}
	id := c.Value
	if s.keys != nil {
		if id, _, err = beakerfmt.Verify(s.keys, c.Value); err != nil {
			return "", err
		}
	}
	s.jar = verbCookie + "=" + c.Value
	if s.first == "" {
		s.first = s.jar
	}
	if !c.Expires.IsZero() && c.Expires.Before(now) {
		s.jar = ""
	}
	return strings.Replace(text, c.Value, s.name(id), 1), nil
}

// records puts the names in place of the ids. Those of ids that neither a
// cookie nor a verb told are named in the order of their content.
func (s *verbSide) records(found map[string]verbRecord) map[string]verbRecord {
	all := map[string]verbRecord{}
	var unseen []verbRecord
	for id, record := range found {
		if name, seen := s.names[id]; seen {
			all[name] = record
		} else {
			unseen = append(unseen, record)
		}
	}
	slices.SortFunc(unseen, func(a, b verbRecord) int { return strings.Compare(a.String(), b.String()) })
	for i, record := range unseen {
		all[fmt.Sprintf("unseen%d", i)] = record
	}
	return all
}

// forgiveTimes drops the times that only Go's records have. Beaker's clear drops
// them from a session, and its save does not put them back; compat's does, or
// the session would never time out.
func forgiveTimes(python, gopher map[string]verbRecord) {
	for name, record := range gopher {
		for form, values := range record {
			for _, key := range []string{"_accessed_time", "_creation_time"} {
				if _, there := python[name][form][key]; !there {
					delete(values, key)
				}
			}
		}
	}
}

// verbPair is a peer and compat.
type verbPair struct {
	peer   compat.Peer
	python *process
	// Each sequence has a directory of its own in root.
	root string
}

func newVerbPair(t *testing.T, venv peers.Venv) *verbPair {
	t.Helper()
	peer, err := compat.ParsePeer(venv.Peer())
	require.NoError(t, err)
	return &verbPair{
		peer:   peer,
		python: startProcess(t, nil, venv.Exe, peers.Script(t, "verbs.py")),
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
	p.tell(t, map[string]any{"options": pythonOptions(o, dir+"/python"), "dirs": []string{dir + "/python", dir + "/go"}}, &struct{}{})
	clock := &verbClock{at: 1700000000.25}
	gopher := newVerbGopher(t, o, p.peer, dir+"/go", clock)
	python := newVerbSide(o)

	var history strings.Builder
	for _, q := range seq.requests {
		clock.at += q.wait
		q.cookie = gopher.past.choose(q.cookie)
		pyHeader, goHeader := python.header(q.cookie), gopher.header(q.cookie)
		here, ran := gopher.request(goHeader, q.verbs)
		var there verbResponse
		p.tell(t, map[string]any{"now": clock.at, "cookie": pyHeader, "verbs": ran}, &there)
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
	case !reflect.DeepEqual(pyRecords, goRecords):
		return fmt.Sprintf("records:\n  Beaker %s\n  compat %s", pyRecords, goRecords)
	}
	return ""
}

func (p *verbPair) tell(t *testing.T, command, answer any) {
	t.Helper()
	text, err := json.Marshal(command)
	require.NoError(t, err)
	p.python.ask(t, string(text), answer)
}

func pythonOptions(o verbOptions, dir string) any {
	all := map[string]any{}
	text, _ := json.Marshal(o)
	_ = json.Unmarshal(text, &all)
	maps.Copy(all, map[string]any{"type": "file", "data_dir": dir, "invalidate_corrupt": false})
	if o.SameSite == "" {
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

// verbClock is the clock of both sides, in seconds.
type verbClock struct{ at float64 }

func (c *verbClock) now() time.Time { return time.UnixMilli(int64(c.at * 1000)) }

// verbGopher is compat's side.
type verbGopher struct {
	*verbSide
	options verbOptions
	manager *compat.Manager
	past    verbPast
}

func newVerbGopher(t *testing.T, o verbOptions, peer compat.Peer, dir string, clock *verbClock) *verbGopher {
	t.Helper()
	store, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	options := compat.Defaults()
	options.Secret, options.CookieDomain, options.CookiePath, options.SameSite = o.Secret, o.CookieDomain, o.CookiePath, o.SameSite
	options.Auto, options.SaveAccessedTime, options.Secure, options.HTTPOnly = o.Auto, o.SaveAccessedTime, o.Secure, o.HTTPOnly
	options.InvalidateCorrupt = false
	if o.Timeout != nil {
		options.Timeout = seconds(*o.Timeout)
	}
	if o.CookieExpires > 0 {
		options.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: seconds(o.CookieExpires)}
	}
	if !o.peerUnknown {
		options.Peer = peer
	}
	// Beaker's behaviour, where compat's own is another.
	options.DeleteRecords, options.TouchInterval, options.AdoptUnknownIDs, options.Write = false, 0, true, compat.WriteReplace
	var seed [32]byte
	manager, err := compat.New(options, store, compat.Environment{Now: clock.now, Random: rand.NewChaCha8(seed)})
	require.NoError(t, err)
	return &verbGopher{verbSide: newVerbSide(o), options: o, manager: manager}
}

// request runs those verbs that the rules admit, and returns them, too.
func (g *verbGopher) request(cookie string, verbs []verb) (response verbResponse, ran []verb) {
	ctx := context.Background()
	object := g.manager.Open(cookie)
	rules := &verbRules{options: g.options, object: object, ran: []verb{}, cookie: cookie != "", past: &g.past}
	fail := func(err error) (verbResponse, []verb) {
		text := err.Error()
		return verbResponse{Error: &text}, rules.ran
	}
	run := func(v verb) error {
		result, err := runVerb(ctx, object, v)
		response.Results = append(response.Results, result)
		return err
	}
	for _, v := range verbs {
		v, err := rules.admit(ctx, v)
		if err == nil {
			err = run(v)
		}
		if err != nil {
			return fail(err)
		}
	}
	for _, v := range rules.end() {
		if err := run(v); err != nil {
			return fail(err)
		}
	}
	if err := object.Persist(ctx); err != nil {
		return fail(err)
	}
	if text, ok := object.SetCookie(); ok {
		response.SetCookie = &text
	}
	if err := object.Close(); err != nil {
		return fail(err)
	}
	return response, rules.ran
}

// runVerb returns a verb's result as encoding/json would decode Python's.
func runVerb(ctx context.Context, object *compat.SessionObject, v verb) (any, error) {
	if v.Name == "persist" {
		return nil, object.Persist(ctx)
	}
	s, err := object.Session(ctx)
	if err != nil {
		return nil, err
	}
	text, _ := v.Value.(string)
	switch v.Name {
	case "set":
		return nil, s.Set(v.Key, v.Value)
	case "append":
		if value, _ := s.Get(v.Key); value != nil {
			if list, ok := value.(*pyvalue.List); ok {
				list.Items = append(list.Items, pyvalue.NewInt(int64(v.Value.(int))))
			}
		}
	case "save":
		s.Save()
	case "delete":
		s.Delete()
	case "invalidate":
		return nil, s.Invalidate()
	case "regenerate_id":
		return nil, s.RegenerateID()
	case "clear":
		s.Clear()
	case "revert":
		return nil, s.Revert()
	case "load":
		return nil, s.Reload(ctx)
	case "set domain":
		return nil, s.SetDomain(text)
	case "set path":
		return nil, s.SetPath(text)
	case "set samesite":
		return nil, s.SetSameSite(text)
	case "set secure":
		s.SetSecure(true)
	case "set httponly":
		s.SetHTTPOnly(true)
	default:
		return askVerb(s, v)
	}
	return nil, nil
}

// askVerb runs the verbs that change nothing.
func askVerb(s *compat.Session, v verb) (any, error) {
	switch v.Name {
	case "get":
		value, _ := s.Get(v.Key)
		return plain(value)
	case "remove":
		return s.Remove(v.Key), nil
	case "domain":
		return s.Domain(), nil
	case "path":
		return s.Path(), nil
	case "is_new":
		return s.IsNew(), nil
	case "was_invalidated":
		return s.WasInvalidated(), nil
	case "created":
		return unixSeconds(s.Created())
	case "last_accessed":
		return unixSeconds(s.LastAccessed())
	case "len":
		return float64(s.Len()), nil
	case "id":
		return s.ID(), nil
	}
	return nil, fmt.Errorf("no verb %q", v.Name)
}

func unixSeconds(t time.Time, ok bool) (any, error) {
	if !ok {
		return nil, nil
	}
	return float64(t.UnixMilli()) / 1000, nil
}

// plain returns a value, one of those that newVerb makes, as JSON has it.
func plain(value pyvalue.Value) (any, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case *pyvalue.Int:
		n, _ := value.Int64()
		return float64(n), nil
	case *pyvalue.List:
		items := []any{}
		for _, item := range value.Items {
			p, err := plain(item)
			if err != nil {
				return nil, err
			}
			items = append(items, p)
		}
		return items, nil
	}
	return nil, fmt.Errorf("a %T was never put in", value)
}
