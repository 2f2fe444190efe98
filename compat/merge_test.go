package compat_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// Two requests at once: what the second writes while the first works.
func TestConcurrentRequests(t *testing.T) {
	peers := map[string]compat.Peer{
		"base64 text": {},
		"dict":        {Major: 1, Minor: 11},
	}
	set := func(key string, v any) func(*testing.T, *compat.Session) {
		return func(t *testing.T, x *compat.Session) { require.NoError(t, x.Set(key, v)) }
	}
	tests := []struct {
		name        string
		mode        compat.WriteMode
		mine, other func(*testing.T, *compat.Session)
		want        map[string]any // afterwards; nil: the key is gone
	}{
		{"different keys", compat.WriteMerge, set("a", 1), set("b", 2), map[string]any{"k": "v", "a": 1, "b": 2}},
		{"the same key: the later wins", compat.WriteMerge, set("a", 1), set("a", 2), map[string]any{"a": 1}},
		{"replace loses the other's", compat.WriteReplace, set("a", 1), set("b", 2), map[string]any{"a": 1, "b": nil}},
		{"mine removes", compat.WriteMerge, func(_ *testing.T, x *compat.Session) { x.Remove("k") }, set("b", 2), map[string]any{"k": nil, "b": 2}},
		{"the other removes", compat.WriteMerge, set("a", 1), func(_ *testing.T, x *compat.Session) { x.Remove("k") }, map[string]any{"k": nil, "a": 1}},
		{"mine clears", compat.WriteMerge, func(_ *testing.T, x *compat.Session) { x.Clear() }, set("b", 2), map[string]any{"k": nil, "b": 2}},
		{
			"changed in place", compat.WriteMerge,
			func(t *testing.T, x *compat.Session) {
				l, ok := x.Get("list")
				require.True(t, ok)
				l.(*pyvalue.List).Items = append(l.(*pyvalue.List).Items, pyvalue.NewInt(3))
			},
			set("b", 2),
			map[string]any{"list": []any{1, 2, 3}, "b": 2},
		},
		{
			"seen, not changed", compat.WriteMerge,
			func(t *testing.T, x *compat.Session) { x.Get("list") },
			set("list", []any{9}),
			map[string]any{"list": []any{9}},
		},
		{
			"mine moves to a new id", compat.WriteMerge,
			func(t *testing.T, x *compat.Session) { require.NoError(t, x.RegenerateID()) },
			set("b", 2), map[string]any{"k": "v", "b": 2},
		},
	}
	for peerName, peer := range peers {
		for _, tc := range tests {
			t.Run(peerName+"/"+tc.name, func(t *testing.T) {
				s := newSite(t, func(o *compat.Options) { o.Peer, o.Write = peer, tc.mode })
				s.login()
				s.request(func(x *compat.Session) {
					require.NoError(t, x.Set("list", []any{1, 2}))
					x.Save()
				})
				cookie := s.cookie
				mine := s.manager.Open(s.header())
				x, err := mine.Session(ctx())
				require.NoError(t, err)
				x.Get("k")
				s.now = s.now.Add(time.Second)
				s.request(func(y *compat.Session) { tc.other(t, y); y.Save() })
				s.cookie = cookie
				s.now = s.now.Add(time.Second)
				tc.mine(t, x)
				x.Save()
				require.NoError(t, mine.Persist(ctx()))
				if text, ok := mine.SetCookie(); ok {
					s.obey(text)
				}
				d := s.record(s.id())
				for key, want := range tc.want {
					v, ok := d.GetStr(key)
					if want == nil {
						require.False(t, ok, key)
						continue
					}
					require.True(t, ok, key)
					w, err := pyvalue.FromGo(want)
					require.NoError(t, err)
					require.True(t, pyvalue.Equal(w, v), "%s: %v", key, v)
				}
				at, _ := d.GetStr("_accessed_time")
				require.Equal(t, pyvalue.Float(1700000012.25), at)
				_, ok := d.GetStr("_creation_time")
				require.True(t, ok)
			})
		}
	}
}

