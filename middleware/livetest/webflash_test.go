package livetest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// turboGearsFlash is the WebFlash for a peer's TurboGears.
func turboGearsFlash(peer peers.Venv) middleware.WebFlash {
	flash := middleware.TurboGearsFlash()
	if v := peer.Packages["turbogears2"]; strings.HasPrefix(v, "2.3.") || strings.HasPrefix(v, "2.4.") {
		flash.SameSite = ""
	}
	return flash
}

var webMessages = []middleware.FlashMessage{
	{Text: "saved"},
	{Text: "wörld \U0001f600 \"quoted\" \\ ; , = % / ~ + <b>", Category: "error"},
	{Text: "line\nline\ttab", Category: "wärning"},
	{Text: ""},
	{Text: "soon gone", Value: pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("delay"), Value: pyvalue.NewInt(3000)})},
}

// path is the address at which the Python application pushes a message.
func path(m middleware.FlashMessage) string {
	q := url.Values{}
	if m.Category != "" {
		q.Set("status", m.Category)
	}
	if m.Value != nil {
		q.Set("delay", "3000")
	}
	return "/flash?" + q.Encode()
}

func TestWebFlash(t *testing.T) {
	for _, peer := range peers.WithPackage(t, "turbogears2") {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, peer, "turbogearsapp.py", nil, nil)
			flash := turboGearsFlash(peer)
			for _, m := range webMessages {
				inPython := w.inPython("POST", path(m), m.Text, nil).Header["Set-Cookie"]
				goHeader := httptest.NewRecorder()
				require.NoError(t, flash.Push(goHeader, m))
				// Python 2 has another order of keys, and quotes the tilde.
				if !peer.Python2() {
					require.Equal(t, inPython, goHeader.Header()["Set-Cookie"])
				}

				var got middleware.FlashMessage
				var ok bool
				response := w.inGo(func(rw http.ResponseWriter, r *http.Request) { got, ok = flash.Pop(rw, r) })
				require.True(t, ok, "of Python, in Go")
				require.Equal(t, m.Text, got.Text)
				status := m.Category
				if status == "" {
					status = "ok"
				}
				require.Equal(t, status, got.Category)
				gone := response.Header["Set-Cookie"]
				var payload map[string]any
				w.inPython("POST", "/pop", "", &payload)
				require.Empty(t, payload, "once")

				w.inGo(func(rw http.ResponseWriter, _ *http.Request) {
					if err := flash.Push(rw, m); err != nil {
						t.Error(err)
					}
				})
				popped := w.inPython("POST", "/pop", "", &payload).Header["Set-Cookie"]
				require.Equal(t, popped, gone, "both have the browser forget it in the same words")
				want := map[string]any{"message": m.Text, "status": status}
				if m.Value != nil {
					want["delay"] = 3000.0
				}
				require.Equal(t, want, payload, "of Go, in Python")
				w.inGo(func(rw http.ResponseWriter, r *http.Request) { _, ok = flash.Pop(rw, r) })
				require.False(t, ok, "once")
			}

			w.inGo(func(rw http.ResponseWriter, _ *http.Request) {
				if err := flash.Push(rw, middleware.FlashMessage{Text: "<b>", Category: "error"}); err != nil {
					t.Error(err)
				}
			})
			_, page := w.send("POST", w.python+"/render", "", nil)
			require.Contains(t, string(page), `<div class="error">&lt;b&gt;</div>`, "in TurboGears' own template")
		})
	}
}

// The longest message that TurboGears sends is the longest that Go sends.
func TestWebFlashLength(t *testing.T) {
	for _, peer := range peers.WithPackage(t, "turbogears2") {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, peer, "turbogearsapp.py", nil, nil)
			flash := turboGearsFlash(peer)
			empty := httptest.NewRecorder()
			require.NoError(t, flash.Push(empty, middleware.FlashMessage{}))
			room := 4096 - len(empty.Header().Get("Set-Cookie"))
			for length, status := range map[int]int{room: http.StatusOK, room + 1: http.StatusInternalServerError} {
				text := strings.Repeat("a", length)
				response, _ := w.send("POST", w.python+"/flash", text, http.Header{"Content-Type": {"text/plain"}})
				require.Equal(t, status, response.StatusCode)
				err := flash.Push(httptest.NewRecorder(), middleware.FlashMessage{Text: text})
				if status == http.StatusOK {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, middleware.ErrFlashTooLong)
				}
			}
		})
	}
}
