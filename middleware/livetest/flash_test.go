package livetest

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// push pushes messages in Go.
func (w *world) push(flash middleware.Flash, messages ...middleware.FlashMessage) {
	w.t.Helper()
	w.session(func(s *compat.Session) {
		for _, m := range messages {
			if err := flash.Push(s, m); err != nil {
				w.t.Error(err)
			}
		}
	})
}

func (w *world) pushOnce(flash middleware.Flash, m middleware.FlashMessage) {
	w.t.Helper()
	w.session(func(s *compat.Session) {
		if err := flash.PushOnce(s, m); err != nil {
			w.t.Error(err)
		}
	})
}

// pop pops the messages in Go.
func (w *world) pop(flash middleware.Flash) (messages []middleware.FlashMessage) {
	w.t.Helper()
	w.session(func(s *compat.Session) {
		var err error
		if messages, err = flash.Pop(s); err != nil {
			w.t.Error(err)
		}
	})
	return messages
}

// shown is a message as a template of Pylons shows it.
type shown struct{ Category, Shown string }

func (w *world) popInPylons() []shown {
	w.t.Helper()
	var answer struct{ Messages []shown }
	w.inPython("POST", "/pop", "", &answer)
	return answer.Messages
}

func TestWebHelpersFlash(t *testing.T) {
	flash := middleware.WebHelpersFlash()
	for _, peer := range peers.WithPackage(t, "pylons") {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, peer, "pylonsapp.py", nil, nil)

			w.inPython("POST", "/flash?category=error", "é", nil)
			inPython := w.raw("flash")
			require.Len(t, w.pop(flash), 1)
			w.push(flash, middleware.FlashMessage{Category: "error", Text: "é"})
			require.True(t, pyvalue.Equal(inPython, w.raw("flash")), "the same types: %v", w.raw("flash"))
			require.Len(t, w.popInPylons(), 1)

			w.push(flash, middleware.FlashMessage{Text: "gespéichert <1>"}, middleware.FlashMessage{Category: "error", Text: "two"})
			require.Equal(t, []shown{{"notice", "gespéichert &lt;1&gt;"}, {"error", "two"}}, w.popInPylons(), "of Go, in Python")
			require.Empty(t, w.pop(flash), "once")
			require.Empty(t, w.popInPylons(), "once")

			for _, kind := range []string{"unicode", "str", "literal"} {
				w.inPython("POST", "/flash?category=warning&kind="+kind, "<é>", nil)
			}
			messages := w.pop(flash)
			require.Len(t, messages, 3)
			for i, m := range messages {
				require.Equal(t, "warning", m.Category)
				require.Equal(t, "<é>", m.Text)
				require.Equal(t, i == 2, m.Markup)
			}
			require.Empty(t, w.popInPylons(), "once")

			w.inPython("POST", "/flash?kind=literal", "<b>bold</b>", nil)
			w.push(flash, middleware.FlashMessage{Category: "success", Text: "<b>"})
			w.inPython("POST", "/flash", "three", nil)
			require.Equal(t, []shown{{"notice", "<b>bold</b>"}, {"success", "&lt;b&gt;"}, {"notice", "three"}}, w.popInPylons(),
				"markup stays markup when Go has written the list again")

			w.inPython("POST", "/flash?kind=literal", "same", nil)
			w.pushOnce(flash, middleware.FlashMessage{Text: "same"})
			w.pushOnce(flash, middleware.FlashMessage{Text: "other"})
			w.inPython("POST", "/flash?once=1&category=error", "other", nil)
			w.inPython("POST", "/flash?once=1&category=error", "same", nil)
			require.Equal(t, []shown{{"error", "same"}, {"error", "other"}}, w.popInPylons())

			// What Go has read it can push again, unharmed.
			w.inPython("POST", "/flash?kind=literal", "<i>", nil)
			w.push(flash, w.pop(flash)...)
			require.Equal(t, []shown{{"notice", "<i>"}}, w.popInPylons())
		})
	}
}

// inQueue asks Pyramid for its messages.
func (w *world) inQueue(method, path, queue string) pyvalue.Value {
	w.t.Helper()
	var answer struct{ Messages json.RawMessage }
	w.inPython(method, path+"?queue="+url.QueryEscape(queue), "", &answer)
	return parse(w.t, answer.Messages)
}

func list(texts ...string) *pyvalue.List {
	l := pyvalue.NewList()
	for _, text := range texts {
		l.Items = append(l.Items, pyvalue.Str(text))
	}
	return l
}

func TestPyramidFlash(t *testing.T) {
	for _, peer := range peers.WithPackage(t, "pyramid") {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, peer, "pyramidapp.py", nil, nil)
			for _, queue := range []string{"", "error", "wörld"} {
				flash, query := middleware.PyramidFlash(queue), "?queue="+url.QueryEscape(queue)

				w.push(flash, middleware.FlashMessage{Text: "öne"}, middleware.FlashMessage{Text: "two"})
				require.True(t, pyvalue.Equal(list("öne", "two"), w.inQueue("GET", "/peek", queue)))
				w.inPython("POST", "/flash"+query+"&once=1", "two", nil)
				require.True(t, pyvalue.Equal(list("öne", "two"), w.inQueue("POST", "/pop", queue)))
				require.Empty(t, w.pop(flash), "once")
				require.True(t, pyvalue.Equal(list(), w.inQueue("POST", "/pop", queue)), "once")

				w.inPython("POST", "/flash"+query, "one", nil)
				w.inPython("POST", "/flash"+query+"&translated=1", "twö", nil)
				w.pushOnce(flash, middleware.FlashMessage{Text: "one"})
				messages := w.pop(flash)
				require.Len(t, messages, 2)
				require.Equal(t, "one", messages[0].Text)
				require.Equal(t, "twö", messages[1].Text)
				require.True(t, pyvalue.Equal(list(), w.inQueue("POST", "/pop", queue)), "once")

				// A structured message, as some applications have them.
				w.push(flash, middleware.FlashMessage{Value: pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("title"), Value: pyvalue.Str("t")})})
				require.Equal(t, "[{'title': 't'}]", pyvalue.Repr(w.inQueue("POST", "/pop", queue)))
			}
			w.push(middleware.PyramidFlash("a"), middleware.FlashMessage{Text: "of a"})
			require.Empty(t, w.pop(middleware.PyramidFlash("b")), "queues are apart")
			require.True(t, pyvalue.Equal(list("of a"), w.inQueue("POST", "/pop", "a")))
		})
	}
}