// An access-only write keeps what others wrote, and does not bring a record
// back that has gone.
func TestAccessTimeIsWrittenIntoTheRecordAsItIs(t *testing.T) {
	for _, peer := range []compat.Peer{{}, {Major: 1, Minor: 11}} {
		s := newSite(t, func(o *compat.Options) { o.Peer, o.TouchInterval = peer, 0 })
		s.login()
		o := s.manager.Open(s.header())
		x, err := o.Session(ctx())
		require.NoError(t, err)
		x.Get("k")
		s.request(func(y *compat.Session) { require.NoError(t, y.Set("b", 2)); y.Save() })
		s.now = s.now.Add(5 * time.Second)
		require.NoError(t, o.Persist(ctx()))
		d := s.record(s.id())
		_, ok := d.GetStr("b")
		require.True(t, ok)
		at, _ := d.GetStr("_accessed_time")
		require.Equal(t, pyvalue.Float(1700000015.25), at)

		require.NoError(t, o.Persist(ctx()), "a second one finds nothing to do")
		require.NoError(t, s.store.Delete(ctx(), s.id()))
		s.now = s.now.Add(5 * time.Second)
		require.NoError(t, o.Persist(ctx()))
		require.False(t, s.stored(s.id()))
	}
}

func TestPersistTwice(t *testing.T) {
	for _, peer := range []compat.Peer{{}, {Major: 1, Minor: 11}} {
		s := newSite(t, func(o *compat.Options) { o.Peer = peer })
		s.request(func(x *compat.Session) {
			require.NoError(t, x.Set("list", []any{1}))
			x.Save()
			require.NoError(t, x.Persist(ctx()))
			l, _ := x.Get("list")
			l.(*pyvalue.List).Items[0] = pyvalue.NewInt(2)
			require.NoError(t, x.Set("more", 1))
			x.Save()
		})
		d := s.record(s.id())
		l, _ := d.GetStr("list")
		require.True(t, pyvalue.Equal(pyvalue.NewList(pyvalue.NewInt(2)), l))
		require.Equal(t, 2, s.store.writes)

		s.store.reset()
		s.request(func(x *compat.Session) {
			require.NoError(t, x.Set("more", 2))
			x.Save()
			require.NoError(t, x.Persist(ctx()))
			require.NoError(t, x.Set("later", 3)) // Save still counts, as in Beaker
		})
		require.Equal(t, 2, s.store.writes)
		_, ok := s.record(s.id()).GetStr("later")
		require.True(t, ok)

		s.store.reset()
		s.request(func(x *compat.Session) {
			x.Get("list")
			x.Save()
			require.NoError(t, x.Persist(ctx()))
		})
		require.Equal(t, 1, s.store.writes, "nothing new, nothing written again")
	}
}

// What a handler still holds can change after a Persist, too.
func TestChangedInPlaceAfterPersist(t *testing.T) {
	s := newSite(t)
	s.login()
	cookie := s.cookie
	o := s.manager.Open(s.header())
	x, err := o.Session(ctx())
	require.NoError(t, err)
	list := pyvalue.NewList(pyvalue.NewInt(1))
	require.NoError(t, x.Set("list", list))
	x.Save()
	require.NoError(t, o.Persist(ctx()))
	s.request(func(y *compat.Session) { require.NoError(t, y.Set("b", 2)); y.Save() })
	list.Items = append(list.Items, pyvalue.NewInt(2))
	require.NoError(t, o.Persist(ctx()))
	s.cookie = cookie
	d := s.record(s.id())
	got, _ := d.GetStr("list")
	require.True(t, pyvalue.Equal(list, got))
	_, ok := d.GetStr("b")
	require.True(t, ok)
}

