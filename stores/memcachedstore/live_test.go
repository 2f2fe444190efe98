package memcachedstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// pythonSide is a Beaker with a client library.
type pythonSide struct {
	*peers.Process
	venv peers.Venv
}

func startPython(t *testing.T, v peers.Venv, library string, o Options) pythonSide {
	t.Helper()
	p := pythonSide{peers.Start(t, nil, v.Exe, "-W", "ignore", peers.Script(t, "memcached_client.py")), v}
	behaviors := map[string]any{}
	for name, text := range o.Behaviors {
		behaviors[name] = text
		if text == "True" { // as Beaker has it from an ini
			behaviors[name] = true
		}
	}
	p.ask(t, map[string]any{"url": strings.Join(o.Servers, ";"), "module": library, "behaviors": behaviors}, &struct{}{})
	return p
}

func (p pythonSide) ask(t *testing.T, request, answer any) {
	t.Helper()
	line, err := json.Marshal(request)
	require.NoError(t, err)
	p.Ask(t, string(line), answer)
}

type pythonAnswer struct {
	Values map[string]any
	Errors map[string]string
}

func (p pythonSide) set(t *testing.T, ids []string) (answer pythonAnswer) {
	t.Helper()
	values := map[string]any{}
	for _, id := range ids {
		if values[id] = any(textOf(id)); isDict(id) {
			values[id] = map[string]any{"of": textOf(id)}
		}
	}
	p.ask(t, map[string]any{"set": values}, &answer)
	return answer
}

func (p pythonSide) get(t *testing.T, ids []string) (answer pythonAnswer) {
	t.Helper()
	p.ask(t, map[string]any{"get": ids}, &answer)
	return answer
}

// requireAll: Python finds what is in these sessions.
func (p pythonSide) requireAll(t *testing.T, ids []string) {
	t.Helper()
	answer := p.get(t, ids)
	require.Empty(t, answer.Errors)
	for _, id := range ids {
		want := any(textOf(id))
		if isDict(id) {
			want = map[string]any{"of": textOf(id)}
		}
		require.Equal(t, want, answer.Values[id], "%q", id)
	}
}

// The session of an id: half of them are dicts, as up to Beaker 1.11, the others text.
func isDict(id string) bool   { return len(id)%2 == 1 || id[len(id)-1]%2 == 1 }
func textOf(id string) string { return "gAJ9" + strconv.Itoa(len(id)) + beakerfmt.HashID(id) }

func valueOf(id string) pyvalue.Value {
	if !isDict(id) {
		return pyvalue.Str(textOf(id))
	}
	d := pyvalue.NewDict()
	d.SetStr("of", pyvalue.Str(textOf(id)))
	return d
}

func requireFound(t *testing.T, s *Store, ids []string) {
	t.Helper()
	for _, id := range ids {
		v, err := s.Get(t.Context(), id)
		require.NoError(t, err, "%q", id)
		if d, ok := v.(*pyvalue.Dict); ok && isDict(id) {
			v, _ = d.GetStr("of")
		}
		got, ok := pyvalue.Text(v)
		require.True(t, ok)
		require.Equal(t, textOf(id), got, "%q", id)
	}
}

func putAll(t *testing.T, s *Store, ids []string) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, s.Put(t.Context(), id, valueOf(id)), "%q", id)
	}
}

// idsOf returns ids by a name that tells one call from another, and such as have keys
// of their own kind: the one that python-memcached hashes to zero, spaces, long ones.
func idsOf(name string) (ids []string) {
	for n := range 200 {
		ids = append(ids, fmt.Sprintf("%s%030x", name, n))
	}
	for n := 0; ; n++ {
		id := fmt.Sprintf("%szero%d", name, n)
		if pythonHash(beakerfmt.MemcachedKey(id, 3), PythonMemcached) == 0 {
			return append(ids, id, name+" a b", name+strings.Repeat("l", 240), name+strings.Repeat("l", 241), name+" "+strings.Repeat("l", 240))
		}
	}
}

// anyID admits what Beaker takes; the store's own default does not.
func anyID(t *testing.T) beakerfmt.IDRule {
	t.Helper()
	rule, err := beakerfmt.NewIDRule(`[A-Za-z0-9_ -]+`)
	require.NoError(t, err)
	return rule
}

// clock is the machine's, and can be put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// pass is more than the time for which a dead server is passed over.
func (c *clock) pass() { c.ahead.Add(int64(deadRetry + time.Second)) }

func pythonClient(v peers.Venv) Client {
	minor, _ := strconv.Atoi(strings.SplitN(v.Packages["python-memcached"]+".0", ".", 3)[1])
	if minor < 60 {
		return PythonMemcachedOld
	}
	return PythonMemcached
}

func pythonOf(v peers.Venv) int {
	if v.Python2() {
		return 2
	}
	return 3
}

// TestPythonMemcached: both sides find every session of each other, with all servers,
// with one that is down, and when it is back.
func TestPythonMemcached(t *testing.T) {
	for _, v := range peers.WithPackage(t, "python-memcached") {
		t.Run(v.Name+"-"+v.Packages["python-memcached"], func(t *testing.T) {
			t.Parallel()
			all := threeServers(t)
			var c clock
			o := Options{Servers: started(all...), Client: pythonClient(v), Python: pythonOf(v), IDs: anyID(t), Now: c.now}
			s, p := open(t, o), startPython(t, v, "memcache", o)
			requireBothWays(t, s, p, "a")

			all[1].Stop()
			p.get(t, idsOf("a")) // the library takes a first failure for a miss
			requireBothWays(t, s, p, "b")

			all[1].Start(t)
			c.pass()
			p.ask(t, map[string]any{"forget": true}, &struct{}{})
			requireBothWays(t, s, p, "c")
			lives := atHome(s, idsOf("ago"), all[1])
			requireFound(t, s, lives)
			p.requireAll(t, lives)
		})
	}
}

