package livetest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// onlooker is a Go process that only looks at sessions, as a gateway does, with a clock
// of its own.
type onlooker struct {
	manager *compat.Manager
	now     time.Time
	events  map[compat.EventKind][]compat.Outcome
}

func newOnlooker(t *testing.T, w *world, change func(*compat.Options)) *onlooker {
	t.Helper()
	o := w.setup.place.Options(t, compat.Peer{}, nil)
	o.Key, o.Secret, o.InvalidateCorrupt = cookieName, w.setup.secret, false
	if w.setup.timeout > 0 {
		o.Timeout = seconds(w.setup.timeout)
	}
	change(&o)
	l := &onlooker{now: time.Now(), events: map[compat.EventKind][]compat.Outcome{}}
	var err error
	l.manager, err = compat.New(o, w.store, compat.Environment{
		Now:     func() time.Time { return l.now },
		Observe: func(e compat.Event) { l.events[e.Kind] = append(l.events[e.Kind], e.Outcome) },
	})
	require.NoError(t, err)
	return l
}

// look is a request of this browser that only looks at the session.
func (l *onlooker) look(b *browser) (user any, o *compat.SessionObject) {
	b.t.Helper()
	o = l.manager.Open(cookieName + "=" + b.cookie())
	v, err := o.Peek(b.t.Context())
	require.NoError(b.t, err)
	return natural(v.Dict(), "user"), o
}

// TestTouchKeepsPythonsTimeout: who only reads through Go, every few minutes for half an
// hour, is still logged in at Python, whose timeout is ten minutes; and Python's own keys
// are as they were. Without the touch he is not.
func TestTouchKeepsPythonsTimeout(t *testing.T) {
	for _, peer := range peers.Beakers(t) {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, peer, setup{secret: "s", timeout: 600})
			for _, cacheTime := range []time.Duration{0, time.Minute} {
				l := newOnlooker(t, w, func(o *compat.Options) { o.CacheTime = cacheTime })
				b := w.newBrowser(t, true)
				b.inPython("POST", w.samples(), "", nil)
				b.inPython("POST", "/login", `"ann"`, nil)
				d, before := b.dump()
				const visit, visits = 7, 257
				w.age(t, d.ID, visit*visits)
				for l.now = time.Now().Add(-visit * visits * time.Second); time.Now().After(l.now); l.now = l.now.Add(visit * time.Second) {
					user, o := l.look(b)
					require.Equal(t, "ann", user)
					require.NoError(t, o.Touch(t.Context()))
					_, set := o.SetCookie()
					require.False(t, set)
				}
				touches := l.events[compat.KindTouch]
				require.InDelta(t, visit*visits/63, len(touches), 3, "one write a minute, and a visit at most")
				require.NotContains(t, touches, compat.OutcomeFailed)
				now, after := b.dump()
				require.Equal(t, d.ID, now.ID)
				require.False(t, now.IsNew)
				require.Equal(t, "ann", natural(after, "user"))
				require.Empty(t, b.differ("GET", w.samples(), ""))
				require.Equal(t, before.Len(), after.Len())

				w.age(t, d.ID, 601)
				_, o := l.look(b)
				require.NoError(t, o.Touch(t.Context()))
				require.Len(t, l.events[compat.KindTouch], len(touches), "what has timed out stays so")
				require.Nil(t, b.pyGet("user"))
			}
		})
	}
}

// TestCacheAndPython: what Python changes is seen at once in files, and after CacheTime
// in a store that must be asked as for the record itself; so is its logout.
func TestCacheAndPython(t *testing.T) {
	set := livestores.New(t)
	const cacheTime = 20 * time.Second
	for _, kind := range livestores.Kinds() {
		switch kind.Name {
		case "file", "redis", "memcached/python-memcached", "database/sqlite":
		default:
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			venv := newestWith(t, kind)
			w := newWorld(t, venv, setup{place: set.Place(t, kind, venv), secret: "s"})
			l := newOnlooker(t, w, func(o *compat.Options) { o.CacheTime = cacheTime })
			b := w.newBrowser(t, true)
			b.inPython("POST", "/login", `"ann"`, nil)
			d, _ := b.dump()
			atOnce := func(was, is any) {
				t.Helper()
				user, _ := l.look(b)
				if kind.Name != "file" {
					require.Equal(t, was, user)
					l.now = l.now.Add(cacheTime + 1)
					user, _ = l.look(b)
				}
				require.Equal(t, is, user)
			}
			settle := func() { // as if it had been a minute since
				if kind.Name == "file" {
					then := time.Now().Add(-time.Minute)
					path := filepath.Join(l.manager.Options().DataDir, "container_file", beakerfmt.DataPath(d.ID))
					require.NoError(t, os.Chtimes(path, then, then))
				}
			}
			settle()
			atOnce("ann", "ann")
			for _, user := range []string{"bob", "eve", "ann", "bob"} { // all of one length
				was, _ := l.look(b)
				b.pySet("user", user)
				atOnce(was, user)
				settle()
				_, _ = l.look(b)
				hits := len(l.events[compat.KindLoad])
				now, _ := l.look(b)
				require.Equal(t, user, now)
				require.Len(t, l.events[compat.KindLoad], hits, "it is not decoded again")
			}
			thief := b.again()
			b.inPython("POST", "/logout", "", nil)
			b = thief
			atOnce("bob", nil)

			// Who logs in again, or for the first time, is known without waiting.
			b = w.newBrowser(t, true)
			b.inPython("POST", "/set?key=user", tagged(t, pyvalue.Str("new")), nil)
			user, _ := l.look(b)
			require.Equal(t, "new", user)
		})
	}
}