// A session that another request ends is not brought back by one that was
// under way.
func TestEndedByAnotherRequest(t *testing.T) {
	works := map[string]func(*testing.T, *compat.Session){
		"save":               func(t *testing.T, x *compat.Session) { require.NoError(t, x.Set("last", 3)); x.Save() },
		"save of nothing":    func(_ *testing.T, x *compat.Session) { x.Save() },
		"regenerate":         func(t *testing.T, x *compat.Session) { require.NoError(t, x.RegenerateID()) },
		"regenerate, saved":  func(t *testing.T, x *compat.Session) { require.NoError(t, x.RegenerateID()); x.Save() },
		"only read":          func(*testing.T, *compat.Session) {},
		"persisted, and set": func(t *testing.T, x *compat.Session) { x.Save(); require.NoError(t, x.Persist(ctx())); x.Save() },
	}
	ends := map[string]func(*site, *compat.Session){
		"delete":     func(_ *site, x *compat.Session) { x.Delete() },
		"invalidate": func(s *site, x *compat.Session) { require.NoError(s.t, x.Invalidate()); x.Save() },
		"regenerate": func(s *site, x *compat.Session) { require.NoError(s.t, x.RegenerateID()) },
		"python deletes": func(s *site, _ *compat.Session) {
			left := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("_domain"), Value: pyvalue.None{}}, pyvalue.Entry{Key: pyvalue.Str("_path"), Value: pyvalue.Str("/")})
			require.NoError(s.t, s.store.Put(ctx(), s.id(), left))
		},
	}
	for endName, end := range ends {
		for workName, work := range works {
			for _, change := range []func(*compat.Options){
				func(*compat.Options) {},
				func(o *compat.Options) { o.Write = compat.WriteReplace },
				func(o *compat.Options) { o.Auto = true },
				func(o *compat.Options) { o.Peer = compat.Peer{Major: 1, Minor: 11} },
			} {
				t.Run(endName+"/"+workName, func(t *testing.T) {
					s := newSite(t, change, func(o *compat.Options) { o.TouchInterval = 0 })
					s.login()
					cookie := s.cookie
					o := s.manager.Open(s.header())
					x, err := o.Session(ctx())
					require.NoError(t, err)
					x.Get("k")
					s.request(func(y *compat.Session) { end(s, y) })
					s.store.reset()
					work(t, x)
					require.NoError(t, o.Persist(ctx()))
					_, sent := o.SetCookie()
					require.False(t, sent)
					require.Zero(t, s.store.writes)
					s.cookie = cookie
					y, err := s.manager.Open(s.header()).Session(ctx())
					require.NoError(t, err)
					require.True(t, y.IsNew())
				})
			}
		}
	}
}

// Nobody removes records with Beaker's behaviour, so a record that is missing
// is one that the store has lost: it is written again.
func TestLostRecordIsWrittenAgain(t *testing.T) {
	for _, mode := range []compat.WriteMode{compat.WriteMerge, compat.WriteReplace} {
		for _, move := range []bool{false, true} {
			s := newSite(t, beaker, func(o *compat.Options) { o.Write = mode })
			s.login()
			s.request(func(x *compat.Session) {
				require.NoError(t, s.store.Delete(ctx(), s.id()))
				if move {
					require.NoError(t, x.RegenerateID())
				} else {
					require.NoError(t, x.Set("n", 1))
					x.Save()
				}
			})
			_, ok := s.record(s.id()).GetStr("k")
			require.True(t, ok)
		}
	}
}

// What is unsaved stays in the session when it moves to a new id.
func TestRegenerateKeepsUnsavedChanges(t *testing.T) {
	s := newSite(t)
	s.login()
	text := s.request(func(x *compat.Session) {
		require.NoError(t, x.RegenerateID())
		require.NoError(t, x.Set("b", 1))
		require.NoError(t, x.SetPath("/q"))
		require.NoError(t, x.Persist(ctx()))
		_, ok := s.record(x.ID()).GetStr("b")
		require.False(t, ok, "not saved yet")
		_, ok = x.Get("b")
		require.True(t, ok)
		x.Save()
	})
	require.Contains(t, text, "Path=/q")
	_, ok := s.record(s.id()).GetStr("b")
	require.True(t, ok)
}

func TestRegenerateWithoutAccessTime(t *testing.T) {
	s := newSite(t, func(o *compat.Options) { o.SaveAccessedTime = false })
	s.login()
	s.request(func(x *compat.Session) { require.NoError(t, x.RegenerateID()) })
	_, ok := s.record(s.id()).GetStr("k")
	require.True(t, ok, "the id that the browser got has the session")
}

