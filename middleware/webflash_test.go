package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/middleware"
)

// flashRequest is a request with these lines of cookies.
func flashRequest(cookies ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Cookie"] = cookies
	return r
}

func TestWebFlashHeaders(t *testing.T) {
	old := middleware.TurboGearsFlash()
	old.SameSite = ""
	for _, tc := range []struct {
		flash     middleware.WebFlash
		message   middleware.FlashMessage
		set, gone string
	}{
		{
			middleware.TurboGearsFlash(), middleware.FlashMessage{Category: "error", Text: "hel~lo/x"},
			"webflash=%7B%22message%22%3A%20%22hel~lo/x%22%2C%20%22status%22%3A%20%22error%22%7D; Path=/; SameSite=Strict",
			"webflash=; Max-Age=0; Path=/; expires=Wed, 31-Dec-97 23:59:59 GMT; SameSite=Strict",
		},
		{
			old, middleware.FlashMessage{Text: "hello", Value: pyvalue.NewDict(
				pyvalue.Entry{Key: str("status"), Value: str("ignored")},
				pyvalue.Entry{Key: str("delay"), Value: pyvalue.NewInt(30)},
			)},
			"webflash=%7B%22message%22%3A%20%22hello%22%2C%20%22status%22%3A%20%22ok%22%2C%20%22delay%22%3A%2030%7D; Path=/",
			"webflash=; Max-Age=0; Path=/; expires=Wed, 31-Dec-97 23:59:59 GMT",
		},
	} {
		w := httptest.NewRecorder()
		w.Header().Add("Set-Cookie", "other=1")
		require.NoError(t, tc.flash.Push(w, middleware.FlashMessage{Text: "replaced"}))
		require.NoError(t, tc.flash.Push(w, tc.message))
		require.Equal(t, []string{"other=1", tc.set}, w.Header()["Set-Cookie"])

		pair, _, _ := strings.Cut(tc.set, ";")
		w = httptest.NewRecorder()
		m, ok := tc.flash.Pop(w, flashRequest(pair))
		require.True(t, ok)
		require.Equal(t, tc.message.Text, m.Text)
		require.Equal(t, []string{tc.gone}, w.Header()["Set-Cookie"])
	}
}

// A message of the same request goes before that of the browser, and is shown
// once.
func TestWebFlashPushAndPop(t *testing.T) {
	flash := middleware.TurboGearsFlash()
	old := "webflash=%7B%22message%22%3A%20%22old%22%7D"
	gone := []string{"webflash=; Max-Age=0; Path=/; expires=Wed, 31-Dec-97 23:59:59 GMT; SameSite=Strict"}
	for _, cookies := range [][]string{nil, {old}} {
		w, r := httptest.NewRecorder(), flashRequest(cookies...)
		require.NoError(t, flash.Push(w, middleware.FlashMessage{Text: "new; \"one\"", Category: "error"}))
		m, ok := flash.Pop(w, r)
		require.True(t, ok)
		require.Equal(t, "new; \"one\"", m.Text)
		require.Equal(t, "error", m.Category)
		require.Equal(t, gone, w.Header()["Set-Cookie"])
		_, ok = flash.Pop(w, r)
		require.False(t, ok)
		require.Equal(t, gone, w.Header()["Set-Cookie"])
	}

	w, r := httptest.NewRecorder(), flashRequest(old)
	w.Header().Add("Set-Cookie", "webflash2=x")
	m, ok := flash.Pop(w, r)
	require.True(t, ok)
	require.Equal(t, "old", m.Text)
	require.NoError(t, flash.Push(w, middleware.FlashMessage{Text: "after"}))
	require.Len(t, w.Header()["Set-Cookie"], 2)
	require.Contains(t, w.Header()["Set-Cookie"][1], "after", "it is for the next page")
}