// requireBothWays: Python and Go find the sessions that the other one wrote.
func requireBothWays(t *testing.T, s *Store, p pythonSide, name string) {
	t.Helper()
	python, golang := idsOf(name+"py"), idsOf(name+"go")
	require.Empty(t, p.set(t, python).Errors)
	requireFound(t, s, python)
	putAll(t, s, golang)
	p.requireAll(t, golang)
}

// atHome returns the ids whose own server is not that one.
func atHome(s *Store, ids []string, not *servers.Server) (out []string) {
	for _, id := range ids {
		if srv, err := s.selector.pick(beakerfmt.MemcachedKey(id, s.python)); err == nil && srv.address != not.Addr() {
			out = append(out, id)
		}
	}
	return out
}

// TestServerComesBackWithItsSessions: a server that hung has what it had.
func TestServerComesBackWithItsSessions(t *testing.T) {
	venvs := peers.WithPackage(t, "python-memcached")
	v := venvs[0]
	all := threeServers(t)
	var c clock
	o := Options{Servers: started(all...), Client: pythonClient(v), Python: pythonOf(v), IDs: anyID(t), Now: c.now, Timeout: 200 * time.Millisecond}
	s, p := open(t, o), startPython(t, v, "memcache", o)
	before := idsOf("a")
	putAll(t, s, before)
	p.requireAll(t, before)

	require.NoError(t, all[2].Pause())
	var stuck string
	for _, id := range before {
		if srv, _ := s.selector.pick(beakerfmt.MemcachedKey(id, s.python)); srv.address == all[2].Addr() {
			stuck = id
			break
		}
	}
	_, err := s.Get(t.Context(), stuck)
	require.ErrorIs(t, err, stores.ErrTimeout)
	require.Nil(t, p.get(t, []string{stuck}).Values[stuck])
	requireBothWays(t, s, p, "b") // without it

	require.NoError(t, all[2].Resume())
	c.pass()
	p.ask(t, map[string]any{"forget": true}, &struct{}{})
	requireFound(t, s, before)
	p.requireAll(t, before)
	requireBothWays(t, s, p, "c")
}

// TestPylibmc does it with pylibmc, for which no other server stands in for one that is
// down.
func TestPylibmc(t *testing.T) {
	for n, v := range peers.WithPackage(t, "pylibmc") {
		for name, c := range map[string]struct {
			suffix    [3]string // of the servers: a weight
			behaviors map[string]string
		}{
			"default":               {},
			"ketama":                {behaviors: map[string]string{"ketama": "True", "tcp_nodelay": "True"}},
			"ketama_weighted":       {behaviors: map[string]string{"ketama_weighted": "True"}},
			"weights":               {[3]string{"", ":3", ":2"}, map[string]string{"ketama_weighted": "True"}},
			"ketama and weights":    {[3]string{"", ":3", ":2"}, map[string]string{"ketama": "True"}},
			"weights alone":         {suffix: [3]string{":5", ":3", ":2"}},
			"ketama and md5":        {behaviors: map[string]string{"ketama": "True", "hash": "md5"}},
			"md5":                   {behaviors: map[string]string{"hash": "md5"}},
			"crc":                   {behaviors: map[string]string{"hash": "crc"}},
			"fnv1_32":               {behaviors: map[string]string{"hash": "fnv1_32"}},
			"fnv1a_64":              {behaviors: map[string]string{"hash": "fnv1a_64"}},
			"consistent and md5":    {behaviors: map[string]string{"hash": "md5", "distribution": "consistent"}},
			"consistent and a fnv1": {behaviors: map[string]string{"hash": "fnv1a_32", "distribution": "consistent"}},
		} {
			usual := name == "default" || name == "ketama"
			if n > 0 && !usual && name != "ketama and weights" {
				continue // one of them is enough for what is seldom
			}
			t.Run(v.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				all := threeServers(t)
				o := Options{Servers: started(all...), Client: Pylibmc, Behaviors: c.behaviors, Python: pythonOf(v), IDs: anyID(t)}
				for n := range o.Servers {
					o.Servers[n] += c.suffix[n]
				}
				s, p := open(t, o), startPython(t, v, "pylibmc", o)
				requireBothWays(t, s, p, "a")
				if usual {
					requireSameWithoutOne(t, s, p, o, all)
				}
			})
		}
	}
}

func requireSameWithoutOne(t *testing.T, s *Store, p pythonSide, o Options, all []*servers.Server) {
	t.Helper()
	all[1].Stop()
	ids := idsOf("ago")
	answer := p.get(t, ids)
	require.NotEmpty(t, answer.Errors)
	for _, id := range ids {
		_, err := s.Get(t.Context(), id)
		if _, down := answer.Errors[id]; down {
			require.ErrorIs(t, err, stores.ErrUnavailable, "%q", id)
			require.NotErrorIs(t, err, stores.ErrNotExist)
		} else {
			require.NoError(t, err, "%q", id)
		}
	}
	all[1].Start(t)
	s = open(t, o)
	p = startPython(t, p.venv, "pylibmc", o)
	requireBothWays(t, s, p, "c")
}