// A time of the far future does not stay: it would keep the session for ever.
func TestAccessTimeOfTheFuture(t *testing.T) {
	for _, at := range []float64{1900000000, nan()} {
		for _, save := range []bool{false, true} {
			s := newSite(t, func(o *compat.Options) { o.Timeout = time.Minute })
			s.login()
			d := s.record(s.id())
			d.SetStr("_accessed_time", pyvalue.Float(at))
			require.NoError(t, s.store.Put(ctx(), s.id(), d))
			s.request(func(x *compat.Session) {
				x.Get("k")
				if save {
					x.Save()
				}
			})
			got, _ := s.record(s.id()).GetStr("_accessed_time")
			require.Equal(t, pyvalue.Float(1700000010.25), got)
		}
	}
}

// A record that has grown beyond the store's limits is not replaced.
func TestTooLargeIsNotReplaced(t *testing.T) {
	for _, move := range []bool{false, true} {
		s := newSite(t)
		s.login()
		o := s.manager.Open(s.header())
		x, err := o.Session(ctx())
		require.NoError(t, err)
		require.NoError(t, x.Set("n", 1))
		if move {
			require.NoError(t, x.RegenerateID())
		}
		x.Save()
		s.store.fail = fmt.Errorf("%w: %w", stores.ErrCorrupt, stores.ErrTooLarge)
		require.ErrorIs(t, o.Persist(ctx()), stores.ErrTooLarge)
		require.Zero(t, s.store.writes)
	}
}

// Somebody else encrypts the record while we have it.
func TestEncryptedMeanwhile(t *testing.T) {
	s := newSite(t)
	s.login()
	o := s.manager.Open(s.header())
	x, err := o.Session(ctx())
	require.NoError(t, err)
	require.NoError(t, x.Set("n", 1))
	x.Save()
	envelope := pyvalue.Str("vUt7b8+08VV0mMMI194S0Q==" + "QUJDREVGR0hJSktMTU5PUA==")
	require.NoError(t, s.store.Put(ctx(), s.id(), envelope))
	require.ErrorIs(t, o.Persist(ctx()), beakerfmt.ErrEncrypted)
	v, err := s.store.Get(ctx(), s.id())
	require.NoError(t, err)
	require.Equal(t, envelope, v)
}

// A record is written in the form in which it was read, a new one in the
// form of the peer, and an explicit peer converts what is next written.
func TestForms(t *testing.T) {
	text := beakerfmt.Form{Text: beakerfmt.TextStr, Serializer: beakerfmt.Pickle, Protocol: 2}
	old := beakerfmt.Form{Text: beakerfmt.TextPy2Str, Serializer: beakerfmt.Pickle, Protocol: 2}
	json := beakerfmt.Form{Text: beakerfmt.TextStr, Serializer: beakerfmt.JSON}
	dict := beakerfmt.Form{Text: beakerfmt.TextNone}
	tests := []struct {
		name  string
		peer  string
		json  bool
		found *beakerfmt.Form
		want  beakerfmt.Form
	}{
		{"new, auto", "auto", false, nil, text},
		{"new, auto, json", "auto", true, nil, json},
		{"new, 1.11", "beaker-1.11", false, nil, dict},
		{"new, 1.11 ignores json", "beaker-1.11", true, nil, dict},
		{"new, 1.12", "beaker-1.12/python3", false, nil, text},
		{"dict, auto", "auto", false, &dict, dict},
		{"python 2 text, auto", "auto", false, &old, old},
		{"json, auto", "auto", false, &json, json},
		{"dict to 1.13", "beaker-1.13", false, &dict, text},
		{"text to 1.11", "beaker-1.11/python2", false, &text, dict},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			peer, err := compat.ParsePeer(tc.peer)
			require.NoError(t, err)
			require.Equal(t, tc.peer, peer.String())
			s := newSite(t, func(o *compat.Options) {
				o.Peer = peer
				if tc.json {
					o.DataSerializer = "json"
				}
			})
			s.login()
			if tc.found != nil {
				v, err := new(beakerfmt.Codec).EncodeValue(s.record(s.id()), *tc.found)
				require.NoError(t, err)
				require.NoError(t, s.store.Put(ctx(), s.id(), v))
				s.request(func(x *compat.Session) { require.NoError(t, x.Set("n", 1)); x.Save() })
			}
			v, err := s.store.Get(ctx(), s.id())
			require.NoError(t, err)
			d, form, err := new(beakerfmt.Codec).DecodeValue(v)
			require.NoError(t, err)
			require.Equal(t, tc.want, form)
			k, _ := d.GetStr("k")
			require.Equal(t, pyvalue.Str("v"), k)
		})
	}
	for _, name := range []string{"beaker", "beaker-1", "beaker-2.0", "beaker-1.x", "beaker-1.11/python4", "ckan"} {
		_, err := compat.ParsePeer(name)
		require.ErrorContains(t, err, "peer")
	}
	require.Equal(t, "auto", compat.Peer{}.String())
}