func TestWebFlashReads(t *testing.T) {
	flash := middleware.TurboGearsFlash()
	for name, tc := range map[string]struct {
		cookies        []string
		ok             bool
		category, text string
		nothing        bool
	}{
		"none":           {nothing: true},
		"another":        {cookies: []string{"other=1"}, nothing: true},
		"empty":          {cookies: []string{"webflash="}, nothing: true},
		"TurboGears 2.5": {cookies: []string{"webflash=%7B%22message%22%3A%20%22h%5Cu00e9%22%2C%20%22status%22%3A%20%22error%22%7D"}, ok: true, category: "error", text: "hé"},
		"Python 2":       {cookies: []string{"webflash=%7B%22status%22%3A%20%22ok%22%2C%20%22message%22%3A%20%22%7E%22%7D"}, ok: true, category: "ok", text: "~"},
		"no status":      {cookies: []string{"webflash=%7B%22message%22%3A%20%22a%22%7D"}, ok: true, category: "ok", text: "a"},
		"no message":     {cookies: []string{"webflash=%7B%22status%22%3A%20%22a%22%7D"}, ok: true, category: "a"},
		"message is 5":   {cookies: []string{"webflash=%7B%22message%22%3A%205%7D"}, ok: true, category: "ok"},
		"the last one":   {cookies: []string{"webflash=%7B%22message%22%3A%20%22a%22%7D; x=y", "webflash=%7B%22message%22%3A%20%22b%22%7D"}, ok: true, category: "ok", text: "b"},
		"not quoted":     {cookies: []string{"webflash=%zz"}},
		"not JSON":       {cookies: []string{"webflash=%7B"}},
		"not UTF-8":      {cookies: []string{"webflash=%7B%22message%22%3A%20%22%ff%22%7D"}},
		"a list":         {cookies: []string{"webflash=%5B1%5D"}},
		"an empty dict":  {cookies: []string{"webflash=%7B%7D"}},
		"deep":           {cookies: []string{"webflash=" + strings.Repeat("%5B", 5000)}},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			m, ok := flash.Pop(w, flashRequest(tc.cookies...))
			require.Equal(t, tc.ok, ok)
			require.Equal(t, tc.category, m.Category)
			require.Equal(t, tc.text, m.Text)
			require.Equal(t, tc.nothing, w.Header()["Set-Cookie"] == nil, "what cannot be read is forgotten")
		})
	}
}

func TestWebFlashRefuses(t *testing.T) {
	flash := middleware.TurboGearsFlash()
	w := httptest.NewRecorder()
	overhead := len("webflash=%7B%22message%22%3A%20%22%22%2C%20%22status%22%3A%20%22ok%22%7D; Path=/; SameSite=Strict")
	err := flash.Push(w, middleware.FlashMessage{Text: strings.Repeat("a", 4097-overhead)})
	require.ErrorIs(t, err, middleware.ErrFlashTooLong)
	require.ErrorContains(t, err, "4097 bytes, at most 4096")
	require.Error(t, flash.Push(w, middleware.FlashMessage{Text: "no \xff text"}))
	bytes := pyvalue.NewDict(pyvalue.Entry{Key: str("x"), Value: pyvalue.Bytes("b")})
	require.ErrorIs(t, flash.Push(w, middleware.FlashMessage{Value: bytes}), pyjson.ErrUnsupported)
	require.Error(t, middleware.WebFlash{Cookie: "a b"}.Push(w, middleware.FlashMessage{}))
	require.Error(t, middleware.WebFlash{}.Push(w, middleware.FlashMessage{}))
	require.Empty(t, w.Header()["Set-Cookie"])
	require.NoError(t, flash.Push(w, middleware.FlashMessage{Text: strings.Repeat("a", 4096-overhead)}))
	require.Len(t, w.Header()["Set-Cookie"], 1)
}

// Whatever is pushed is popped again, and a cookie of any text does no harm.
func FuzzWebFlash(f *testing.F) {
	f.Add("saved", "ok", "%7B%22message%22%3A%20%22a%22%7D")
	f.Add("wörld \"; \\ \x00\U0001f600", "", "%5B")
	f.Add("no \xff text", "error", "{\"message\": 1}")
	flash := middleware.TurboGearsFlash()
	f.Fuzz(func(t *testing.T, text, status, cookie string) {
		if m, ok := flash.Peek(flashRequest("webflash=" + cookie)); ok {
			require.NotNil(t, m.Value)
		}
		w := httptest.NewRecorder()
		if flash.Push(w, middleware.FlashMessage{Text: text, Category: status}) != nil {
			require.Empty(t, w.Header()["Set-Cookie"])
			return
		}
		pair, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		m, ok := flash.Peek(flashRequest(pair))
		require.True(t, ok)
		require.Equal(t, text, m.Text)
		if status == "" {
			status = flash.DefaultStatus
		}
		require.Equal(t, status, m.Category)
	})
}