// What JSON cannot hold is an error when it is written; nothing is lost.
func TestJSONCannotHold(t *testing.T) {
	s := newSite(t, func(o *compat.Options) { o.DataSerializer = "json" })
	s.login()
	o := s.manager.Open(s.header())
	x, err := o.Session(ctx())
	require.NoError(t, err)
	require.NoError(t, x.Set("raw", []byte("x")))
	x.Save()
	require.ErrorContains(t, o.Persist(ctx()), "raw")
	require.Equal(t, 5, s.record(s.id()).Len())
}

func TestGetNatural(t *testing.T) {
	s := newSite(t)
	when := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	s.request(func(x *compat.Session) {
		for k, v := range map[string]any{
			"bool": true, "int": 1 << 40, "float": 1.5, "text": "é", "bytes": []byte{0, 255},
			"time": when, "for": time.Minute, "py2": pyvalue.Py2Str("abc"), "raw": pyvalue.Py2Str("\xff"),
			"array": &pyvalue.ByteArray{Data: []byte("ba")}, "huge": pyvalue.Float(1e300),
		} {
			require.NoError(t, x.Set(k, v))
		}
		check(t, x, "bool", true)
		check(t, x, "int", 1<<40)
		check(t, x, "int", int64(1<<40))
		check(t, x, "int", float64(1<<40))
		check(t, x, "float", 1.5)
		check(t, x, "text", "é")
		check(t, x, "py2", "abc")
		check(t, x, "py2", []byte("abc"))
		check(t, x, "raw", []byte{255})
		check(t, x, "bytes", []byte{0, 255})
		check(t, x, "array", []byte("ba"))
		check(t, x, "time", when)
		check(t, x, "for", time.Minute)
		miss[string](t, x, "raw", "bytes", "int", "absent")
		miss[bool](t, x, "int", "absent")
		miss[int](t, x, "float", "bool", "text")
		miss[int64](t, x, "huge")
		miss[float64](t, x, "text")
		miss[[]byte](t, x, "text")
		miss[time.Time](t, x, "int")
		miss[time.Duration](t, x, "int")
	})
}

func check[T compat.Natural](t *testing.T, g compat.Getter, key string, want T) {
	t.Helper()
	got, ok := compat.Get[T](g, key)
	require.True(t, ok, key)
	require.Equal(t, want, got, key)
}

func miss[T compat.Natural](t *testing.T, g compat.Getter, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, ok := compat.Get[T](g, key)
		require.False(t, ok, key)
	}
}

// Python 2 has no time zone class of its own to read one with, so only what is
// known to be a Python 3 gets one.
func TestTimeForPython2(t *testing.T) {
	when := time.Date(2024, 2, 29, 13, 0, 0, 0, time.FixedZone("", 3600))
	for _, python := range []int{0, 2, 3} {
		s := newSite(t, func(o *compat.Options) { o.Peer = compat.Peer{Major: 1, Minor: 11, Python: python} })
		s.request(func(x *compat.Session) {
			require.NoError(t, x.Set("at", when))
			require.NoError(t, x.Set("deep", map[string]any{"at": []any{when}}))
			at, _ := x.Get("at")
			deep, _ := x.Get("deep")
			list, _ := deep.(*pyvalue.Dict).GetStr("at")
			for _, v := range []pyvalue.Value{at, list.(*pyvalue.List).Items[0]} {
				got, naive, ok := pyvalue.AsTime(v)
				require.True(t, ok)
				require.Equal(t, python != 3, naive)
				require.True(t, when.Equal(got))
			}
		})
	}
}

// plainStore has none of the optional capabilities.
type plainStore struct{ stores.Store }

func TestStoreWithoutCapabilities(t *testing.T) {
	s := newSite(t)
	o := compat.Defaults()
	o.Secret, o.TouchInterval = "sekrit", 0
	m, err := compat.New(o, plainStore{s.store}, compat.Environment{Now: func() time.Time { return s.now }})
	require.NoError(t, err)
	s.manager = m
	s.login()
	s.request(func(x *compat.Session) { x.Get("k") })
	at, _ := s.record(s.id()).GetStr("_accessed_time")
	require.Equal(t, pyvalue.Float(1700000010.25), at)

	s.now = s.now.Add(time.Second)
	old := s.id()
	s.request(func(x *compat.Session) {
		require.ErrorIs(t, x.Lock(ctx()), compat.ErrUnsupported)
		require.NoError(t, x.Set("n", 1))
		require.NoError(t, x.RegenerateID())
		x.Save()
	})
	require.False(t, s.stored(old))
	require.True(t, s.stored(s.id()))

	s.now = s.now.Add(time.Second)
	s.request(func(x *compat.Session) {
		x.Get("k")
		require.NoError(t, s.store.Delete(ctx(), s.id()))
	})
	require.False(t, s.stored(s.id()), "a record that has gone stays gone")

	s.cookie = ""
	s.login()
	s.now = s.now.Add(time.Second)
	o2 := s.manager.Open(s.header())
	x, err := o2.Session(ctx())
	require.NoError(t, err)
	x.Get("k")
	require.True(t, o2.Accessed())
	s.store.fail = stores.ErrUnavailable
	require.ErrorIs(t, o2.Persist(ctx()), stores.ErrUnavailable)
}

// A session that moves is written with the time of this access.
func TestMoveWritesAccessTime(t *testing.T) {
	for _, save := range []bool{false, true} {
		s := newSite(t)
		s.login()
		s.request(func(x *compat.Session) {
			require.NoError(t, x.RegenerateID())
			if save {
				x.Save()
			}
		})
		at, _ := s.record(s.id()).GetStr("_accessed_time")
		require.Equal(t, pyvalue.Float(1700000010.25), at)
	}
}

// What others wrote before the session moved is still there after a later save.
func TestSaveAfterMove(t *testing.T) {
	for _, peer := range []compat.Peer{{}, {Major: 1, Minor: 11}} {
		for _, savedFirst := range []bool{false, true} {
			s := newSite(t, func(o *compat.Options) { o.Peer = peer })
			s.login()
			o := s.manager.Open(s.header())
			x, err := o.Session(ctx())
			require.NoError(t, err)
			require.NoError(t, x.Set("mine", 1))
			s.request(func(y *compat.Session) { require.NoError(t, y.Set("other", 2)); y.Save() })
			require.NoError(t, x.RegenerateID())
			if savedFirst {
				x.Save()
			}
			require.NoError(t, o.Persist(ctx()))
			require.NoError(t, x.Set("later", 3))
			x.Save()
			require.NoError(t, o.Persist(ctx()))
			for _, key := range []string{"k", "mine", "other", "later"} {
				_, ok := s.record(x.ID()).GetStr(key)
				require.True(t, ok, key)
			}
		}
	}
}

// TestStoreByCompareAndSet: what holds with locks holds without.
func TestStoreByCompareAndSet(t *testing.T) {
	lockless = true
	defer func() { lockless = false }()
	_, locks := stores.As[stores.Locker](swapStore{&watchedStore{Store: memstore.New()}})
	require.False(t, locks)
	for name, test := range map[string]func(*testing.T){
		"life": TestLifeOfASession, "concurrent": TestConcurrentRequests, "ended": TestEndedByAnotherRequest,
		"end": TestEndOfASession, "lost": TestLostRecordIsWrittenAgain, "regenerate": TestRegenerateKeepsUnsavedChanges,
		"regenerate without access time": TestRegenerateWithoutAccessTime, "move": TestMoveWritesAccessTime,
		"save after move": TestSaveAfterMove, "timeout": TestTimeoutIsLookedAtAgain,
		"encrypted": TestEncryptedMeanwhile, "forms": TestForms, "corrupt": TestCorruptRecord,
	} {
		t.Run(name, test)
	}
}
